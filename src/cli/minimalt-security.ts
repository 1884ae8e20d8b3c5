import { readFile } from "node:fs/promises";
import { fromHex } from "../bytes/index.js";
import type { Host } from "../contract/index.js";
import { hostIdentity, hostSecretSize, type SuiteName, suiteNames } from "../protocols/minimalt/index.js";
import type { SecurityInit } from "../taps/index.js";
import { ConfigError, UsageError } from "./exit.js";
import { readSource } from "./secrets.js";
import type { SessionValues } from "./session-options.js";
import type { TargetWithOptions } from "./url.js";

/** What `minimalt:` takes: a key file for who we are (a host, or a user by its second half), public keys for who the peer is. */
export async function minimaltSecurityOf(
  { query }: Pick<TargetWithOptions, "query">,
  values: SessionValues,
  host: Host,
  role: "client" | "server",
): Promise<SecurityInit> {
  const [file, ...others] = values.identity;
  if (others.length > 0) throw new UsageError("minimalt: one key file says who we are");
  if (role === "server" && file === undefined) {
    throw new UsageError("listen minimalt: needs --identity", "sealport keygen minimalt --out server");
  }
  if (role === "client" && values["peer-key"].length !== 1) {
    throw new UsageError("connect minimalt: needs one --peer-key", "128 hexadecimal digits, or a file of them");
  }
  const secret = file === undefined ? undefined : hexOf(readSource(file, "--identity", true), file);
  const identity = secret && hostIdentity(host.crypto, secret);
  secret?.fill(0);
  const keys = await Promise.all(values["peer-key"].map(publicKeys));
  const [serverName] = query["server-name"] ?? [];
  const suites = query["suites"]?.map(suiteOf);
  const [suite] = suites ?? [];
  return {
    // To a server users are known by their box keys; a server is known by both of its keys.
    ...(keys.length > 0 && { peerKeys: role === "server" ? keys.map((each) => each.slice(32)) : keys }),
    ...(role === "client" && serverName !== undefined && { serverName }),
    ...(role === "client" && identity !== undefined && { keyPair: identity.box }),
    ...(role === "client" && suites !== undefined && { protocolOptions: { MinimaLT: { suites } } }),
    ...(role === "server" &&
      identity !== undefined && {
        keyPair: {
          publicKey: fromParts(identity.publicKey, identity.box.publicKey),
          privateKey: identity.box.privateKey,
        },
        protocolOptions: {
          MinimaLT: {
            identity,
            ...(suite !== undefined && { suite }),
            ...(serverName !== undefined && { serverName }),
          },
        },
      }),
  };
}

function suiteOf(text: string): SuiteName {
  const name = suiteNames.find((each) => each === text);
  if (name === undefined) throw new UsageError(`minimalt: has no suite ${text}`, `suites: ${suiteNames.join(", ")}`);
  return name;
}

async function publicKeys(text: string): Promise<Uint8Array> {
  if (/^[0-9a-f]{128}$/i.test(text)) return fromHex(text);
  try {
    return hexOf(await readFile(text), text);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(
      `${text} holds no public keys`,
      "128 hexadecimal digits, or the file that keygen minimalt made",
    );
  }
}

function hexOf(bytes: Uint8Array, name: string): Uint8Array {
  const trimmed = new TextDecoder().decode(bytes).trim();
  if (!/^[0-9a-f]+$/i.test(trimmed) || trimmed.length !== 2 * hostSecretSize) {
    throw new ConfigError(`${name} holds no keys of MinimaLT`, "128 hexadecimal digits, as keygen minimalt makes them");
  }
  return fromHex(trimmed);
}

function fromParts(a: Uint8Array, b: Uint8Array): Uint8Array {
  return new Uint8Array([...a, ...b]);
}

import { readKeyDirectory, readPublicKey } from "../adapters/curvecp/index.js";
import { fromHex } from "../bytes/index.js";
import { Failure, type Host } from "../contract/index.js";
import type { SecurityInit } from "../taps/index.js";
import { ConfigError, UsageError } from "./exit.js";
import type { SessionValues } from "./session-options.js";
import type { TargetWithOptions } from "./url.js";

/** What `curvecp:` takes: key directories for who we are, keys for who the peer is, a name and extensions from the query. */
export async function curvecpSecurityOf(
  { query }: Pick<TargetWithOptions, "query">,
  values: SessionValues,
  host: Host,
  role: "client" | "server",
): Promise<SecurityInit> {
  const [directory, ...others] = values.identity;
  if (others.length > 0) throw new UsageError("curvecp: one key directory says who we are");
  if (role === "server" && directory === undefined) {
    throw new UsageError("listen curvecp: needs --identity", "sealport keygen curvecp --out server");
  }
  if (role === "client" && values["peer-key"].length !== 1) {
    throw new UsageError(
      "connect curvecp: needs one --peer-key",
      "64 hexadecimal digits, or the server's key directory",
    );
  }
  const keyPair = directory && (await usable(() => readKeyDirectory(directory, host.crypto)));
  const peerKeys = await Promise.all(values["peer-key"].map((each) => usable(() => readPublicKey(each))));
  const [serverName] = query["server-name"] ?? [];
  const ours = extensionOf(query["extension"]?.[0], "extension");
  const theirs = extensionOf(query["peer-extension"]?.[0], "peer-extension");
  const options = {
    ...(ours !== undefined && { extension: ours }),
    ...(theirs !== undefined && { serverExtension: theirs }),
    ...(role === "server" && serverName !== undefined && { serverNames: query["server-name"] }),
  };
  return {
    ...(keyPair && { keyPair }),
    ...(peerKeys.length > 0 && { peerKeys }),
    ...(role === "client" && serverName !== undefined && { serverName }),
    protocolOptions: { CurveCP: options },
  };
}

function extensionOf(text: string | undefined, name: string): Uint8Array | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9a-f]{32}$/i.test(text)) throw new UsageError(`${name} has 32 hexadecimal digits`);
  return fromHex(text);
}

/** What is wrong with a key is told with its name. */
async function usable<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Failure) throw new ConfigError(error.message, error.hint);
    throw error;
  }
}

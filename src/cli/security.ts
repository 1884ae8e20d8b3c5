import { existsSync, readFileSync } from "node:fs";
import { certificatesFromPem, identityFromPem } from "../adapters/pem.js";
import type { Host, Identity } from "../contract/index.js";
import { isPkiFailure } from "../pki/failure.js";
import { readPem } from "../pki/pem.js";
import {
  type GroupName,
  groups,
  type SchemeName,
  type SuiteName,
  schemes,
  suites12,
  suites13,
} from "../protocols/tls/parameters/index.js";
import type { PreSharedKey, SecurityInit, SecurityProtocol } from "../taps/index.js";
import { ConfigError, UsageError } from "./exit.js";
import { readKey, readSource } from "./secrets.js";
import type { SessionValues } from "./session-options.js";
import { didYouMean } from "./suggest.js";
import type { TargetWithOptions } from "./url.js";

/** The security parameters of any URL, whose protocol decides what the options mean. */
export async function securityFor(
  target: TargetWithOptions,
  values: SessionValues,
  host: Host,
  role: "client" | "server",
): Promise<SecurityInit> {
  if (target.row.allowed[0] === "CurveCP") {
    return (await import("./curvecp-security.js")).curvecpSecurityOf(target, values, host, role);
  }
  if (target.row.allowed[0] === "tcpcrypt") {
    return (await import("./tcpcrypt-security.js")).tcpcryptSecurityOf(target, values);
  }
  if (target.row.allowed[0] === "MinimaLT") {
    return (await import("./minimalt-security.js")).minimaltSecurityOf(target, values, host, role);
  }
  if (values["peer-key"].length > 0) throw new UsageError("--peer-key is for curvecp: and minimalt:");
  return securityOf(target, values, host);
}

/** The security parameters that a URL and the options beside it stand for. An option adds to what the query says. */
export function securityOf(
  target: Pick<TargetWithOptions, "query"> & Partial<Pick<TargetWithOptions, "row">>,
  values: SessionValues,
  host: Host,
): SecurityInit {
  const list = (name: "alpn" | "versions" | "suites" | "groups" | "signatures") => [
    ...(target.query[name] ?? []),
    ...values[name].flatMap((each) => each.split(",")),
  ];
  const alpn = list("alpn");
  const versions = list("versions");
  const suites = list("suites").map((each) => known("suites", each, suiteNames));
  const wantedGroups = list("groups").map((each) => known("groups", each, groupNames));
  const signatures = list("signatures").map((each) => known("signatures", each, schemeNames));
  const identities = values.identity.map((path) => readIdentity(path, values.key, host));
  const psk = readPsk(target, values);
  const [serverName] = target.query["server-name"] ?? [];
  return {
    ...(versions.length > 0 && { allowed: allowedVersions(target.row, versions) }),
    ...(identities.length > 0 && { identity: identities }),
    ...trustOf(values),
    ...(psk !== undefined && { preSharedKeys: [psk] }),
    ...(serverName !== undefined && { serverName }),
    ...(alpn.length > 0 && { alpn }),
    ...(suites.length > 0 && { ciphersuites: suites }),
    ...(wantedGroups.length > 0 && { groups: wantedGroups }),
    ...(signatures.length > 0 && { signatureAlgorithms: signatures }),
  };
}

/** Versions as `--versions` names them, by the protocol of the URL. */
const versionsOf: Readonly<Partial<Record<SecurityProtocol, Readonly<Record<string, SecurityProtocol>>>>> = {
  TLS: { "1.3": "TLS 1.3", "1.2": "TLS 1.2" },
  DTLS: { "1.3": "DTLS 1.3", "1.2": "DTLS 1.2" },
  QUIC: { "1": "QUIC v1", "2": "QUIC v2" },
  gQUIC: { Q039: "gQUIC Q039", Q043: "gQUIC Q043", Q044: "gQUIC Q044", Q046: "gQUIC Q046", Q050: "gQUIC Q050" },
};

function allowedVersions(
  row: TargetWithOptions["row"] | undefined,
  versions: readonly string[],
): readonly SecurityProtocol[] {
  const [protocol = "TLS", ...others] = row?.allowed ?? [];
  const names = others.length === 0 ? versionsOf[protocol] : undefined;
  if (names === undefined) throw new UsageError("--versions is for URLs of one protocol that has some");
  return versions.map((each) => names[known("versions", each, Object.keys(names))]!);
}

function trustOf(values: SessionValues): Pick<SecurityInit, "trust" | "pins" | "verify"> {
  if (values["trust-anyone"]) {
    if (values.trust.length + values.pin.length > 0)
      throw new UsageError("--trust-anyone makes --trust and --pin useless");
    return { trust: [], verify: () => true };
  }
  const pins = values.pin.flatMap((path) => pemOrDer(path, ["CERTIFICATE", "PUBLIC KEY"]));
  if (values.trust.length === 0) return pins.length > 0 ? { pins } : {};
  const anchors = values.trust.flatMap((path) =>
    understood(path, () => certificatesFromPem(readSource(path, "--trust", true))),
  );
  return { trust: anchors, ...(pins.length > 0 && { pins }) };
}

function readPsk(target: Pick<TargetWithOptions, "query">, values: SessionValues): PreSharedKey | undefined {
  if (values.psk === undefined) return undefined;
  const identity = values["psk-identity"] ?? target.query["psk-identity"]?.[0] ?? "Client_identity";
  return { identity, key: readKey(values.psk, "--psk") };
}

/** A chain with its key: both in one file, the key elsewhere, or PATH.crt with PATH.key as keygen writes them. */
function readIdentity(path: string, key: string | undefined, host: Host): Identity {
  const pair = !existsSync(path) && existsSync(`${path}.crt`);
  const chainPath = pair ? `${path}.crt` : path;
  const chainText = new Uint8Array(readFileSync(chainPath));
  const keyPath = pair ? `${path}.key` : path;
  const keyText = key !== undefined ? readSource(key, "--key", false) : new Uint8Array(readFileSync(keyPath));
  return understood(key ?? keyPath, () => identityFromPem({ chain: chainText, key: keyText, provider: host.crypto }));
}

/** What is wrong with a file is told with its name. */
function understood<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (isPkiFailure(error)) throw new ConfigError(`${path}: ${error.message}`, error.hint);
    throw error;
  }
}

function pemOrDer(path: string, labels: readonly string[]): readonly Uint8Array[] {
  const bytes = new Uint8Array(readFileSync(path));
  if (bytes[0] === 0x30) return [bytes];
  const blocks = readPem(new TextDecoder().decode(bytes));
  if (isPkiFailure(blocks)) throw new ConfigError(`${path}: ${blocks.message}`, blocks.hint);
  const found = blocks.filter(({ label }) => labels.includes(label)).map(({ bytes: der }) => der);
  if (found.length === 0) throw new ConfigError(`${path} holds no ${labels.join(" or ").toLowerCase()}`);
  return found;
}

const groupNames: readonly GroupName[] = groups.map(({ name }) => name);
const schemeNames: readonly SchemeName[] = schemes.map(({ name }) => name);
const suiteNames: readonly SuiteName[] = [...suites13, ...suites12].map(({ name }) => name);

function known<Name extends string>(option: string, given: string, names: readonly Name[]): Name {
  const found = names.find((name) => name.toLowerCase() === given.toLowerCase());
  if (found === undefined) {
    throw new UsageError(
      `--${option}: ${given} is not known`,
      didYouMean(given, names) ?? `one of ${names.join(", ")}`,
    );
  }
  return found;
}

import { DecodeError } from "../../bytes/index.js";
import type { AgreementName, CryptoProvider, Entropy } from "../../contract/index.js";
import { readEchConfigs, writeEchConfigs } from "./ech/config.js";
import { type TlsReason, tlsFailure } from "./failure.js";
import { handshakeTimeoutMs, limits } from "./limits.js";
import { isKnownExtension } from "./messages/extensions.js";
import type { TlsClientOptions, TlsOptions, TlsServerOptions, TlsVersion } from "./options.js";
import { type Dialect, dialects } from "./parameters/dialect.js";
import { type Group, groupByName } from "./parameters/groups.js";
import { type Scheme, schemeByName, schemes } from "./parameters/schemes.js";
import { type Suite, type SuiteName, suiteByName } from "./parameters/suites.js";
import { suites12 } from "./parameters/suites12.js";

/** What a handshake runs on, beside the options: everything that is not decided by who is talking to whom. */
export interface Ground {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  /** Default: TLS. */
  readonly dialect?: Dialect;
  /** What a server's cookies are bound to beside its key: the peer's address (RFC 9147 §5.1). Default: nothing. */
  readonly cookieContext?: Uint8Array;
}

interface Common<Role extends "client" | "server", Options extends TlsOptions> {
  readonly role: Role;
  readonly options: Options;
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  readonly dialect: Dialect;
  readonly versions: readonly TlsVersion[];
  /** In our order of preference, and only what the provider has. */
  readonly suites: readonly Suite[];
  readonly groups: readonly Group[];
  readonly schemes: readonly Scheme[];
  /** Undefined: as `schemes`. */
  readonly certificateSchemes: readonly Scheme[] | undefined;
  /** Schemes of delegated credentials that we accept. */
  readonly delegatedSchemes: readonly Scheme[];
  readonly pskModes: readonly ("psk_dhe_ke" | "psk_ke")[];
  readonly alpn: readonly string[];
  readonly handshakeTimeoutMs: number;
  readonly cookieContext: Uint8Array;
}

/** Options with every default in its place, names looked up, and nothing in them that cannot be. */
export type ClientConfig = Common<"client", TlsClientOptions>;
export type ServerConfig = Common<"server", TlsServerOptions>;
export type Config = ClientConfig | ServerConfig;

/** Throws `misuse` for options that make no sense; so a session that began never fails for them. */
export function clientConfig(ground: Ground, options: TlsClientOptions): ClientConfig {
  const list = options.encryptedClientHello;
  if (list !== undefined && list !== "grease") checkEch(() => readEchConfigs(list), "encryptedClientHello");
  return common("client", ground, options);
}

export function serverConfig(ground: Ground, options: TlsServerOptions): ServerConfig {
  const { echKeys = [], cookieKey } = options;
  if (echKeys.length > 0 && cookieKey !== undefined)
    wrong("echKeys", "a stateless retry cannot remember what was opened");
  for (const { config } of echKeys) checkEch(() => readEchConfigs(writeEchConfigs([config])), "echKeys");
  return common("server", ground, options);
}

function common<Role extends "client" | "server", Options extends TlsOptions>(
  role: Role,
  { crypto, entropy, dialect = dialects.tls, cookieContext = new Uint8Array(0) }: Ground,
  options: Options,
): Common<Role, Options> {
  const versions = options.versions ?? defaultVersions;
  if (versions.length === 0) wrong("versions", "no version is allowed");
  const suites = look("suites", options.suites ?? defaultSuites, suiteByName).filter(
    (suite) => versions.includes(suite.version) && has(crypto, suite),
  );
  const groups = look("groups", options.groups ?? defaultGroups, (name) => groupByName.get(name)).filter((group) =>
    crypto.has(group.agreement satisfies AgreementName),
  );
  for (const version of versions) {
    if (!suites.some((suite) => suite.version === version)) {
      wrong("suites", `TLS ${version} is allowed, but none of its suites`);
    }
  }
  if (options.recordSizeLimit !== undefined && !between(options.recordSizeLimit, 64, limits.recordSizeMax + 1)) {
    wrong("recordSizeLimit", "it must be 64 … 16385 bytes (RFC 8449 §4)");
  }
  for (const name of options.alpn ?? []) {
    if (!between(name.length, 1, 255)) wrong("alpn", "a protocol name has 1 … 255 bytes (RFC 7301 §3.1)");
  }
  for (const { type } of options.extensions ?? []) {
    if (isKnownExtension(type)) wrong("extensions", `extension ${type} is TLS's own`);
  }
  return {
    role,
    options,
    crypto,
    entropy,
    dialect,
    versions,
    suites,
    groups,
    schemes: look("signatureSchemes", options.signatureSchemes ?? defaultSchemes, (name) => schemeByName.get(name)),
    certificateSchemes:
      options.certificateSignatureSchemes &&
      look("certificateSignatureSchemes", options.certificateSignatureSchemes, (name) => schemeByName.get(name)),
    delegatedSchemes: look("delegatedCredentials", options.delegatedCredentials ?? [], (name) =>
      schemeByName.get(name),
    ),
    pskModes: options.pskModes ?? ["psk_dhe_ke"],
    alpn: options.alpn ?? [],
    handshakeTimeoutMs: options.handshakeTimeoutMs ?? handshakeTimeoutMs,
    cookieContext,
  };
}

const defaultVersions: readonly TlsVersion[] = ["1.3", "1.2"];

/** What is offered where nobody says otherwise. */
export const defaultSuites: readonly SuiteName[] = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  // 1.2: forward secrecy and AEAD, or nothing (RFC 9325 §4.2).
  ...suites12
    .filter((suite) => suite.keyExchange === "ECDHE" && suite.protection.kind === "aead")
    .filter((suite) => !suite.name.includes("CCM"))
    .map((suite) => suite.name),
];

const defaultGroups: readonly string[] = [
  "X25519MLKEM768",
  "x25519",
  "secp256r1",
  "secp384r1",
  "secp521r1",
  "x448",
  "ffdhe2048",
  "ffdhe3072",
];

const defaultSchemes: readonly string[] = schemes.map(({ name }) => name).filter((name) => !name.endsWith("sha1"));

function has(crypto: CryptoProvider, suite: Suite): boolean {
  if (!crypto.has(suite.hash)) return false;
  if (suite.version === "1.3") return crypto.has(suite.aead);
  const { protection } = suite;
  return protection.kind === "aead"
    ? crypto.has(protection.aead)
    : crypto.has(protection.cipher) && crypto.has(protection.mac);
}

function look<T>(option: string, names: readonly string[], find: (name: string) => T | undefined): T[] {
  return names.map((name) => find(name) ?? wrong(option, `there is no ${name}`));
}

/** At least one configuration of our version, in a list that parses. */
function checkEch(read: () => readonly unknown[], option: string): void {
  try {
    if (read().length > 0) return;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
  wrong(option, "this is no ECH configuration of version 0xfe0d");
}

const between = (value: number, min: number, max: number): boolean => value >= min && value <= max;

function wrong(option: string, message: string): never {
  throw tlsFailure("misuse" satisfies TlsReason, option, `${option}: ${message}`);
}

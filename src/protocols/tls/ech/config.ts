import {
  bytes,
  type Codec,
  concat,
  DecodeError,
  decode,
  encode,
  fromUtf8,
  type Of,
  struct,
  u8,
  u16,
  utf8,
  vector,
} from "../../../bytes/index.js";
import type { CryptoProvider, Entropy, Secret } from "../../../contract/index.js";
import { type Hpke, hpke } from "../../../crypto/hpke.js";
import { tlsFailure } from "../failure.js";

/** encrypted_client_hello's version, and its extension's number (draft-ietf-tls-esni §4). */
export const echVersion = 0xfe0d;

const suite = struct({ kdf: u16, aead: u16 });
export type EchSuite = Of<typeof suite>;

const contents = struct({
  configId: u8,
  kem: u16,
  publicKey: bytes(2, { min: 1 }),
  suites: vector(2, suite, { min: 4 }),
  maximumNameLength: u8,
  publicName: bytes(1, { min: 1 }),
  extensions: vector(2, struct({ type: u16, data: bytes(2) })),
});

/** An ECHConfig that we can use, with its own bytes: they are bound into the encryption. */
export interface EchConfig extends Of<typeof contents> {
  readonly bytes: Uint8Array;
}

const anyConfig = struct({ version: u16, contents: bytes(2) });
const configList: Codec<readonly Of<typeof anyConfig>[]> = vector(2, anyConfig, { min: 4 });

/** Configurations of a list that are of our version; throws DecodeError for what is no list. */
export function readEchConfigs(list: Uint8Array): EchConfig[] {
  return decode(configList, list).flatMap(({ version, contents: inside }) =>
    version === echVersion
      ? [{ ...decode(contents, inside), bytes: encode(anyConfig, { version, contents: inside }) }]
      : [],
  );
}

/** A list for clients: HTTPS records, and retry_configs. */
export const writeEchConfigs = (configs: readonly Uint8Array[]): Uint8Array =>
  encode(bytes(2), concat(...configs.map((each) => each)));

/** What a server needs to open what was encrypted to a configuration. */
export interface EchKey {
  /** One ECHConfig, as clients get it. */
  readonly config: Uint8Array;
  readonly privateKey: Secret;
  /** Is it offered to clients that come with another? Old keys are not. Default true. */
  readonly advertised?: boolean;
}

export interface EchKeyOptions {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  /** The name that everyone may see: the client-facing server's, with a certificate of its own. */
  readonly publicName: string;
  /** 0 … 255; different for each key in use. */
  readonly configId: number;
  /** Longest name that hides behind it; names are padded to it. Default 64. */
  readonly maximumNameLength?: number;
}

/** A new key for DHKEM(X25519, HKDF-SHA256), to be used with AES-128-GCM or ChaCha20-Poly1305. */
export function makeEchKey(options: EchKeyOptions): EchKey {
  const scheme = hpke(options.crypto, x25519Kem, ourSuites[0].kdf, ourSuites[0].aead);
  if (scheme === undefined || !isHostName(options.publicName)) {
    throw tlsFailure("misuse", "publicName", `${options.publicName} is no host name (draft-ietf-tls-esni §6.1.7)`);
  }
  const { publicKey, privateKey } = scheme.generate(options.entropy);
  const inside = encode(contents, {
    configId: options.configId,
    kem: x25519Kem,
    publicKey,
    suites: ourSuites,
    maximumNameLength: options.maximumNameLength ?? 64,
    publicName: utf8(options.publicName),
    extensions: [],
  });
  return { config: encode(anyConfig, { version: echVersion, contents: inside }), privateKey };
}

/** What HPKE binds: §6.1. */
export const echInfo = (config: EchConfig): Uint8Array => concat(utf8("tls ech"), Uint8Array.of(0), config.bytes);

export interface UsableConfig {
  readonly config: EchConfig;
  readonly suite: EchSuite;
  readonly hpke: Hpke;
  readonly publicName: string;
}

/** The first configuration that we can use, §4.2 and §6.1.7: mandatory extensions are none that we know. */
export function chooseConfig(crypto: CryptoProvider, list: Uint8Array): UsableConfig | undefined {
  for (const config of readEchConfigs(list)) {
    const publicName = fromUtf8(config.publicName);
    if (publicName === undefined || !isHostName(publicName)) continue;
    if (config.extensions.some(({ type }) => (type & 0x8000) !== 0)) continue;
    for (const each of config.suites) {
      const scheme = hpke(crypto, config.kem, each.kdf, each.aead);
      if (scheme !== undefined && config.publicKey.length === scheme.encSize) {
        return { config, suite: each, hpke: scheme, publicName };
      }
    }
  }
  return undefined;
}

export const x25519Kem = 0x0020;
export const ourSuites = [
  { kdf: 1, aead: 1 },
  { kdf: 1, aead: 3 },
] as const satisfies readonly EchSuite[];

/** LDH labels, and nothing that looks like an address: §6.1.7. */
function isHostName(name: string): boolean {
  const labels = name.split(".");
  const last = labels.at(-1)!;
  return labels.every((label) => /^[a-z0-9-]{1,63}$/i.test(label)) && !/^(\d+|0x[0-9a-f]*)$/i.test(last);
}

const outer = struct({ suite, configId: u8, enc: bytes(2), payload: bytes(2, { min: 1 }) });
export type EchOuter = Of<typeof outer>;

/** ECHClientHello, §5: what is seen from outside, or the mark of what was inside. */
export function readEchExtension(data: Uint8Array): EchOuter | "inner" {
  if (data[0] === 0) return decode(outer, data.subarray(1));
  if (data[0] === 1 && data.length === 1) return "inner";
  throw new DecodeError("neither an inner nor an outer ECHClientHello");
}

export const writeEchOuter = (value: EchOuter): Uint8Array => concat(Uint8Array.of(0), encode(outer, value));
export const echInner = Uint8Array.of(1);

/** Stands in an encoded inner ClientHello for extensions that are those of the outer one: §5.1. */
export const outerExtensionsType = 0xfd00;
export const outerExtensions: Codec<readonly number[]> = vector(1, u16, { min: 2 });

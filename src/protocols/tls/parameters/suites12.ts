import type { AeadName, CipherName, HashName } from "../../../contract/index.js";

/** How the premaster secret comes about (RFC 5246 §7.4.7, RFC 4279, RFC 5489). Static RSA and static DH are not here. */
export type KeyExchange12 = "ECDHE" | "DHE" | "PSK" | "ECDHE_PSK" | "DHE_PSK";

/** Who signs the key exchange: `ECDSA` stands for Ed25519 and Ed448 too (RFC 8422 §5.1.1); `PSK` signs nothing. */
export type Authentication12 = "ECDSA" | "RSA" | "PSK";

/** How records are protected. Sizes are in bytes. */
export type Protection12 =
  | {
      readonly kind: "aead";
      readonly aead: AeadName;
      /** From the key block: the salt of RFC 5288 §3, or the whole nonce of RFC 7905 §2. */
      readonly fixedIvSize: number;
      /** Sent in each record; zero if the nonce is made of the sequence number alone. */
      readonly explicitNonceSize: number;
    }
  /** Always encrypt-then-MAC (RFC 7366). */
  | { readonly kind: "cbc"; readonly cipher: CipherName; readonly mac: HashName };

export interface Suite12 {
  readonly version: "1.2";
  readonly name: Suite12Name;
  readonly id: number;
  readonly keyExchange: KeyExchange12;
  readonly authentication: Authentication12;
  readonly protection: Protection12;
  /** Of the PRF and the handshake's transcript. */
  readonly hash: "SHA-256" | "SHA-384";
}

const explicitNonce = { kind: "aead", fixedIvSize: 4, explicitNonceSize: 8 } as const; // RFC 5288 §3, RFC 6655 §3
const protections = {
  AES_128_GCM_SHA256: { ...explicitNonce, aead: "AES-128-GCM" },
  AES_256_GCM_SHA384: { ...explicitNonce, aead: "AES-256-GCM" },
  CHACHA20_POLY1305_SHA256: { kind: "aead", aead: "ChaCha20-Poly1305", fixedIvSize: 12, explicitNonceSize: 0 },
  AES_128_CCM: { ...explicitNonce, aead: "AES-128-CCM" },
  AES_256_CCM: { ...explicitNonce, aead: "AES-256-CCM" },
  AES_128_CCM_8: { ...explicitNonce, aead: "AES-128-CCM-8" },
  AES_256_CCM_8: { ...explicitNonce, aead: "AES-256-CCM-8" },
  AES_128_CBC_SHA: { kind: "cbc", cipher: "AES-128-CBC", mac: "SHA-1" },
  AES_256_CBC_SHA: { kind: "cbc", cipher: "AES-256-CBC", mac: "SHA-1" },
  AES_128_CBC_SHA256: { kind: "cbc", cipher: "AES-128-CBC", mac: "SHA-256" },
  AES_256_CBC_SHA256: { kind: "cbc", cipher: "AES-256-CBC", mac: "SHA-256" },
  AES_256_CBC_SHA384: { kind: "cbc", cipher: "AES-256-CBC", mac: "SHA-384" },
} as const satisfies Record<string, Protection12>;

const exchanges = {
  ECDHE_ECDSA: { keyExchange: "ECDHE", authentication: "ECDSA" },
  ECDHE_RSA: { keyExchange: "ECDHE", authentication: "RSA" },
  DHE_RSA: { keyExchange: "DHE", authentication: "RSA" },
  ECDHE_PSK: { keyExchange: "ECDHE_PSK", authentication: "PSK" },
  DHE_PSK: { keyExchange: "DHE_PSK", authentication: "PSK" },
  PSK: { keyExchange: "PSK", authentication: "PSK" },
} as const satisfies Record<string, Pick<Suite12, "keyExchange" | "authentication">>;

const row = <N extends string>(
  name: N,
  id: number,
  exchange: keyof typeof exchanges,
  protection: keyof typeof protections,
): { version: "1.2"; name: N; id: number } & Pick<
  Suite12,
  "keyExchange" | "authentication" | "protection" | "hash"
> => ({
  version: "1.2",
  name,
  id,
  ...exchanges[exchange],
  protection: protections[protection],
  hash: protection.endsWith("SHA384") ? "SHA-384" : "SHA-256",
});

/**
 * Every suite of TLS 1.2 that we speak (RFC 5288, 5289, 5487, 5489, 6655, 7251, 7905, 8442), in our order of preference:
 * forward secret before not, AEAD before CBC, whole tags before short ones. Which of them are used is the
 * application's choice.
 */
export const suites12 = [
  row("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xc02b, "ECDHE_ECDSA", "AES_128_GCM_SHA256"),
  row("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xc02f, "ECDHE_RSA", "AES_128_GCM_SHA256"),
  row("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 0xc02c, "ECDHE_ECDSA", "AES_256_GCM_SHA384"),
  row("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0xc030, "ECDHE_RSA", "AES_256_GCM_SHA384"),
  row("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca9, "ECDHE_ECDSA", "CHACHA20_POLY1305_SHA256"),
  row("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca8, "ECDHE_RSA", "CHACHA20_POLY1305_SHA256"),
  row("TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256", 0xd001, "ECDHE_PSK", "AES_128_GCM_SHA256"),
  row("TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384", 0xd002, "ECDHE_PSK", "AES_256_GCM_SHA384"),
  row("TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256", 0xccac, "ECDHE_PSK", "CHACHA20_POLY1305_SHA256"),
  row("TLS_ECDHE_ECDSA_WITH_AES_128_CCM", 0xc0ac, "ECDHE_ECDSA", "AES_128_CCM"),
  row("TLS_ECDHE_ECDSA_WITH_AES_256_CCM", 0xc0ad, "ECDHE_ECDSA", "AES_256_CCM"),
  row("TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256", 0xd005, "ECDHE_PSK", "AES_128_CCM"),
  row("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", 0x009e, "DHE_RSA", "AES_128_GCM_SHA256"),
  row("TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", 0x009f, "DHE_RSA", "AES_256_GCM_SHA384"),
  row("TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xccaa, "DHE_RSA", "CHACHA20_POLY1305_SHA256"),
  row("TLS_DHE_RSA_WITH_AES_128_CCM", 0xc09e, "DHE_RSA", "AES_128_CCM"),
  row("TLS_DHE_RSA_WITH_AES_256_CCM", 0xc09f, "DHE_RSA", "AES_256_CCM"),
  row("TLS_DHE_PSK_WITH_AES_128_GCM_SHA256", 0x00aa, "DHE_PSK", "AES_128_GCM_SHA256"),
  row("TLS_DHE_PSK_WITH_AES_256_GCM_SHA384", 0x00ab, "DHE_PSK", "AES_256_GCM_SHA384"),
  row("TLS_DHE_PSK_WITH_CHACHA20_POLY1305_SHA256", 0xccad, "DHE_PSK", "CHACHA20_POLY1305_SHA256"),
  row("TLS_DHE_PSK_WITH_AES_128_CCM", 0xc0a6, "DHE_PSK", "AES_128_CCM"),
  row("TLS_DHE_PSK_WITH_AES_256_CCM", 0xc0a7, "DHE_PSK", "AES_256_CCM"),
  row("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", 0xc023, "ECDHE_ECDSA", "AES_128_CBC_SHA256"),
  row("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", 0xc027, "ECDHE_RSA", "AES_128_CBC_SHA256"),
  row("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", 0xc024, "ECDHE_ECDSA", "AES_256_CBC_SHA384"),
  row("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", 0xc028, "ECDHE_RSA", "AES_256_CBC_SHA384"),
  row("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", 0xc009, "ECDHE_ECDSA", "AES_128_CBC_SHA"),
  row("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", 0xc013, "ECDHE_RSA", "AES_128_CBC_SHA"),
  row("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", 0xc00a, "ECDHE_ECDSA", "AES_256_CBC_SHA"),
  row("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 0xc014, "ECDHE_RSA", "AES_256_CBC_SHA"),
  row("TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256", 0xc037, "ECDHE_PSK", "AES_128_CBC_SHA256"),
  row("TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA384", 0xc038, "ECDHE_PSK", "AES_256_CBC_SHA384"),
  row("TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA", 0xc035, "ECDHE_PSK", "AES_128_CBC_SHA"),
  row("TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA", 0xc036, "ECDHE_PSK", "AES_256_CBC_SHA"),
  row("TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", 0x0067, "DHE_RSA", "AES_128_CBC_SHA256"),
  row("TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", 0x006b, "DHE_RSA", "AES_256_CBC_SHA256"),
  row("TLS_DHE_RSA_WITH_AES_128_CBC_SHA", 0x0033, "DHE_RSA", "AES_128_CBC_SHA"),
  row("TLS_DHE_RSA_WITH_AES_256_CBC_SHA", 0x0039, "DHE_RSA", "AES_256_CBC_SHA"),
  row("TLS_DHE_PSK_WITH_AES_128_CBC_SHA256", 0x00b2, "DHE_PSK", "AES_128_CBC_SHA256"),
  row("TLS_DHE_PSK_WITH_AES_256_CBC_SHA384", 0x00b3, "DHE_PSK", "AES_256_CBC_SHA384"),
  row("TLS_DHE_PSK_WITH_AES_128_CBC_SHA", 0x0090, "DHE_PSK", "AES_128_CBC_SHA"),
  row("TLS_DHE_PSK_WITH_AES_256_CBC_SHA", 0x0091, "DHE_PSK", "AES_256_CBC_SHA"),
  row("TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", 0xc0ae, "ECDHE_ECDSA", "AES_128_CCM_8"),
  row("TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8", 0xc0af, "ECDHE_ECDSA", "AES_256_CCM_8"),
  row("TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256", 0xd003, "ECDHE_PSK", "AES_128_CCM_8"),
  row("TLS_DHE_RSA_WITH_AES_128_CCM_8", 0xc0a2, "DHE_RSA", "AES_128_CCM_8"),
  row("TLS_DHE_RSA_WITH_AES_256_CCM_8", 0xc0a3, "DHE_RSA", "AES_256_CCM_8"),
  row("TLS_PSK_DHE_WITH_AES_128_CCM_8", 0xc0aa, "DHE_PSK", "AES_128_CCM_8"),
  row("TLS_PSK_DHE_WITH_AES_256_CCM_8", 0xc0ab, "DHE_PSK", "AES_256_CCM_8"),
  row("TLS_PSK_WITH_AES_128_GCM_SHA256", 0x00a8, "PSK", "AES_128_GCM_SHA256"),
  row("TLS_PSK_WITH_AES_256_GCM_SHA384", 0x00a9, "PSK", "AES_256_GCM_SHA384"),
  row("TLS_PSK_WITH_CHACHA20_POLY1305_SHA256", 0xccab, "PSK", "CHACHA20_POLY1305_SHA256"),
  row("TLS_PSK_WITH_AES_128_CCM", 0xc0a4, "PSK", "AES_128_CCM"),
  row("TLS_PSK_WITH_AES_256_CCM", 0xc0a5, "PSK", "AES_256_CCM"),
  row("TLS_PSK_WITH_AES_128_CBC_SHA256", 0x00ae, "PSK", "AES_128_CBC_SHA256"),
  row("TLS_PSK_WITH_AES_256_CBC_SHA384", 0x00af, "PSK", "AES_256_CBC_SHA384"),
  row("TLS_PSK_WITH_AES_128_CBC_SHA", 0x008c, "PSK", "AES_128_CBC_SHA"),
  row("TLS_PSK_WITH_AES_256_CBC_SHA", 0x008d, "PSK", "AES_256_CBC_SHA"),
  row("TLS_PSK_WITH_AES_128_CCM_8", 0xc0a8, "PSK", "AES_128_CCM_8"),
  row("TLS_PSK_WITH_AES_256_CCM_8", 0xc0a9, "PSK", "AES_256_CCM_8"),
] as const;

export type Suite12Name = (typeof suites12)[number]["name"];

export const suite12ById: ReadonlyMap<number, Suite12> = new Map(suites12.map((suite) => [suite.id, suite]));
export const suite12ByName: ReadonlyMap<string, Suite12> = new Map(suites12.map((suite) => [suite.name, suite]));

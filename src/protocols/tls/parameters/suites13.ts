import type { AeadName, HashName } from "../../../contract/index.js";

export interface Suite13 {
  readonly version: "1.3";
  readonly name: Suite13Name;
  readonly id: number;
  readonly aead: AeadName;
  readonly hash: HashName & ("SHA-256" | "SHA-384");
  /** Records that one key may seal (RFC 9846 §5.5; for CCM the AEAD limits of RFC 9147 §4.5.3). */
  readonly recordsMax: number;
}

const row = <N extends string>(
  name: N,
  id: number,
  aead: AeadName,
  hash: "SHA-256" | "SHA-384",
  recordsMax: number,
): { version: "1.3"; name: N; id: number; aead: AeadName; hash: "SHA-256" | "SHA-384"; recordsMax: number } => ({
  version: "1.3",
  name,
  id,
  aead,
  hash,
  recordsMax,
});

const gcmMax = Math.floor(2 ** 24.5);

/** RFC 9846 Appendix B.4, in our order of preference. */
export const suites13 = [
  row("TLS_AES_128_GCM_SHA256", 0x1301, "AES-128-GCM", "SHA-256", gcmMax),
  row("TLS_AES_256_GCM_SHA384", 0x1302, "AES-256-GCM", "SHA-384", gcmMax),
  row("TLS_CHACHA20_POLY1305_SHA256", 0x1303, "ChaCha20-Poly1305", "SHA-256", 2 ** 48),
  row("TLS_AES_128_CCM_SHA256", 0x1304, "AES-128-CCM", "SHA-256", 2 ** 23),
  row("TLS_AES_128_CCM_8_SHA256", 0x1305, "AES-128-CCM-8", "SHA-256", 2 ** 23),
] as const;

export type Suite13Name = (typeof suites13)[number]["name"];

export const suite13ById: ReadonlyMap<number, Suite13> = new Map(suites13.map((suite) => [suite.id, suite]));
export const suite13ByName: ReadonlyMap<string, Suite13> = new Map(suites13.map((suite) => [suite.name, suite]));

import { expandLabel, nonceOf, opened, type WitnessCipher } from "../../stage/witness.js";

/** A record as a witness with one side's secret sees it. */
export interface WitnessedRecord {
  /** Of the keys that opened it: 0 before the first KeyUpdate. */
  readonly generation: number;
  /** ContentType inside the protection: 21 alert, 22 handshake, 23 application data. */
  readonly contentType: number;
  readonly content: Uint8Array;
  /** True if the keys of the generation before open it too; then nothing really changed. */
  readonly opensUnderOldKeys: boolean;
}

const suites: Readonly<
  Record<string, { readonly cipher: WitnessCipher; readonly keySize: number; readonly hash: string }>
> = {
  TLS_AES_128_GCM_SHA256: { cipher: "aes-128-gcm", keySize: 16, hash: "sha256" },
  TLS_AES_256_GCM_SHA384: { cipher: "aes-256-gcm", keySize: 32, hash: "sha384" },
  TLS_CHACHA20_POLY1305_SHA256: { cipher: "chacha20-poly1305", keySize: 32, hash: "sha256" },
};

/**
 * Opens the application records of one direction of TLS 1.3, from the bytes on the wire and the secret in the key log.
 */
export function witness(wire: Uint8Array, suite: string, secret: Uint8Array): readonly WitnessedRecord[] {
  const parameters = suites[suite];
  if (parameters === undefined) throw new Error(`the witness does not know ${suite}`);
  const { cipher, keySize, hash } = parameters;
  const keysOf = (from: Uint8Array): Keys => ({
    secret: from,
    key: expandLabel(hash, from, "tls13 key", keySize),
    iv: expandLabel(hash, from, "tls13 iv", 12),
    sequence: 0,
  });
  const next = (keys: Keys): Keys => keysOf(expandLabel(hash, keys.secret, "tls13 traffic upd", keys.secret.length));

  const seen: WitnessedRecord[] = [];
  let old: Keys | undefined;
  let current = keysOf(secret);
  let generation = 0;
  for (const record of recordsOf(wire)) {
    let plain = open(cipher, current, record);
    if (plain === undefined && seen.length > 0) {
      const newer = next(current);
      plain = open(cipher, newer, record);
      if (plain === undefined) continue;
      old = current;
      current = newer;
      generation++;
    }
    // Before the first record that opens, everything is of the handshake's keys.
    if (plain === undefined) continue;
    const opensUnderOldKeys = old !== undefined && open(cipher, old, record) !== undefined;
    current.sequence++;
    let end = plain.length;
    while (end > 0 && plain[end - 1] === 0) end--;
    seen.push({ generation, contentType: plain[end - 1] ?? 0, content: plain.subarray(0, end - 1), opensUnderOldKeys });
  }
  return seen;
}

interface Keys {
  readonly secret: Uint8Array;
  readonly key: Uint8Array;
  readonly iv: Uint8Array;
  sequence: number;
}

const headerSize = 5;
const applicationData = 23;

function* recordsOf(wire: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at + headerSize <= wire.length; ) {
    const size = headerSize + ((wire[at + 3]! << 8) | wire[at + 4]!);
    if (wire[at] === applicationData && at + size <= wire.length) yield wire.subarray(at, at + size);
    at += size;
  }
}

/** RFC 9846 §5.2. */
const open = (cipher: WitnessCipher, { key, iv, sequence }: Keys, record: Uint8Array): Uint8Array | undefined =>
  opened(cipher, key, nonceOf(iv, sequence), record.subarray(0, headerSize), record.subarray(headerSize));

import { createCipheriv } from "node:crypto";
import { expandLabel, nonceOf, opened } from "../../stage/witness.js";

/** A record of 1.3 as a witness with one side's secret sees it. */
export interface WitnessedRecord {
  /** Of the keys that opened it: 0 before the first key update. */
  readonly generation: number;
  /** True if the keys of the generation before open it too; then nothing really changed. */
  readonly opensUnderOldKeys: boolean;
  readonly contentType: number;
  readonly content: Uint8Array;
}

interface Keys {
  readonly key: Uint8Array;
  readonly iv: Uint8Array;
  readonly number: Uint8Array;
}

/** Application data begin with this epoch, and each update is one more (RFC 9147 §6.1). */
const firstEpoch = 3;

/**
 * Opens the application's records of one direction of DTLS 1.3 under TLS_AES_128_GCM_SHA256, without connection IDs, from the
 * datagrams on the wire and the secret in the key log (RFC 9147 §4). It is for few records: their numbers are below 2^16.
 */
export function witness(datagrams: readonly Uint8Array[], secret: Uint8Array): readonly WitnessedRecord[] {
  const generations = [secret];
  const keys = (generation: number): Keys => {
    while (generations.length <= generation) generations.push(expand(generations.at(-1)!, "traffic upd", 32));
    const from = generations[generation]!;
    return { key: expand(from, "key", 16), iv: expand(from, "iv", 12), number: expand(from, "sn", 16) };
  };
  const seen: WitnessedRecord[] = [];
  for (const record of datagrams.flatMap(recordsOf)) {
    // Two bits of the epoch are in the clear: enough for the few that there are here.
    const generation = ((record[0]! & 3) - firstEpoch + 4) & 3;
    const plain = open(keys(generation), record);
    if (plain === undefined) continue;
    let end = plain.length - 1;
    while (end >= 0 && plain[end] === 0) end--;
    const opensUnderOldKeys = generation > 0 && open(keys(generation - 1), record) !== undefined;
    seen.push({ generation, opensUnderOldKeys, contentType: plain[end]!, content: plain.subarray(0, end) });
  }
  return seen;
}

/** Records under the unified header, with lengths, behind whatever plain ones there are. */
function recordsOf(datagram: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let at = 0; at + 13 <= datagram.length; ) {
    const isSealed = (datagram[at]! & 0xe0) === 0x20;
    const header = isSealed ? 5 : 13;
    const end = at + header + ((datagram[at + header - 2]! << 8) | datagram[at + header - 1]!);
    if (isSealed) records.push(datagram.slice(at, end));
    at = end;
  }
  return records;
}

function open({ key, iv, number }: Keys, record: Uint8Array): Uint8Array | undefined {
  const sealed = record.subarray(5);
  if (sealed.length < 16) return undefined;
  const mask = createCipheriv("aes-128-ecb", number, null).setAutoPadding(false).update(sealed.subarray(0, 16));
  const header = record.slice(0, 5);
  for (const i of [0, 1]) header[1 + i]! ^= mask[i]!;
  return opened("aes-128-gcm", key, nonceOf(iv, (header[1]! << 8) | header[2]!), header, sealed);
}

const expand = (secret: Uint8Array, label: string, size: number): Uint8Array =>
  expandLabel("sha256", secret, `dtls13${label}`, size);

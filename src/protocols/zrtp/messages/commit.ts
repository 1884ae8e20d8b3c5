import { DecodeError, type Reader } from "../../../bytes/index.js";
import type { Choice } from "../algorithms.js";
import { block, decoded, frame, imageSize, macSize, text, zidSize } from "./frame.js";

export const hviSize = 32;
export const nonceSize = 16;
export const keyIdSize = 8;

/** §5.4, Figures 5 to 7. What follows the choice says which of the three it is. */
export interface CommitMessage {
  readonly h2: Uint8Array;
  readonly zid: Uint8Array;
  /** Blocks of four characters, known or not. */
  readonly choice: Readonly<Record<keyof Choice, string>>;
  /** hvi of DH mode, or the nonce of the others: what settles who is the initiator (§4.2). */
  readonly value: Uint8Array;
  /** Of Preshared mode alone. */
  readonly keyId: Uint8Array | undefined;
  readonly mac: Uint8Array;
}

/** The message without its MAC. `value` is hvi, a nonce, or a nonce and a keyID. */
export function encodeCommit(
  h2: Uint8Array,
  zid: Uint8Array,
  choice: Choice,
  ...value: readonly Uint8Array[]
): Uint8Array {
  return frame("Commit", (writer) => {
    writer.put(h2).put(zid);
    const { hash, cipher, authTag, keyAgreement, sas } = choice;
    for (const name of [hash, cipher, authTag, keyAgreement, sas]) writer.put(block(name));
    for (const part of value) writer.put(part);
    writer.put(new Uint8Array(macSize));
  });
}

export const decodeCommit = (message: Uint8Array): CommitMessage | undefined => decoded(message, readCommit);

function readCommit(reader: Reader): CommitMessage {
  const h2 = reader.take(imageSize);
  const zid = reader.take(zidSize);
  const [hash, cipher, authTag, keyAgreement, sas] = [0, 0, 0, 0, 0].map(() => text(reader.take(4))) as [
    string,
    string,
    string,
    string,
    string,
  ];
  const isPreshared = keyAgreement === "Prsh";
  const value = reader.take(isPreshared || keyAgreement === "Mult" ? nonceSize : hviSize);
  const keyId = isPreshared ? reader.take(keyIdSize) : undefined;
  if (reader.left !== macSize) throw new DecodeError("a Commit of another length than its key agreement has");
  return { h2, zid, choice: { hash, cipher, authTag, keyAgreement, sas }, value, keyId, mac: reader.take(macSize) };
}

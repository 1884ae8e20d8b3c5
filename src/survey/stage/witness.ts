import { createDecipheriv, createHmac } from "node:crypto";

/** What witnesses on a wire need. They share no code with the protocols: what they open, anyone with the secret could. */

export type WitnessCipher = "aes-128-gcm" | "aes-256-gcm" | "chacha20-poly1305";

/** Bytes of every cipher's tag. */
export const tagSize = 16;

/** The secret of a label in the lines of a key log. */
export function secretOf(lines: readonly string[], label: string): Uint8Array {
  const line = lines.find((each) => each.startsWith(`${label} `));
  if (line === undefined) throw new Error(`the key log has no ${label}`);
  return Buffer.from(line.split(" ")[2]!, "hex");
}

/**
 * HKDF-Expand-Label with an empty context (RFC 9846 §7.1), for outputs of at most one block.
 * @param label - the whole label: "tls13 key"
 */
export function expandLabel(hash: string, secret: Uint8Array, label: string, size: number): Uint8Array {
  const name = Buffer.from(label);
  const info = Buffer.concat([Buffer.from([size >> 8, size & 255, name.length]), name, Buffer.from([0, 1])]);
  return createHmac(hash, secret).update(info).digest().subarray(0, size);
}

/** The number of a packet or record in the last bytes of its initialization vector (RFC 9846 §5.3, RFC 9001 §5.3). */
export function nonceOf(iv: Uint8Array, number: number): Uint8Array {
  const nonce = Uint8Array.from(iv);
  for (let at = nonce.length - 1, left = number; left > 0; at--, left = Math.floor(left / 256))
    nonce[at]! ^= left % 256;
  return nonce;
}

/** Opens with the tag at the end; undefined if the key is another. */
export function opened(
  cipher: WitnessCipher,
  key: Uint8Array,
  nonce: Uint8Array,
  header: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  if (sealed.length <= tagSize) return undefined;
  // The three share a shape that Node's types give to GCM alone.
  const decipher = createDecipheriv(cipher as "aes-128-gcm", key, nonce, { authTagLength: tagSize });
  decipher.setAAD(header).setAuthTag(sealed.subarray(-tagSize));
  const plain = decipher.update(sealed.subarray(0, -tagSize));
  try {
    decipher.final();
    return plain;
  } catch {
    return undefined;
  }
}

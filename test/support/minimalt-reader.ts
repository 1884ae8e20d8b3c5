import { hsalsa, xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { sha256 } from "@noble/hashes/sha2.js";

// A second reading of MinimaLT's packets, written from the paper and the room's README with noble's primitives alone: nothing of the
// room's own code is used here, so that what both read alike is not one mistake made twice.

export interface ReadRpc {
  readonly connection: number;
  /** Of the control connection: the function's number. */
  readonly f?: number;
  readonly body: Uint8Array;
}

export interface ReadPacket {
  readonly tid: string;
  readonly nonce: bigint;
  readonly key?: Uint8Array;
  readonly puzzle?: Uint8Array;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly rpcs: readonly ReadRpc[];
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** crypto_box_beforenm. */
export function beforenm(secret: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const shared = x25519.getSharedSecret(secret, publicKey);
  const words = (bytes: Uint8Array): Uint32Array => new Uint32Array(Uint8Array.from(bytes).buffer);
  const out = new Uint32Array(8);
  hsalsa(words(Buffer.from("expand 32-byte k")), words(shared), words(new Uint8Array(16)), out);
  return new Uint8Array(out.buffer);
}

/** k2 = Hash(k1). */
export const nextKey = (key: Uint8Array): Uint8Array => sha256(key);

/** Where a direction's sequence numbers begin. */
export function firstSequence(key: Uint8Array, side: "client" | "server"): number {
  return Buffer.from(sha256(Buffer.concat([key, Buffer.from(`${side} sequence`)]))).readUInt32BE(0);
}

export function readPacket(packet: Uint8Array, key: Uint8Array): ReadPacket {
  const bytes = Buffer.from(packet);
  const hasKey = (bytes[0]! & 0x80) !== 0;
  const hasPuzzle = (bytes[0]! & 0x40) !== 0;
  const tid = Buffer.from(bytes.subarray(0, 8));
  tid[0]! &= 0x3f;
  let at = 16;
  const clear = hasKey ? bytes.subarray(at, (at += 32)) : undefined;
  const puzzle = hasPuzzle ? bytes.subarray(at, (at += 148)) : undefined;
  const nonce = Buffer.concat([Buffer.from("minimaLT"), tid, bytes.subarray(8, 16)]);
  const plain = Buffer.from(xsalsa20poly1305(key, nonce).decrypt(bytes.subarray(at)));
  const rpcs: ReadRpc[] = [];
  for (let next = 8; next < plain.length; ) {
    const connection = plain.readUInt32BE(next);
    const size = plain.readUInt16BE(next + 4);
    const body = plain.subarray(next + 6, next + 6 + size);
    if (body.length !== size) throw new Error("an RPC is cut off");
    rpcs.push(connection === 0 ? { connection, f: body[0]!, body: body.subarray(1) } : { connection, body });
    next += 6 + size;
  }
  return {
    tid: hex(tid),
    nonce: bytes.readBigUInt64BE(8),
    ...(clear && { key: clear }),
    ...(puzzle && { puzzle }),
    sequence: plain.readUInt32BE(0),
    acknowledgement: plain.readUInt32BE(4),
    rpcs,
  };
}

/** A puzzle's packet: q, H(r), w, n', eight zeros. */
export function readPuzzlePacket(packet: Uint8Array): { q: Uint8Array; H: Uint8Array; w: number; n: Uint8Array } {
  const bytes = Buffer.from(packet);
  if (bytes.length !== 164 || (bytes[0]! & 0xc0) !== 0x40) throw new Error("no puzzle");
  return {
    q: bytes.subarray(16, 96),
    H: bytes.subarray(96, 128),
    w: bytes.readUInt32BE(128),
    n: bytes.subarray(132, 156),
  };
}

/** r, by trying every value of the w bits. */
export function solve({ q, H, w }: { q: Uint8Array; H: Uint8Array; w: number }): Uint8Array | undefined {
  const r = Buffer.from(q);
  const base = r.readUInt32BE(76);
  for (let i = 0; i < 2 ** w; i++) {
    r.writeUInt32BE((base | i) >>> 0, 76);
    if (hex(sha256(r)) === hex(H)) return r;
  }
  return undefined;
}

/** A certificate of either kind: what it says, and whether the key has signed that. */
export function readSigned(
  certificate: Uint8Array,
  label: string,
  key: Uint8Array,
): { body: Buffer; isSigned: boolean } {
  const bytes = Buffer.from(certificate);
  const size = bytes.readUInt16BE(0);
  const body = bytes.subarray(2, 2 + size);
  const signature = bytes.subarray(2 + size);
  const message = Buffer.concat([Buffer.from(`${label}\0`), body]);
  return { body, isSigned: signature.length === 64 && ed25519.verify(signature, message, key) };
}

import type { CryptoProvider, Entropy, Instant, SocketAddress } from "../../../contract/index.js";
import { TokenBucket } from "../../../mechanisms/token-bucket.js";
import type { Boxes } from "../handshake/boxes.js";
import { limits } from "../limits.js";
import { encodeMessage } from "../messages/message.js";
import { Tag } from "../messages/tags.js";
import { cidSize } from "../wire/header.js";
import { putU32 } from "../wire/numbers.js";
import type { Version } from "../wire/versions.js";

export interface StatelessDatagram {
  readonly bytes: Uint8Array;
  readonly from: SocketAddress;
  readonly to: SocketAddress;
}

/** The least that looks like a packet. */
const resetMin = 25;

/** What a server says to whom it keeps nothing of: which versions there are, and that a connection is not known. */
export class StatelessAnswers {
  readonly #entropy: Entropy;
  readonly #boxes: Boxes;
  readonly #bucket: TokenBucket;
  readonly #queue: StatelessDatagram[] = [];

  constructor(_crypto: CryptoProvider, entropy: Entropy, boxes: Boxes, now: Instant) {
    this.#entropy = entropy;
    this.#boxes = boxes;
    this.#bucket = new TokenBucket(limits.statelessPerSecond, limits.statelessPerSecond, now);
  }

  next(): StatelessDatagram | undefined {
    return this.#queue.shift();
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** @param form - in which the client spoke: its ids stand behind one byte of both sizes, or each behind its own */
  negotiate(
    form: "public" | "nibbles" | "sizes",
    cid: Uint8Array,
    versions: readonly Version[],
    from: SocketAddress,
    to: SocketAddress,
    now: Instant,
  ): boolean {
    const head =
      form === "public"
        ? [0x09, ...cid]
        : [
            0x80 | (this.#entropy.fill(new Uint8Array(1))[0]! & 0x7f),
            0,
            0,
            0,
            0,
            ...(form === "nibbles" ? [0x05] : [0, cidSize]),
            ...cid,
          ];
    const bytes = new Uint8Array(head.length + 4 * versions.length);
    bytes.set(head);
    versions.forEach(({ code }, i) => void putU32(bytes, head.length + 4 * i, code));
    return this.#push({ bytes, from, to }, now);
  }

  /** Of public headers: a message that proves nothing. */
  publicReset(cid: Uint8Array, from: SocketAddress, to: SocketAddress, now: Instant): boolean {
    const nonce = this.#entropy.fill(new Uint8Array(8));
    const message = encodeMessage(Tag.PRST, new Map([[Tag.RNON, nonce]]));
    const bytes = new Uint8Array(1 + cidSize + message.length);
    bytes[0] = 0x0a;
    bytes.set(cid, 1);
    bytes.set(message, 1 + cidSize);
    return this.#push({ bytes, from, to }, now);
  }

  /** IETF QUIC's: what looks like any packet, and ends with a token. Always shorter than what it answers. */
  statelessReset(cid: Uint8Array, size: number, from: SocketAddress, to: SocketAddress, now: Instant): boolean {
    if (size <= resetMin) return false;
    const bytes = this.#entropy.fill(new Uint8Array(Math.min(size - 1, 40)));
    bytes[0] = 0x40 | (bytes[0]! & 0x3f);
    bytes.set(this.#boxes.resetToken(cid), bytes.length - 16);
    return this.#push({ bytes, from, to }, now);
  }

  #push(datagram: StatelessDatagram, now: Instant): boolean {
    if (this.#queue.length >= limits.statelessQueueMax || !this.#bucket.take(now)) return false;
    this.#queue.push({ ...datagram, from: { ...datagram.from }, to: { ...datagram.to } });
    return true;
  }
}

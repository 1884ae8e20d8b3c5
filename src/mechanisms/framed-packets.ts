/** Bytes of a frame's length, and the longest packet that fits it (RFC 4571 §2). */
export const frameHeaderSize = 2;
export const framedPacketMax = 65_535;

/** Writes the length in front of a packet of `size` bytes: the packet stands behind it. */
export function putFrameHeader(into: Uint8Array, at: number, size: number): void {
  into[at] = size >>> 8;
  into[at + 1] = size;
}

/**
 * Takes packets out of a byte stream in which each stands behind its length (RFC 4571): RTP, RTCP, and DTLS and STUN beside
 * them (RFC 7850, RFC 6544). What lies whole in a chunk is not copied; no more than one packet is kept.
 */
export class FramedPackets {
  readonly #take: (packet: Uint8Array) => void;
  #partial = new Uint8Array(0);
  #have = 0;

  /** @param take is lent each packet, which it may overwrite; null packets are skipped */
  constructor(take: (packet: Uint8Array) => void) {
    this.#take = take;
  }

  /** Is a packet cut in the middle? At the stream's end it should not be. */
  get isPartial(): boolean {
    return this.#have > 0;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#have === 0) {
        const left = chunk.length - at;
        const size = left < frameHeaderSize ? framedPacketMax : (chunk[at]! << 8) | chunk[at + 1]!;
        if (left >= frameHeaderSize + size) {
          const start = at + frameHeaderSize;
          at = start + size;
          if (size > 0) this.#take(chunk.subarray(start, at));
          continue;
        }
      }
      at = this.#keep(chunk, at);
    }
  }

  /** Adds what is missing of a frame, as far as it is there; answers where it went on. */
  #keep(chunk: Uint8Array, at: number): number {
    if (this.#partial.length === 0) this.#partial = new Uint8Array(frameHeaderSize + framedPacketMax);
    const partial = this.#partial;
    let next = at;
    while (this.#have < frameHeaderSize && next < chunk.length) partial[this.#have++] = chunk[next++]!;
    if (this.#have < frameHeaderSize) return next;
    const whole = frameHeaderSize + ((partial[0]! << 8) | partial[1]!);
    const part = chunk.subarray(next, next + whole - this.#have);
    partial.set(part, this.#have);
    this.#have += part.length;
    next += part.length;
    if (this.#have === whole) {
      this.#have = 0;
      if (whole > frameHeaderSize) this.#take(partial.subarray(frameHeaderSize, whole));
    }
    return next;
  }
}

import type { CryptoProvider, Entropy, Instant, SocketAddress } from "../../../contract/index.js";
import { TokenBucket } from "../../../mechanisms/token-bucket.js";
import type { ResetTokens } from "../cids/index.js";
import { limits } from "../limits.js";
import { initialProtection, protectHeader, tagSize, writePacketNumber } from "../protection/protection.js";
import { retryTag } from "../protection/retry.js";
import { PacketType, type Version } from "../protection/versions.js";
import { putClose } from "../wire/frame-writers.js";
import { patchLength, putLongHeader, retryPacket, versionNegotiationPacket } from "../wire/header.js";

export interface StatelessDatagram {
  readonly bytes: Uint8Array;
  readonly from: SocketAddress;
  readonly to: SocketAddress;
}

const none = new Uint8Array(0);

/** What an endpoint answers to packets that belong to no connection, without keeping anything of them. */
export class StatelessAnswers {
  readonly #crypto: CryptoProvider;
  readonly #entropy: Entropy;
  readonly #resets: TokenBucket;
  readonly #queue: StatelessDatagram[] = [];

  constructor(crypto: CryptoProvider, entropy: Entropy, now: Instant) {
    this.#crypto = crypto;
    this.#entropy = entropy;
    this.#resets = new TokenBucket(limits.resetsPerSecond, limits.resetsPerSecond, now);
  }

  next(): StatelessDatagram | undefined {
    return this.#queue.shift();
  }

  /** RFC 9000 §6.1. The list has a reserved version in it, so that clients ignore what they do not know (§6.3). */
  negotiateVersion(
    dcid: Uint8Array,
    scid: Uint8Array,
    versions: readonly Version[],
    from: SocketAddress,
    to: SocketAddress,
  ): void {
    const random = this.#random(5);
    const reserved =
      (((random[1]! << 24) | (random[2]! << 16) | (random[3]! << 8) | random[4]!) & 0xf0f0f0f0) | 0x0a0a0a0a;
    const codes = [...versions.map(({ code }) => code), reserved >>> 0];
    this.#push(versionNegotiationPacket(scid, dcid, codes, random[0]!), from, to);
  }

  /** RFC 9000 §8.1.2: come again, with this token, to this id. */
  retry(
    version: Version,
    originalDcid: Uint8Array,
    scid: Uint8Array,
    newId: Uint8Array,
    token: Uint8Array,
    from: SocketAddress,
    to: SocketAddress,
  ): void {
    const packet = retryPacket(version, scid, newId, token, this.#random(1)[0]!);
    const whole = new Uint8Array(packet.length + tagSize);
    whole.set(packet);
    whole.set(retryTag(this.#crypto, version, originalDcid, packet), packet.length);
    this.#push(whole, from, to);
  }

  /** CONNECTION_CLOSE in an Initial packet, for a client that is not let in (RFC 9000 §5.2.2). */
  refuse(
    version: Version,
    dcid: Uint8Array,
    scid: Uint8Array,
    code: number,
    from: SocketAddress,
    to: SocketAddress,
  ): void {
    const { read, write } = initialProtection(this.#crypto, version, dcid, "server");
    const packet = new Uint8Array(128);
    const numberAt = putLongHeader(packet, 0, version, PacketType.initial, scid, dcid, none, 2, true);
    writePacketNumber(packet, numberAt, 2, 0);
    const payload = numberAt + 2;
    const end = putClose(packet, payload, packet.length - tagSize, code, 0, none);
    patchLength(packet, numberAt, end + tagSize);
    write.packet.seal(packet, 0, payload, end, 0);
    protectHeader(write.header, packet, 0, numberAt, 2);
    read.destroy();
    write.destroy();
    this.#push(packet.slice(0, end + tagSize), from, to);
  }

  /**
   * RFC 9000 §10.3: looks like any packet, and ends with the token. Always shorter than what it answers, so that two ends
   * cannot reset each other for ever (§10.3.3).
   */
  reset(
    tokens: ResetTokens,
    dcid: Uint8Array,
    receivedSize: number,
    from: SocketAddress,
    to: SocketAddress,
    now: Instant,
  ): void {
    const size = Math.min(receivedSize - 1, 43);
    if (size < 21 || !this.#resets.take(now)) return;
    const packet = this.#random(size);
    packet[0] = 0x40 | (packet[0]! & 0x3f);
    packet.set(tokens.of(dcid), size - 16);
    this.#push(packet, from, to);
  }

  #push(bytes: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    if (this.#queue.length < limits.statelessQueueMax) this.#queue.push({ bytes, from, to });
  }

  #random(size: number): Uint8Array {
    return this.#entropy.fill(new Uint8Array(size));
  }
}

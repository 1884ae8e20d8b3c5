import { SrtpContext, type SrtpContextOptions } from "./context.js";
import { type DropReason, failure } from "./failure.js";
import { checkMasterKey, type MasterKey } from "./keys.js";
import { masterKeysMax, packetSizeMax } from "./limits.js";
import type { Master } from "./master.js";
import { indexMax } from "./source.js";
import { encryptedFlag } from "./transforms/transform.js";
import { cryptexBody, hasHeaderToHide, isCryptex, unmarkCryptex } from "./wire/cryptex.js";
import { indexSize, isRtcp, rtcpLayout, rtpHeaderSize, rtpLayout, u16, u32 } from "./wire/layout.js";

/** Keys that are tried one after the other when there is no MKI to tell: the one in use and the one before or after. */
const keysWithoutMki = 2;

/** SRTP's receiving direction: gives back RTP and RTCP packets in place, each at most once. */
export class SrtpReceiver extends SrtpContext {
  readonly #mkiSize: number;
  /** Bytes behind the MKI: HMAC's tag stands there, GCM's does not. */
  readonly #rtpTrailer: number;
  readonly #rtcpTrailer: number;
  /** The last that proved right comes first. */
  readonly #masters: Master[];
  /** A packet as it came, while more than one key may be the right one. */
  #copy = new Uint8Array(0);

  constructor(options: SrtpContextOptions) {
    super(options);
    this.#masters = [this.master(options.key)];
    this.#mkiSize = options.key.mki?.length ?? 0;
    const behind = this.row.kind !== "gcm";
    this.#rtpTrailer = behind ? this.row.rtpTagSize : 0;
    this.#rtcpTrailer = behind ? this.row.rtcpTagSize : 0;
  }

  /**
   * KU: opens packets of a new master key too, as soon as they come (RFC 3711 §8.1). With MKIs up to 16 keys are known at
   * once, without them two: the oldest goes.
   */
  rekey(key: MasterKey): void {
    checkMasterKey(this.profile, key);
    const mki = key.mki ?? new Uint8Array(0);
    if (mki.length !== this.#mkiSize) {
      throw failure("bad-key", `all keys of a direction have MKIs of the same size: ${this.#mkiSize} bytes`);
    }
    const masters = this.#masters;
    if (mki.length > 0 && masters.some((each) => sameMki(each.mki, mki, 0))) {
      throw failure("bad-key", "there is a key with this MKI already");
    }
    const max = mki.length === 0 ? keysWithoutMki : masterKeysMax;
    while (masters.length >= max) masters.pop()!.destroy();
    masters.push(this.master(key));
  }

  /** KE: of the key that the last authentic packet had. */
  get keyState(): "good" | "expiring" | "expired" {
    const { rtpLifetime: rtp, rtcpLifetime: rtcp } = this.#masters[0]!;
    if (rtp.used >= rtp.max || rtcp.used >= rtcp.max) return "expired";
    return rtp.used >= rtp.expiringAt || rtcp.used >= rtcp.expiringAt ? "expiring" : "good";
  }

  /**
   * Gives back the RTP packet in `bytes[at … at+size)`. Answers its size, or why it is not delivered: then the bytes hold
   * nothing that may be used. What was not authentic leaves no trace but a count (RFC 3711 §3.3).
   */
  unprotect(bytes: Uint8Array, at: number, size: number): number | DropReason {
    if (size > packetSizeMax || at + size > bytes.length) return this.drop("malformed");
    const header = rtpHeaderSize(bytes, at, size);
    if (header === 0 || header + this.row.rtpTagSize + this.#mkiSize > size) return this.drop("malformed");
    const ssrc = u32(bytes, at + rtpLayout.ssrc);
    const known = this.find(ssrc);
    if (known === undefined && this.isFull) return this.drop("too-many-sources");
    const sequence = u16(bytes, at + rtpLayout.sequence);
    const index = known === undefined ? sequence : known.index(sequence);
    if (index < 0) return this.drop("too-old");
    if (index > indexMax) return this.drop("expired-keys");
    if (known !== undefined && !known.rtp.mayAccept(index)) {
      return this.drop(index <= known.rtp.greatest - known.rtp.size ? "too-old" : "replayed");
    }
    const cryptex = this.cryptex !== "off" && isCryptex(bytes, at);
    if (this.cryptex === "required" && !cryptex && hasHeaderToHide(bytes, at)) return this.drop("not-cryptex");

    const masters = this.#masters;
    const first = this.#mkiSize === 0 ? 0 : this.#findMki(bytes, at + size - this.#rtpTrailer);
    if (first < 0) return this.drop("unknown-key");
    const last = this.#mkiSize === 0 ? masters.length - 1 : first;
    if (last > first) this.#save(bytes, at, size);
    let reason: DropReason = "bad-tag";
    const body = cryptex ? cryptexBody : header;
    for (let i = first; i <= last; i++) {
      const master = masters[i]!;
      if (i > first) this.#restore(bytes, at, size);
      if (master.rtpLifetime.used >= master.rtpLifetime.max) {
        reason = "expired-keys";
        continue;
      }
      const keys = master.rtp(index);
      const from = this.unencryptedRtp ? at + size : at + body;
      const end = keys.transform.open(bytes, at, from, at + size, index, cryptex);
      if (end < 0) continue;
      this.#use(i);
      master.rtpLifetime.used++;
      (known ?? this.add(ssrc)!).accept(index);
      if (cryptex) unmarkCryptex(bytes, at);
      else if (this.masksExtensions) this.mask(bytes, at, header, keys.header, index);
      return end - at;
    }
    return this.drop(reason);
  }

  /** As `unprotect`, for an SRTCP packet (RFC 3711 §3.4). Its E-bit says whether it is encrypted; authentic it is always. */
  unprotectRtcp(bytes: Uint8Array, at: number, size: number): number | DropReason {
    if (size > packetSizeMax || at + size > bytes.length) return this.drop("malformed");
    const overhead = indexSize + this.row.rtcpTagSize + this.#mkiSize;
    if (!isRtcp(bytes, at, size - overhead)) return this.drop("malformed");
    const ssrc = u32(bytes, at + rtcpLayout.ssrc);
    const known = this.find(ssrc);
    if (known === undefined && this.isFull) return this.drop("too-many-sources");
    const mkiEnd = at + size - this.#rtcpTrailer;
    const word = u32(bytes, mkiEnd - this.#mkiSize - indexSize);
    const index = word % encryptedFlag;
    if (known !== undefined && !known.rtcp.mayAccept(index)) {
      return this.drop(index <= known.rtcp.greatest - known.rtcp.size ? "too-old" : "replayed");
    }

    const masters = this.#masters;
    const first = this.#mkiSize === 0 ? 0 : this.#findMki(bytes, mkiEnd);
    if (first < 0) return this.drop("unknown-key");
    const last = this.#mkiSize === 0 ? masters.length - 1 : first;
    if (last > first) this.#save(bytes, at, size);
    let reason: DropReason = "bad-tag";
    for (let i = first; i <= last; i++) {
      const master = masters[i]!;
      if (i > first) this.#restore(bytes, at, size);
      if (master.rtcpLifetime.used >= master.rtcpLifetime.max) {
        reason = "expired-keys";
        continue;
      }
      const end = master.rtcp(index).open(bytes, at, at + size, word);
      if (end < 0) continue;
      this.#use(i);
      master.rtcpLifetime.used++;
      (known ?? this.add(ssrc)!).rtcp.accept(index);
      return end - at;
    }
    return this.drop(reason);
  }

  /** The master key whose MKI ends there, or -1. */
  #findMki(bytes: Uint8Array, end: number): number {
    const masters = this.#masters;
    for (let i = 0; i < masters.length; i++) if (sameMki(masters[i]!.mki, bytes, end - this.#mkiSize)) return i;
    return -1;
  }

  /** A key that proved right goes to the front: it is tried first, and outlives the others. */
  #use(i: number): void {
    if (i === 0) return;
    const masters = this.#masters;
    const used = masters[i]!;
    for (let j = i; j > 0; j--) masters[j] = masters[j - 1]!;
    masters[0] = used;
  }

  #save(bytes: Uint8Array, at: number, size: number): void {
    if (this.#copy.length < size) this.#copy = new Uint8Array(packetSizeMax);
    for (let i = 0; i < size; i++) this.#copy[i] = bytes[at + i]!;
  }

  #restore(bytes: Uint8Array, at: number, size: number): void {
    for (let i = 0; i < size; i++) bytes[at + i] = this.#copy[i]!;
  }

  /** Wipes the keys; every packet after it is a mistake. */
  destroy(): void {
    for (const master of this.#masters) master.destroy();
  }
}

function sameMki(mki: Uint8Array, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < mki.length; i++) if (mki[i] !== bytes[at + i]) return false;
  return true;
}

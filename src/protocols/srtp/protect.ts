import { SrtpContext, type SrtpContextOptions } from "./context.js";
import type { DropReason } from "./failure.js";
import { failure } from "./failure.js";
import { checkMasterKey, type MasterKey } from "./keys.js";
import { packetSizeMax } from "./limits.js";
import type { Master } from "./master.js";
import { indexMax } from "./source.js";
import { encryptedFlag } from "./transforms/transform.js";
import { cryptexBody, isCryptex, markCryptex } from "./wire/cryptex.js";
import {
  extensionHeaderSize,
  indexSize,
  isRtcp,
  rtcpLayout,
  rtpHeaderSize,
  rtpLayout,
  u16,
  u32,
} from "./wire/layout.js";

export interface SrtpSenderOptions extends SrtpContextOptions {
  /** RTCP in the clear, still authenticated (RFC 4568 §6.3.1). Default false. */
  readonly unencryptedRtcp?: boolean;
}

/** SRTP's sending direction: turns RTP and RTCP packets into SRTP and SRTCP in place. */
export class SrtpSender extends SrtpContext {
  /** Bytes of room that a packet needs behind it, RTP and RTCP alike. */
  readonly overhead: number;
  readonly #rtcpFlag: number;
  #master: Master;
  #mkiSize: number;

  constructor(options: SrtpSenderOptions) {
    super(options);
    this.#master = this.master(options.key);
    this.#mkiSize = this.#master.mki.length;
    const { rtpTagSize, rtcpTagSize } = this.row;
    const rtp = rtpTagSize + (this.cryptex === "off" ? 0 : extensionHeaderSize);
    this.overhead = Math.max(rtp, rtcpTagSize + indexSize) + this.#mkiSize;
    this.#rtcpFlag = options.unencryptedRtcp || this.row.kind === "null" ? 0 : encryptedFlag;
  }

  /**
   * KU: protects with a new master key from now on (RFC 3711 §8.1). Indices go on. The peer must know the key by then; an
   * MKI, as long as the last one, tells it which.
   */
  rekey(key: MasterKey): void {
    checkMasterKey(this.profile, key);
    if ((key.mki?.length ?? 0) !== this.#mkiSize) {
      throw failure("bad-key", `all keys of a direction have MKIs of the same size: ${this.#mkiSize} bytes`);
    }
    const next = this.master(key);
    this.#master.destroy();
    this.#master = next;
  }

  /** KE: does the key in use still have packets left, and enough of them? */
  get keyState(): "good" | "expiring" | "expired" {
    const { rtpLifetime: rtp, rtcpLifetime: rtcp } = this.#master;
    if (rtp.used >= rtp.max || rtcp.used >= rtcp.max) return "expired";
    return rtp.used >= rtp.expiringAt || rtcp.used >= rtcp.expiringAt ? "expiring" : "good";
  }

  /**
   * Makes SRTP of the RTP packet `bytes[at … at+size)`, which has `overhead` bytes of room behind it. Answers the size that
   * it has then, or why it was not protected: then it must not be sent.
   */
  protect(bytes: Uint8Array, at: number, size: number): number | DropReason {
    if (size > packetSizeMax || at + size + this.overhead > bytes.length) return this.drop("no-room");
    let header = rtpHeaderSize(bytes, at, size);
    // A packet that bears Cryptex's mark already would be taken for one that it covers.
    if (header === 0 || (this.cryptex !== "off" && isCryptex(bytes, at))) return this.drop("malformed");
    const ssrc = u32(bytes, at + rtpLayout.ssrc);
    const source = this.find(ssrc) ?? this.add(ssrc);
    if (source === undefined) return this.drop("too-many-sources");
    const index = source.index(u16(bytes, at + rtpLayout.sequence));
    if (index < 0) return this.drop("too-old");
    const master = this.#master;
    if (index > indexMax || master.rtpLifetime.used >= master.rtpLifetime.max) return this.drop("expired-keys");
    if (!source.rtp.mayAccept(index)) return this.drop("replayed");
    source.accept(index);
    master.rtpLifetime.used++;

    const keys = master.rtp(index);
    let end = at + size;
    let cryptex = false;
    if (this.cryptex !== "off") {
      const grown = markCryptex(bytes, at, end);
      cryptex = grown >= 0;
      if (cryptex) end += grown;
    }
    if (cryptex) header = cryptexBody;
    else if (this.masksExtensions) this.mask(bytes, at, header, keys.header, index);
    return keys.transform.seal(bytes, at, this.unencryptedRtp ? end : at + header, end, index, cryptex) - at;
  }

  /** As `protect`, for an RTCP packet or several in one (RFC 3550 §6.1). */
  protectRtcp(bytes: Uint8Array, at: number, size: number): number | DropReason {
    if (size > packetSizeMax || at + size + this.overhead > bytes.length) return this.drop("no-room");
    if (!isRtcp(bytes, at, size)) return this.drop("malformed");
    const ssrc = u32(bytes, at + rtcpLayout.ssrc);
    const source = this.find(ssrc) ?? this.add(ssrc);
    if (source === undefined) return this.drop("too-many-sources");
    const master = this.#master;
    const index = source.nextRtcpIndex;
    if (index >= encryptedFlag || master.rtcpLifetime.used >= master.rtcpLifetime.max) return this.drop("expired-keys");
    source.nextRtcpIndex = index + 1;
    master.rtcpLifetime.used++;
    return master.rtcp(index).seal(bytes, at, at + size, this.#rtcpFlag + index) - at;
  }

  /** Wipes the keys; every packet after it is a mistake. */
  destroy(): void {
    this.#master.destroy();
  }
}

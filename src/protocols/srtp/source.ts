import { ReplayWindow } from "../../mechanisms/replay-window.js";

/** Greatest index of an RTP packet: ROC and sequence number, 48 bits (RFC 3711 §3.3.1). */
export const indexMax = 2 ** 48 - 1;

/**
 * What is known of one source (SSRC) in one direction: how far its packets have come, and which of them there were. A
 * sender keeps the same, so that it never uses an index twice.
 */
export class Source {
  readonly rtp: ReplayWindow;
  readonly rtcp: ReplayWindow;
  /** The next SRTCP index to send (RFC 3711 §3.4). */
  nextRtcpIndex = 0;
  /** A rollover counter that was told: it counts for the next packet, if that is ahead. */
  #told: number | undefined;

  constructor(rtpBits: number, rtcpBits: number) {
    this.rtp = new ReplayWindow(rtpBits);
    this.rtcp = new ReplayWindow(rtcpBits);
  }

  /**
   * The index of a packet, guessed from its sequence number: the one nearest to the greatest that was authentic
   * (RFC 3711 §3.3.1, Appendix A). Negative before the first rollover if the packet is older than the first one.
   */
  index(sequence: number): number {
    const { greatest } = this.rtp;
    if (this.#told !== undefined) {
      const told = this.#told * 0x1_0000 + sequence;
      if (told > greatest) return told;
    }
    if (greatest < 0) return sequence;
    let distance = sequence - (greatest & 0xffff);
    if (distance > 0x8000) distance -= 0x1_0000;
    else if (distance < -0x8000) distance += 0x1_0000;
    return greatest + distance;
  }

  /** An authentic packet with this index came, or is about to go. */
  accept(index: number): void {
    this.rtp.accept(index);
    this.#told = undefined;
  }

  /** Key management tells the rollover counter to who comes late (RFC 3711 §3.3.1). */
  tellRollover(counter: number): void {
    this.#told = counter;
  }
}

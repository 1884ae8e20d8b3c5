import type { Ecn } from "../contract/index.js";

/** Packets that are marked before anything is known of the path (RFC 9000, appendix A.4). */
export const testPacketsMax = 10;
/** Probe timeouts, nothing marked having been acknowledged, after which marks are taken for what is dropped. */
export const testTimeoutsMax = 2;

/** What an acknowledgement counts: packets that arrived with each mark. */
export interface EcnCounts {
  readonly ect0: number;
  readonly ect1: number;
  readonly ce: number;
}

/**
 * Whether a path and the peer behind it bear ECN (RFC 9000 §13.4.2): marks a few packets, checks what the peer counts, and
 * marks all or none from then on. One for a path; the counts are the packet number spaces'.
 */
export class EcnValidator {
  /** `off`: not wanted. While `testing`, only the first packets are marked. */
  status: "off" | "testing" | "capable" | "failed";
  #marked = 0;
  #timeouts = 0;
  readonly #counted: EcnCounts[] = [];

  constructor(enabled: boolean) {
    this.status = enabled ? "testing" : "off";
  }

  /** The mark for the next packet: ECT(0) or none. */
  codepoint(): Ecn {
    if (this.status === "testing") return this.#marked < testPacketsMax ? ect0 : 0;
    return this.status === "capable" ? ect0 : 0;
  }

  /** A packet left with the mark that `codepoint` gave. */
  sent(): void {
    if (this.codepoint() !== 0) this.#marked++;
  }

  /**
   * @param newlyAcked packets that were marked ECT(0), and are acknowledged for the first time
   * @param counts of the ACK frame; undefined if it has none
   * @param isNewest it acknowledges a larger number than any before: others may be out of date, and prove nothing
   * @returns `congested` if new CE marks are told
   */
  acknowledged(
    space: number,
    newlyAcked: number,
    counts: EcnCounts | undefined,
    isNewest: boolean,
  ): "ok" | "congested" | "failed" {
    if (this.status === "off" || this.status === "failed" || !isNewest) return "ok";
    if (counts === undefined) return newlyAcked > 0 ? this.#fail() : "ok";
    const before = this.#counted[space] ?? none;
    const marked = counts.ect0 - before.ect0;
    const experienced = counts.ce - before.ce;
    if (marked < 0 || experienced < 0 || counts.ect1 > 0) return this.#fail();
    if (marked + experienced < newlyAcked || counts.ect0 + counts.ce > this.#marked) return this.#fail();
    this.#counted[space] = { ect0: counts.ect0, ect1: counts.ect1, ce: counts.ce };
    if (newlyAcked > 0) this.status = "capable";
    return experienced > 0 ? "congested" : "ok";
  }

  /** A probe timeout has passed. */
  timedOut(): void {
    if (this.status === "testing" && this.#marked > 0 && ++this.#timeouts >= testTimeoutsMax) this.#fail();
  }

  #fail(): "failed" {
    this.status = "failed";
    return "failed";
  }
}

const ect0: Ecn = 2;
const none: EcnCounts = { ect0: 0, ect1: 0, ce: 0 };

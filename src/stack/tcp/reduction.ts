/**
 * Proportional Rate Reduction (RFC 6937), with its slow start where losses have left too little in flight: in recovery what
 * goes out follows what arrives, so that the window is reached at the end of a round trip, without a silence or a burst.
 */
export class Reduction {
  isOn = false;
  /** Bytes that may be in flight until the next acknowledgement. */
  window = 0;
  /** RecoverFS, prr_delivered and prr_out (§3). */
  #flightSize = 0;
  #delivered = 0;
  #out = 0;

  /** @param inFlight before what was lost was found out */
  begin(inFlight: number): void {
    // Where nothing is on its way there is nothing to spread.
    this.isOn = inFlight > 0;
    this.#flightSize = inFlight;
    this.#delivered = this.#out = 0;
  }

  end(): void {
    this.isOn = false;
  }

  /**
   * @param delivered bytes that an acknowledgement told of for the first time
   * @param inFlight after it
   * @param target the congestion controller's window
   */
  acknowledged(delivered: number, inFlight: number, target: number, segmentSize: number): void {
    this.#delivered += delivered;
    let more =
      inFlight > target
        ? Math.ceil((this.#delivered * target) / this.#flightSize) - this.#out
        : Math.min(target - inFlight, Math.max(this.#delivered - this.#out, delivered) + segmentSize);
    // The first segment is repeated at once, whatever is in flight (RFC 5681 §3.2, step 3).
    if (this.#out === 0) more = Math.max(more, segmentSize);
    this.window = inFlight + Math.max(0, more);
  }

  sent(bytes: number): void {
    this.#out += bytes;
  }
}

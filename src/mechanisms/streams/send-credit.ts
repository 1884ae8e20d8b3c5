/** What we may send, of one stream or of all. Limits only grow (RFC 9000 §4.1). */
export class SendCredit {
  limit = 0;
  used = 0;
  /** The limit of which the peer has been told that it holds us back. */
  #toldAt = -1;

  get left(): number {
    return this.limit - this.used;
  }

  /** False if it is no more than it was. */
  raise(limit: number): boolean {
    if (limit <= this.limit) return false;
    this.limit = limit;
    return true;
  }

  /** We want to send more: should the peer be told? Once for a limit. */
  blocked(): boolean {
    if (this.#toldAt === this.limit) return false;
    this.#toldAt = this.limit;
    return true;
  }

  /** Nothing was sent after all, and other limits hold (rejected 0-RTT). */
  reset(): void {
    this.limit = this.used = 0;
    this.#toldAt = -1;
  }
}

/** Packets from inside, opened where they lie: `ranges` holds the start and end of each in `bytes`. */
export interface PacketsEvent {
  kind: "packets";
  bytes: Uint8Array;
  ranges: Uint32Array;
  count: number;
}

/** Gathers what is opened into as few events as can be, and uses one again once it has been taken. */
export class Inbound {
  #event: PacketsEvent;
  #isTaken = true;

  /** @param packetsMax packets that one event tells of */
  constructor(packetsMax: number) {
    this.#event = { kind: "packets", bytes: new Uint8Array(0), ranges: new Uint32Array(2 * packetsMax), count: 0 };
  }

  /** Adds a packet. Answers the event if it is to be told now; otherwise the packet went into one that waits. */
  add(bytes: Uint8Array, at: number, length: number): PacketsEvent | undefined {
    let event = this.#event;
    if (!this.#isTaken && (event.bytes !== bytes || 2 * event.count >= event.ranges.length)) {
      event = { kind: "packets", bytes, ranges: new Uint32Array(event.ranges.length), count: 0 };
      this.#event = event;
      this.#isTaken = true;
    }
    const isNew = this.#isTaken;
    if (isNew) {
      event.bytes = bytes;
      event.count = 0;
      this.#isTaken = false;
    }
    event.ranges[2 * event.count] = at;
    event.ranges[2 * event.count + 1] = at + length;
    event.count++;
    return isNew ? event : undefined;
  }

  /** This event has been taken, and is read before the next input. */
  taken(event: object | undefined): void {
    if (event === this.#event) this.#isTaken = true;
  }
}

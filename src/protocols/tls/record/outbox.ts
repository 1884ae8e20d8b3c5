import { limits } from "../limits.js";
import { contentType } from "./content-type.js";
import { PlainSealer } from "./plain.js";
import type { RecordSealer } from "./protection.js";

/** What waits to be sealed: content of the protocol's own, or the moment at which keys change. */
type Item =
  | { readonly kind: "content"; readonly type: number; readonly bytes: Uint8Array }
  | { readonly kind: "keys"; readonly sealer: RecordSealer; readonly early: boolean; readonly application: boolean };

interface Sending {
  readonly bytes: Uint8Array;
  readonly early: boolean;
}

/** Answers the padded size of a record's content, at least `size` and at most `max`. */
export type Padding = (size: number, type: number) => number;

/**
 * All that is on its way out, in order: messages of the handshake and alerts first, each under the keys of its moment;
 * application data when there are keys for them. `fill` seals straight into the caller's buffer: application bytes are
 * copied once, into their record, and sealed there.
 */
export class Outbox {
  readonly #control: Item[] = [];
  readonly #data: Sending[] = [];
  readonly #padding: Padding | undefined;
  #sealer: RecordSealer = new PlainSealer();
  #early = false;
  #application = false;
  /** Bytes of the first control item, and of the first application buffer, that are sealed already. */
  #controlAt = 0;
  #dataAt = 0;
  #queued = 0;
  #earlyLeft = 0;
  /** Whole application buffers that have been sealed since `takeSent`. */
  #sent = 0;
  /** Buffers that went out as early data, until it is known what became of them. */
  #doubtful: Uint8Array[] = [];
  /** Application data may not go yet: the peer has not proved itself. */
  #held = true;
  #closing: "open" | "wanted" | "done" = "open";
  contentMax: number = limits.recordSizeMax;
  bytesSealed = 0;
  recordsSealed = 0;

  constructor(padding: Padding | undefined) {
    this.#padding = padding;
  }

  /** Application bytes that wait. */
  get queued(): number {
    return this.#queued;
  }

  get earlyLeft(): number {
    return this.#earlyLeft;
  }

  /** Are records sealed with application keys now, and have they come to their bound? */
  get isWorn(): boolean {
    return this.#application && this.#sealer.count >= this.#sealer.countMax;
  }

  wornAt(count: number): boolean {
    return this.#application && this.#sealer.count >= count;
  }

  /** Nothing follows: close_notify is out, or the session failed and its alert is out. */
  get isDone(): boolean {
    return this.#closing === "done" && this.#control.length === 0;
  }

  put(type: number, bytes: Uint8Array): void {
    if (this.#closing !== "done") this.#control.push({ kind: "content", type, bytes });
  }

  keys(sealer: RecordSealer, epoch: { readonly early: boolean; readonly application: boolean }): void {
    this.#control.push({ kind: "keys", sealer, ...epoch });
  }

  /** Bytes of 0-RTT data that may still be sealed. */
  allowEarly(max: number): void {
    this.#earlyLeft = max;
  }

  /** The peer has proved itself, or nobody asked it to: application data may go. */
  release(): void {
    this.#held = false;
  }

  /**
   * What became of early data. If they were refused they go again, in front of all others (RFC 9846 §4.3.10), unless
   * `resend` forbids it.
   */
  settleEarly(accepted: boolean, resend: boolean): void {
    const doubtful = this.#doubtful;
    this.#doubtful = [];
    if (accepted || !resend) {
      this.#sent += doubtful.length;
      if (!accepted) this.#dropEarly();
      return;
    }
    if (this.#dataAt > 0) {
      this.#queued += this.#dataAt;
      this.#dataAt = 0;
    }
    for (const bytes of doubtful.reverse()) {
      this.#data.unshift({ bytes, early: false });
      this.#queued += bytes.length;
    }
  }

  /** What was meant for another application protocol is not sent at all. */
  #dropEarly(): void {
    for (let first = this.#data[0]; first?.early === true; first = this.#data[0]) {
      this.#queued -= first.bytes.length - this.#dataAt;
      this.#dataAt = 0;
      this.#data.shift();
      this.#sent++;
    }
  }

  send(bytes: Uint8Array, early: boolean): void {
    this.#data.push({ bytes, early });
    this.#queued += bytes.length;
  }

  /** close_notify, when all application data are out. */
  close(): void {
    if (this.#closing === "open") this.#closing = "wanted";
  }

  /** A last alert: what waited is dropped, nothing follows. */
  abandon(alert: Uint8Array | undefined): void {
    this.#data.length = 0;
    this.#queued = 0;
    if (this.#closing === "done") return;
    // Messages that were put before still go: the peer may need their keys to read the alert.
    if (alert !== undefined) this.put(contentType.alert, alert);
    this.#closing = "done";
  }

  /** Drops everything, and the keys. */
  destroy(): void {
    for (const item of this.#control) if (item.kind === "keys") item.sealer.destroy();
    this.#control.length = 0;
    this.#data.length = 0;
    this.#queued = 0;
    this.#closing = "done";
    this.#sealer.destroy();
  }

  /** How many application buffers have been sealed whole since the last time it was asked. */
  takeSent(): number {
    const sent = this.#sent;
    this.#sent = 0;
    return sent;
  }

  /** Seals as many records as fit and answers their bytes. */
  fill(into: Uint8Array, pause: () => boolean): number {
    let at = 0;
    while (true) {
      const size = this.#record(into, at, pause);
      if (size === 0) break;
      at += size;
    }
    return at;
  }

  #record(into: Uint8Array, at: number, pause: () => boolean): number {
    this.#changeKeys();
    const first = this.#control[0];
    const { headroom, tailroom } = first?.kind === "content" && isPlain(first.type) ? plain : this.#sealer;
    const room = Math.min(into.length - at - headroom - tailroom, this.contentMax);
    if (first?.kind === "content") {
      if (room < first.bytes.length - this.#controlAt && room < Math.min(this.contentMax, smallMax)) return 0;
      return this.#controlRecord(into, at, room, first.type);
    }
    if (this.#data.length > 0) {
      if (!this.#mayData()) return 0;
      // A record worth its overhead, unless it is the end of what there is.
      if (room < this.contentMax && room < this.#queued && at > 0) return 0;
      if (pause()) return this.#control.length > 0 ? this.#record(into, at, never) : 0;
      return this.#dataRecord(into, at, room);
    }
    if (this.#closing === "wanted" && this.#application && !this.#held) {
      this.put(contentType.alert, Uint8Array.of(1, 0));
      this.#closing = "done";
      return this.#record(into, at, pause);
    }
    return 0;
  }

  #changeKeys(): void {
    for (let item = this.#control[0]; item?.kind === "keys"; item = this.#control[0]) {
      this.#control.shift();
      this.#sealer.destroy();
      this.#sealer = item.sealer;
      this.#early = item.early;
      this.#application = item.application;
    }
  }

  /** Handshake messages share a record, one behind the other; an alert and change_cipher_spec stand alone. */
  #controlRecord(into: Uint8Array, at: number, room: number, type: number): number {
    const sealer = isPlain(type) ? plain : this.#sealer;
    const start = at + sealer.headroom;
    let size = 0;
    for (let item = this.#control[0]; item?.kind === "content" && item.type === type; item = this.#control[0]) {
      const left = item.bytes.length - this.#controlAt;
      const take = Math.min(left, room - size);
      into.set(item.bytes.subarray(this.#controlAt, this.#controlAt + take), start + size);
      size += take;
      if (take < left) {
        this.#controlAt += take;
        break;
      }
      this.#control.shift();
      this.#controlAt = 0;
      if (type !== contentType.handshake || size === room) break;
    }
    return this.#seal(sealer, into, at, size, type);
  }

  #dataRecord(into: Uint8Array, at: number, room: number): number {
    const start = at + this.#sealer.headroom;
    const most = this.#early ? Math.min(room, this.#earlyLeft) : room;
    let size = 0;
    for (let first = this.#data[0]; first !== undefined; first = this.#data[0]) {
      if (this.#early && !first.early) break;
      const left = first.bytes.length - this.#dataAt;
      const take = Math.min(left, most - size);
      if (take === left && this.#dataAt === 0) into.set(first.bytes, start + size);
      else into.set(first.bytes.subarray(this.#dataAt, this.#dataAt + take), start + size);
      size += take;
      if (take < left) {
        this.#dataAt += take;
        break;
      }
      this.#data.shift();
      this.#dataAt = 0;
      if (this.#early) this.#doubtful.push(first.bytes);
      else this.#sent++;
      if (size === most) break;
    }
    this.#queued -= size;
    if (this.#early) this.#earlyLeft -= size;
    this.bytesSealed += size;
    return this.#seal(this.#sealer, into, at, size, contentType.applicationData);
  }

  #mayData(): boolean {
    if (this.#application) return !this.#held;
    return this.#early && this.#earlyLeft > 0 && this.#data[0]!.early;
  }

  #seal(sealer: RecordSealer, into: Uint8Array, at: number, size: number, type: number): number {
    this.recordsSealed++;
    if (this.#padding === undefined || sealer === plain) return sealer.seal(into, at, size, type, size);
    const room = into.length - at - sealer.headroom - sealer.tailroom;
    const padded = Math.min(this.#padding(size, type), this.contentMax, room);
    return sealer.seal(into, at, size, type, Math.max(size, padded));
  }
}

/** change_cipher_spec is never sealed (RFC 9846 §5); nor do its records count. */
const plain = new PlainSealer();
const isPlain = (type: number): boolean => type === contentType.changeCipherSpec;
const smallMax = 512;
const never = (): boolean => false;

import type { DatagramFate } from "../../contract/index.js";
import { Held, type Holder } from "./contents.js";
import { putMessage } from "./wire/frame-writers.js";

export type TellFate = (fate: DatagramFate) => void;

interface Waiting {
  readonly bytes: Uint8Array;
  readonly fate: TellFate | undefined;
}

/** Messages that may be lost: each leaves once, and what became of it is told. */
export class MessageQueue {
  readonly #bytesMax: number;
  readonly #waiting: Waiting[] = [];
  readonly #sent = new Map<number, TellFate>();
  readonly #told: { readonly tell: TellFate; readonly fate: DatagramFate }[] = [];
  #queued = 0;
  #count = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get wants(): boolean {
    return this.#waiting.length > 0;
  }

  add(bytes: Uint8Array, fate: TellFate | undefined): void {
    if (this.#queued + bytes.length > this.#bytesMax) {
      if (fate !== undefined) this.#told.push({ tell: fate, fate: "expired" });
      return;
    }
    this.#queued += bytes.length;
    this.#waiting.push({ bytes, fate });
  }

  fill(into: Uint8Array, at: number, end: number, holder: Holder): number {
    let to = at;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const next = putMessage(into, to, end, first.bytes);
      if (next === to) return to;
      to = next;
      this.#waiting.shift();
      this.#queued -= first.bytes.length;
      if (first.fate === undefined) continue;
      const id = ++this.#count;
      this.#sent.set(id, first.fate);
      holder.hold(Held.message, id, 0, 0);
    }
    return to;
  }

  settled(id: number, fate: DatagramFate): void {
    const tell = this.#sent.get(id);
    if (tell === undefined) return;
    this.#sent.delete(id);
    this.#told.push({ tell, fate });
  }

  /** Packets became smaller: what does not fit any more is given up. */
  dropLonger(max: number): void {
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const { bytes, fate } = this.#waiting[i]!;
      if (bytes.length <= max) continue;
      this.#waiting.splice(i, 1);
      this.#queued -= bytes.length;
      if (fate !== undefined) this.#told.push({ tell: fate, fate: "expired" });
    }
  }

  next(): { readonly tell: TellFate; readonly fate: DatagramFate } | undefined {
    return this.#told.shift();
  }
}

import type { Instant } from "../../contract/index.js";
import { sackBlocksMax } from "../limits.js";
import type { ControlBlock } from "./control-block.js";
import { Flag, type OptionsOut } from "./segment.js";

/** The packets of a connection: what is to be said now, and in which segment. */
export class Departure {
  readonly #tcb: ControlBlock;

  constructor(tcb: ControlBlock) {
    this.#tcb = tcb;
  }

  /** Writes one IP packet at `at` and answers its size; zero if there is nothing to send now. */
  pull(into: Uint8Array, at: number, now: Instant): number {
    const tcb = this.#tcb;
    const receiver = tcb.receiver;
    if (tcb.reset !== undefined) return this.#pullReset(into, at);
    if (tcb.isClosed) return 0;
    if (tcb.sendSyn) return this.#pullSyn(into, at, now);
    if (!tcb.synchronized || receiver === undefined) return 0;
    const { sender } = tcb;
    // Blocks take room that data would need, so they travel alone.
    if (receiver.ackNow && receiver.hasBlocks) return this.#write(into, at, sender.next, 0, Flag.ack, now);
    const extra = this.#extra(false);
    const beside = extra === undefined ? 0 : (extra.length + 3) & ~3;
    if (tcb.state !== "timeWait" && sender.pick(now, beside)) {
      const size = sender.outSize;
      const fin = sender.outHasFin;
      const last = sender.outStart + size === sender.dataEnd;
      const isNew = sender.outSent === undefined;
      const cwr = isNew && tcb.reduced;
      if (cwr) tcb.reduced = false;
      const pushed = last || (sender.outStart < tcb.pushBefore && tcb.pushBefore <= sender.outStart + size);
      const flags = Flag.ack | (fin ? Flag.fin : 0) | (pushed ? Flag.psh : 0) | (cwr ? Flag.cwr : 0);
      // RFC 3168 §6.1.4: only new data are marked capable.
      const ecn = tcb.ecn && isNew && size > 0 ? 2 : 0;
      const total = this.#write(into, at, sender.outStart, size, flags, now, ecn, extra);
      sender.sent(now);
      return total;
    }
    if (tcb.keepAlive.wanted) {
      tcb.keepAlive.wanted = false;
      return this.#write(into, at, sender.next - 1, 0, Flag.ack, now, 0, extra);
    }
    return receiver.ackNow ? this.#write(into, at, sender.next, 0, Flag.ack, now, 0, extra) : 0;
  }

  #pullSyn(into: Uint8Array, at: number, now: Instant): number {
    const tcb = this.#tcb;
    tcb.sendSyn = false;
    const answers = tcb.state === "synReceived";
    const ecn = !tcb.ecn ? 0 : answers ? Flag.ece : Flag.ece | Flag.cwr;
    const flags = Flag.syn | (answers ? Flag.ack : 0) | ecn;
    const size = this.#write(into, at, 0, 0, flags, now, 0, this.#extra(true));
    tcb.sender.sentSyn(now);
    return size;
  }

  #pullReset(into: Uint8Array, at: number): number {
    const tcb = this.#tcb;
    const writer = tcb.writer;
    writer.options();
    writer.sequence = tcb.reset!;
    writer.acknowledgment = tcb.receiver?.nextSequence ?? 0;
    writer.flags = Flag.rst | (tcb.receiver === undefined ? 0 : Flag.ack);
    writer.window = writer.ecn = 0;
    writer.dscp = tcb.dscp;
    tcb.reset = undefined;
    return writer.write(into, at, tcb.sender.buffer, 0, 0);
  }

  #write(
    into: Uint8Array,
    at: number,
    offset: number,
    size: number,
    flags: number,
    now: Instant,
    ecn = 0,
    extra?: Uint8Array,
  ): number {
    const tcb = this.#tcb;
    const { sender } = tcb;
    const writer = tcb.writer;
    const receiver = tcb.receiver;
    const syn = (flags & Flag.syn) !== 0;
    this.#fillOptions(writer.options(), syn, size > 0, extra, now);
    writer.sequence = sender.sequenceOf(offset);
    writer.acknowledgment = receiver?.nextSequence ?? 0;
    writer.flags = flags | (tcb.echoCongestion && !syn ? Flag.ece : 0);
    writer.window = receiver?.advertise(!syn) ?? Math.min(tcb.receiveWindow, 0xffff);
    writer.ecn = ecn;
    writer.dscp = tcb.dscp;
    const total = writer.write(into, at, sender.buffer, offset - 1, size);
    if ((flags & Flag.ack) !== 0 && receiver !== undefined) {
      receiver.acknowledged();
      tcb.timestamps.lastAckSent = receiver.next;
    }
    return total;
  }

  #fillOptions(options: OptionsOut, syn: boolean, hasData: boolean, extra: Uint8Array | undefined, now: Instant): void {
    const tcb = this.#tcb;
    tcb.timestamps.write(options, now);
    if (syn) {
      options.mss = tcb.ourMss;
      options.sackPermitted = tcb.sack;
      if (tcb.receiver === undefined || tcb.sender.scale > 0 || tcb.receiver.scale > 0) {
        options.windowScale = tcb.scaleOffered;
      }
    } else if (!hasData && tcb.sack && tcb.receiver?.hasBlocks) {
      tcb.receiver.writeBlocks(options, sackBlocksMax);
    }
    options.extra = extra;
  }

  /** What the extension wants on a segment. */
  #extra(syn: boolean): Uint8Array | undefined {
    const { extension } = this.#tcb;
    return extension === undefined || extension.isSettled ? undefined : extension.write(syn);
  }
}

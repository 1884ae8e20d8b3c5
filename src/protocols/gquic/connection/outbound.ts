import type { Instant, SocketAddress } from "../../../contract/index.js";
import { Sent } from "../../../mechanisms/recovery/index.js";
import { Held } from "../contents.js";
import { limits, wideAfterBytes } from "../limits.js";
import { hideHeader, type Protection } from "../protection/protection.js";
import { putAck, putClose, putStopWaiting } from "../wire/frame-writers.js";
import { FrameType } from "../wire/frames.js";
import { HeaderPlan, Level } from "../wire/header.js";
import { putUint } from "../wire/numbers.js";
import type { Core } from "./core.js";

/** A packet that leaves out a number at least so often finds out who acknowledges what was never sent. */
const skipEvery = 1_024;
/** What is hidden needs so many bytes behind the number for its sample. */
const hiddenPayloadMin = 4;
/** A packet that has no room for so much is not begun. */
const roomMin = 24;

/** Makes datagrams of what the parts of a connection have to say. */
export class Outbound {
  /** Of the last transmit. */
  segmentSize = 0;
  from!: SocketAddress;
  to!: SocketAddress;
  readonly #core: Core;
  readonly #plan = new HeaderPlan();
  #into: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #payload = 0;
  #level: Level = Level.clear;
  #protection!: Protection;
  #isEliciting = false;
  #isPadded = false;
  #skipAt: number;
  #isFirst = true;

  constructor(core: Core) {
    this.#core = core;
    this.#plan.writer = core.isClient ? "client" : "server";
    this.#plan.cid = core.cid;
    this.#skipAt = this.#nextSkip(core.next);
  }

  /** Another version: the next packet is the first again. */
  restart(): void {
    this.#isFirst = true;
  }

  /** Writes as many datagrams of one size as may go, and answers their bytes; 0: nothing goes now. */
  transmit(into: Uint8Array, now: Instant): number {
    const core = this.#core;
    const { closing, path, recovery, crypto } = core;
    this.#into = into;
    if (closing.state === "over" || closing.state === "draining") return 0;
    if (closing.due.length > 0) return this.#close(now);
    if (!closing.isOpen) return 0;
    const size = Math.min(core.mtu.current, into.length, path.room);
    recovery.amplificationBlocked = size < roomMin && !path.isValidated;
    if (size < roomMin + core.cid.length) return 0;
    const level = crypto.level;
    if (level !== undefined && core.keyring.write[level] !== undefined) {
      const mayGo = recovery.allowance(now) > 0 || recovery.probes > 0;
      if (mayGo) return this.#leaves(this.#single(level, size, now), now);
    }
    const highest = this.#highest;
    if (highest === Level.forwardSecure) return this.#batch(size, now);
    if (highest === Level.initial && core.isClient) {
      const mayGo = recovery.allowance(now) > 0 || recovery.probes > 0;
      if ((mayGo && (core.streams.wants || core.pingWanted)) || recovery.probes > 0 || core.received.isDue(now)) {
        return this.#leaves(this.#single(highest, size, now), now);
      }
      return 0;
    }
    if (core.received.isDue(now) || recovery.probes > 0) return this.#leaves(this.#single(highest, size, now), now);
    return 0;
  }

  /** Is there something that the window or the pace holds back? */
  get hasWaiting(): boolean {
    const core = this.#core;
    if (core.crypto.level !== undefined) return true;
    return this.#highest !== Level.clear && (core.streams.wants || core.messages.wants || core.pingWanted);
  }

  get #highest(): Level {
    const { write } = this.#core.keyring;
    if (write[Level.forwardSecure] !== undefined) return Level.forwardSecure;
    return write[Level.initial] !== undefined ? Level.initial : Level.clear;
  }

  #leaves(size: number, _now: Instant, segmentSize = size): number {
    const core = this.#core;
    if (size === 0) return 0;
    core.path.bytesSent += size;
    core.bytesSent += size;
    this.segmentSize = segmentSize;
    this.from = core.path.local;
    this.to = core.path.remote;
    return size;
  }

  /** A packet of the handshake, or one beside it. */
  #single(level: Level, size: number, now: Instant): number {
    const core = this.#core;
    if (!this.#begin(0, size, level)) return 0;
    this.#ack(now);
    const before = this.#at;
    this.#at = core.crypto.fill(level, this.#into, this.#at, this.#end, core.recovery);
    const hasCrypto = this.#at > before;
    if (level === Level.initial && core.isClient) {
      const from = this.#at;
      this.#at = core.streams.fill(this.#into, this.#at, this.#end, core.recovery);
      if (this.#at > from && core.earlyData === "none") core.earlyData = "offered";
    }
    if (this.#at > before) this.#isEliciting = true;
    if ((core.recovery.probes > 0 && !this.#isEliciting) || core.pingWanted) this.#ping();
    if (this.#at === this.#payload) {
      core.recovery.abandonHeld();
      return 0;
    }
    // A client's hello fills its packet: the server may answer no more than a multiple of it.
    if (hasCrypto && level === Level.clear && core.isClient) this.#pad(this.#end);
    return this.#seal(0, now, 0);
  }

  /** Forward-secure packets alone, side by side. */
  #batch(size: number, now: Instant): number {
    const core = this.#core;
    const { recovery, path, received } = core;
    let allowance = recovery.allowance(now);
    const probe = allowance > 0 ? this.#mtuProbeSize(now) : 0;
    if (probe > 0 && Math.min(path.room, this.#into.length, recovery.room) >= probe) return this.#mtuProbe(probe, now);
    const most = Math.min(this.#into.length, limits.batchBytesMax, path.room);
    let at = 0;
    let count = 0;
    while (count < limits.batchDatagramsMax && most - at >= size) {
      const isProbe = recovery.probes > 0;
      const mayElicit = allowance >= size || isProbe;
      const hasContent = mayElicit && (core.streams.wants || core.messages.wants || core.pingWanted);
      if (!hasContent && !isProbe && !received.isDue(now)) {
        if (mayElicit && !hasContent) recovery.applicationLimited();
        break;
      }
      const end = this.#forwardSecure(at, size, mayElicit, now);
      if (end === at) break;
      allowance -= end - at;
      count++;
      const isFull = end === at + size;
      at = end;
      if (!isFull) break;
    }
    return this.#leaves(at, now, count > 1 ? size : at);
  }

  #forwardSecure(at: number, size: number, mayElicit: boolean, now: Instant): number {
    const core = this.#core;
    const { recovery, streams, messages } = core;
    if (!this.#begin(at, at + size, Level.forwardSecure)) return at;
    const isProbe = recovery.probes > 0;
    this.#ack(now);
    if (mayElicit) {
      const before = this.#at;
      if (messages.wants) this.#at = messages.fill(this.#into, this.#at, this.#end, recovery);
      if (streams.wants) this.#at = streams.fill(this.#into, this.#at, this.#end, recovery);
      if (this.#at > before) this.#isEliciting = true;
      if (core.pingWanted) this.#ping();
    }
    if (isProbe && !this.#isEliciting) this.#ping();
    if (this.#at === this.#payload) {
      recovery.abandonHeld();
      return at;
    }
    return this.#seal(at, now, 0);
  }

  #mtuProbeSize(now: Instant): number {
    const core = this.#core;
    if (!core.isConfirmed || !core.path.isValidated) return 0;
    return core.mtu.probe(now, core.path.bytesSent >= wideAfterBytes) ?? 0;
  }

  #mtuProbe(size: number, now: Instant): number {
    const core = this.#core;
    if (!this.#begin(0, size, Level.forwardSecure)) return 0;
    this.#ping();
    this.#pad(this.#end);
    core.recovery.hold(Held.mtuProbe, 0, 0, size);
    core.mtu.probeSent(size);
    return this.#leaves(this.#seal(0, now, Sent.probe), now);
  }

  /** CONNECTION_CLOSE, a datagram a level. */
  #close(now: Instant): number {
    const core = this.#core;
    const { closing } = core;
    const level = closing.due[0]!;
    const size = Math.min(core.mtu.current, this.#into.length, core.path.room);
    closing.sent();
    if (core.keyring.write[level] === undefined || size < roomMin || !this.#begin(0, size, level)) return 0;
    this.#at = putClose(this.#into, this.#at, this.#end, closing.code, closing.reason);
    return this.#leaves(this.#seal(0, now, 0), now);
  }

  // One packet

  #begin(at: number, limit: number, level: Level): boolean {
    const core = this.#core;
    const plan = this.#plan;
    const protection = core.keyring.write[level]!;
    plan.version = core.version.code;
    plan.level = level;
    plan.omitsCid = !core.isClient && level === Level.forwardSecure && core.peer?.omitCid === true;
    plan.saysVersion = core.isClient && !core.isHeard;
    plan.isFirst = this.#isFirst && core.isClient;
    plan.nonce = level === Level.initial ? core.keyring.nonce : undefined;
    const range = 2 * (core.next - core.recovery.largestAcked(0)) + 1;
    plan.numberSize = range < 0x8000 ? 2 : 4;
    if (at + core.version.layout.size(plan) + protection.before + protection.behind + roomMin > limit) return false;
    core.version.layout.put(plan, this.#into, at);
    this.#level = level;
    this.#protection = protection;
    this.#payload = this.#at = plan.payloadAt + protection.before;
    this.#end = limit - protection.behind;
    this.#isEliciting = this.#isPadded = false;
    return true;
  }

  #ack(now: Instant): void {
    const core = this.#core;
    const { received, recovery } = core;
    if (!received.hasUntold) return;
    const to = putAck(this.#into, this.#at, this.#end, received.ranges, received.firstToTell, received.delayMs(now));
    if (to === this.#at) return;
    this.#at = to;
    received.told();
    recovery.hold(Held.ack, 0, 0, received.ranges.end);
    if (!core.version.stopWaiting || this.#level === Level.clear) return;
    const delta = Math.max(0, core.next - Math.max(1, recovery.leastAwaited(0)));
    const { numberSize } = this.#plan;
    if (delta < 2 ** (8 * numberSize)) this.#at = putStopWaiting(this.#into, this.#at, this.#end, delta, numberSize);
  }

  #ping(): void {
    if (this.#at >= this.#end) return;
    this.#into[this.#at++] = FrameType.ping;
    this.#isEliciting = true;
    this.#core.pingWanted = false;
  }

  #pad(to: number): void {
    if (to <= this.#at) return;
    this.#into.fill(0, this.#at, to);
    this.#at = to;
    this.#isPadded = true;
  }

  /** Seals the packet and answers where it ends. */
  #seal(start: number, now: Instant, moreFlags: number): number {
    const core = this.#core;
    const plan = this.#plan;
    const into = this.#into;
    const protection = this.#protection;
    const { mask } = protection;
    const number = core.next;
    if (mask !== undefined) while (this.#at < plan.numberAt + hiddenPayloadMin + plan.numberSize) into[this.#at++] = 0;
    const end = this.#at + protection.behind;
    putUint(into, plan.numberAt, plan.numberSize, number);
    if (plan.lengthAt >= 0) {
      const length = end - plan.numberAt;
      into[plan.lengthAt] = 0x40 | (length >> 8);
      into[plan.lengthAt + 1] = length & 255;
    }
    protection.seal(into, start, plan.payloadAt, this.#at, number);
    if (mask !== undefined) hideHeader(mask, into, start, plan.numberAt, plan.numberSize, plan.nonce !== undefined);
    const eliciting = this.#isEliciting ? Sent.ackEliciting | Sent.inFlight : 0;
    core.recovery.sent(0, number, end - start, eliciting | (this.#isPadded ? Sent.inFlight : 0) | moreFlags, now);
    if (this.#isEliciting) core.idle.sent(now);
    if (this.#level !== Level.clear) core.firstKeyed = Math.min(core.firstKeyed, number);
    core.packetsSent++;
    this.#isFirst = false;
    if (core.ground.trace !== undefined) {
      core.trace("packet_sent", now, { number, level: this.#level, size: end - start });
    }
    core.next = number + 1;
    if (this.#level === Level.forwardSecure && core.next >= this.#skipAt) {
      this.#skipAt = this.#nextSkip(core.next);
      core.next++;
    }
    return end;
  }

  #nextSkip(from: number): number {
    const random = this.#core.ground.entropy.fill(new Uint8Array(2));
    return from + 16 + (((random[0]! << 8) | random[1]!) % skipEvery);
  }
}

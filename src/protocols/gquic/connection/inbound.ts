import { equalInConstantTime, type Instant, type SocketAddress } from "../../../contract/index.js";
import { decodePacketNumber } from "../../quic/protection/packet-number.js";
import { refuse } from "../failure.js";
import { limits } from "../limits.js";
import { type Protection, showHeader } from "../protection/protection.js";
import { FrameType, FrameView, frameNames } from "../wire/frames.js";
import { HeaderView, Level, type Writer } from "../wire/header.js";
import { uintAt } from "../wire/numbers.js";
import type { Core } from "./core.js";
import { cryptoStreamId } from "./crypto-stream.js";

/** What packets mean for a connection, beside what goes to its parts. */
export interface InboundEvents {
  /** A list of versions, at `bytes[at … end)`, from a server that does not have ours. */
  versionNegotiation(bytes: Uint8Array, at: number, end: number, now: Instant): void;
  /** Somebody says that the server does not know us. */
  resetClaimed(now: Instant): void;
  /** The server itself has said so. */
  resetProved(now: Instant): void;
  /** Handshake bytes have come. */
  handshakeBytes(level: Level, now: Instant): void;
  /** A packet was authentic. @param isNewest - none with a greater number was before it */
  opened(level: Level, local: SocketAddress, remote: SocketAddress, isNewest: boolean, now: Instant): void;
  closedByPeer(code: number, reason: Uint8Array, now: Instant): void;
}

const resetTokenSize = 16;

interface Early {
  readonly bytes: Uint8Array;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}

/** Opens packets and hands their frames to the parts. */
export class Inbound {
  readonly #core: Core;
  readonly #events: InboundEvents;
  readonly #header = new HeaderView();
  readonly #frame = new FrameView();
  readonly #writer: Writer;
  /** What keys must be tried on is tried on a copy: a failed try leaves nothing to try again. */
  #scratch: Uint8Array = new Uint8Array(0);
  #early: Early[] = [];
  /** Of the packet in hand. */
  #isEliciting = false;

  constructor(core: Core, events: InboundEvents) {
    this.#core = core;
    this.#events = events;
    this.#writer = core.isClient ? "server" : "client";
  }

  datagram(
    bytes: Uint8Array,
    from: number,
    to: number,
    local: SocketAddress,
    remote: SocketAddress,
    now: Instant,
  ): void {
    const core = this.#core;
    core.bytesReceived += to - from;
    const header = this.#header;
    for (let at = from; at < to; at = header.end) {
      if (!core.version.layout.read(header, bytes, at, to, this.#writer)) {
        // In Q050 padding may follow the last packet.
        if (at === from && !this.#isReset(bytes, at, to, now)) core.drop("malformed", now);
        return;
      }
      if (header.kind === "version-negotiation") {
        this.#events.versionNegotiation(bytes, header.payloadAt, to, now);
        return;
      }
      if (header.kind === "reset") {
        core.drop("public-reset", now);
        this.#events.resetClaimed(now);
        return;
      }
      const isOther = header.version !== 0 && header.version !== core.version.code;
      if (isOther || (header.cidAt >= 0 && !this.#isOurs(bytes, header.cidAt))) {
        core.drop("elsewhere", now);
        return;
      }
      this.#packet(bytes, at, local, remote, now);
    }
  }

  /** Keys have come: what came before them is looked at again. */
  replay(now: Instant): void {
    const early = this.#early;
    this.#early = [];
    for (const { bytes, local, remote } of early) this.datagram(bytes, 0, bytes.length, local, remote, now);
  }

  /** Another version: what came before was for the old one. */
  restart(): void {
    this.#early = [];
  }

  #isOurs(bytes: Uint8Array, at: number): boolean {
    const { cid } = this.#core;
    for (let i = 0; i < cid.length; i++) if (bytes[at + i] !== cid[i]) return false;
    return true;
  }

  #packet(bytes: Uint8Array, at: number, local: SocketAddress, remote: SocketAddress, now: Instant): void {
    const core = this.#core;
    const header = this.#header;
    const { end } = header;
    const level = this.#open(bytes, at, now);
    if (level === "early") {
      if (this.#early.length < limits.earlyDatagramsMax) {
        this.#early.push({ bytes: bytes.slice(at, end), local, remote });
      } else core.drop("no-keys", now);
      return;
    }
    if (level === undefined) return;
    const { number, from, to, numberSize, view } = this.#opened;
    if (core.received.isDuplicate(number)) {
      core.drop("duplicate", now);
      return;
    }
    const isNewest = number > core.received.largest;
    core.packetsReceived++;
    if (level > Level.clear && level > core.readLevel) core.readLevel = level;
    if (core.ground.trace !== undefined) core.trace("packet_received", now, { number, level, size: end - at });
    this.#isEliciting = false;
    core.idle.heard(now);
    this.#events.opened(level, local, remote, isNewest, now);
    if (level === Level.clear) {
      // Nobody vouches for it: what does not parse ends nothing.
      if (!this.#parses(view, from, to, numberSize)) {
        core.drop("malformed", now);
        return;
      }
    } else if (from === to) refuse("empty-packet", "packet", "a packet without frames");
    // Before its frames: what they set off may be told at once.
    core.received.received(number, false, 0, now);
    this.#frames(view, from, to, numberSize, level, now);
    if (this.#isEliciting) core.received.received(number, true, 0, now);
    header.end = end;
  }

  readonly #opened = { number: 0, from: 0, to: 0, numberSize: 0, view: new Uint8Array(0) as Uint8Array };

  /** Finds the keys, and answers the level; `early` if they are not there yet. */
  #open(bytes: Uint8Array, at: number, now: Instant): Level | "early" | undefined {
    const core = this.#core;
    const { keyring } = core;
    const header = this.#header;
    if (core.version.hidesHeaders) {
      const level = header.level as Level;
      const mask = level === Level.initial && core.isClient ? keyring.initialMask : keyring.read[level]?.mask;
      if (level < core.readLevel && core.readLevel === Level.forwardSecure) return this.#refused("old-level", now);
      if (mask === undefined) return this.#without(bytes, at, now);
      if (!showHeader(mask, header, bytes, at)) return this.#refused("malformed", now);
      return this.#try(level, this.#protectionFor(level, bytes), bytes, at, now);
    }
    const isTop = core.readLevel === Level.forwardSecure;
    if (header.nonceAt >= 0) {
      if (isTop) return this.#refused("old-level", now);
      const protection = this.#protectionFor(Level.initial, bytes);
      return protection === undefined ? "early" : this.#try(Level.initial, protection, bytes, at, now);
    }
    if (core.readLevel === Level.clear) {
      const clear = keyring.read[Level.clear]!;
      if (clear.open(bytes, at, header.payloadAt, header.end, 0))
        return this.#settled(Level.clear, clear, bytes, this.#number(bytes));
    }
    const top = keyring.read[Level.forwardSecure];
    const initial = core.isClient || isTop ? undefined : keyring.read[Level.initial];
    if (initial === undefined) {
      return top === undefined ? this.#without(bytes, at, now) : this.#try(Level.forwardSecure, top, bytes, at, now);
    }
    if (top === undefined) return this.#try(Level.initial, initial, bytes, at, now);
    // A server cannot tell which of both it is: the first try is made on a copy.
    const size = header.end - at;
    if (this.#scratch.length < size) this.#scratch = new Uint8Array(size);
    this.#scratch.set(bytes.subarray(at, header.end));
    const number = this.#number(bytes);
    const payload = header.payloadAt - at;
    if (top.open(this.#scratch, 0, payload, size, number)) {
      const opened = this.#opened;
      opened.number = number;
      opened.view = this.#scratch;
      opened.from = payload + top.before;
      opened.to = size - top.behind;
      opened.numberSize = header.numberSize;
      return Level.forwardSecure;
    }
    return this.#try(Level.initial, initial, bytes, at, now);
  }

  #protectionFor(level: Level, bytes: Uint8Array): Protection | undefined {
    const { keyring, isClient } = this.#core;
    return level === Level.initial && isClient ? keyring.withNonce(bytes, this.#header.nonceAt) : keyring.read[level];
  }

  #try(
    level: Level,
    protection: Protection | undefined,
    bytes: Uint8Array,
    at: number,
    now: Instant,
  ): Level | undefined {
    const core = this.#core;
    const header = this.#header;
    if (protection === undefined) return this.#refused("no-keys", now);
    const number = this.#number(bytes);
    const tail = this.#tail(bytes, header.end);
    if (number < 1 || !protection.open(bytes, at, header.payloadAt, header.end, number)) {
      if (tail) this.#events.resetProved(now);
      return this.#refused("not-authentic", now);
    }
    if (level === Level.initial && !core.isClient && core.ground.server !== undefined && !this.takesEarly) {
      return this.#refused("early-data-refused", now);
    }
    return this.#settled(level, protection, bytes, number);
  }

  /** Server: packets under initial keys are taken. */
  takesEarly = true;

  #settled(level: Level, protection: Protection, bytes: Uint8Array, number: number): Level {
    const header = this.#header;
    const opened = this.#opened;
    opened.number = number;
    opened.view = bytes;
    opened.from = header.payloadAt + protection.before;
    opened.to = header.end - protection.behind;
    opened.numberSize = header.numberSize;
    return level;
  }

  #number(bytes: Uint8Array): number {
    const { numberAt, numberSize } = this.#header;
    return decodePacketNumber(uintAt(bytes, numberAt, numberSize), numberSize, this.#core.received.largest + 1);
  }

  #refused(
    why: "old-level" | "malformed" | "not-authentic" | "no-keys" | "early-data-refused",
    now: Instant,
  ): undefined {
    this.#core.drop(why, now);
    return undefined;
  }

  /** No keys for it: perhaps they come yet. */
  #without(bytes: Uint8Array, at: number, now: Instant): "early" | undefined {
    if (this.#isReset(bytes, at, this.#header.end, now)) return undefined;
    return this.#core.isComplete ? this.#refused("no-keys", now) : "early";
  }

  /** Does it end with the token by which a server says that it has forgotten us? */
  #tail(bytes: Uint8Array, end: number): boolean {
    const token = this.#core.resetToken;
    if (token === undefined || end < resetTokenSize + 5) return false;
    return equalInConstantTime(bytes.subarray(end - resetTokenSize, end), token);
  }

  #isReset(bytes: Uint8Array, at: number, end: number, now: Instant): boolean {
    if (end - at < resetTokenSize + 5 || !this.#tail(bytes, end)) return false;
    this.#events.resetProved(now);
    return true;
  }

  // Frames

  #parses(view: Uint8Array, from: number, to: number, numberSize: number): boolean {
    const { version } = this.#core;
    for (let at = from; at < to; ) {
      at = this.#frame.read(version, view, at, to, numberSize);
      if (at < 0) return false;
      const { type, id } = this.#frame;
      const isHandshake = type === FrameType.crypto || (type === FrameType.stream && id === cryptoStreamId);
      const isHarmless =
        type === FrameType.ack ||
        type === FrameType.padding ||
        type === FrameType.ping ||
        type === FrameType.stopWaiting ||
        type === FrameType.connectionClose;
      if (!isHandshake && !isHarmless) return false;
    }
    return from < to;
  }

  #frames(view: Uint8Array, from: number, to: number, numberSize: number, level: Level, now: Instant): void {
    const core = this.#core;
    const frame = this.#frame;
    for (let at = from; at < to; ) {
      at = frame.read(core.version, view, at, to, numberSize);
      if (at < 0) refuse("malformed-frame", "packet", "a frame does not parse");
      if (!core.closing.isOpen) return;
      this.#take(view, level, now);
    }
  }

  #take(view: Uint8Array, level: Level, now: Instant): void {
    const core = this.#core;
    const frame = this.#frame;
    const { type, id } = frame;
    if (type !== FrameType.ack && type !== FrameType.padding && type !== FrameType.stopWaiting) {
      this.#isEliciting ||= type !== FrameType.connectionClose;
    }
    switch (type) {
      case FrameType.padding:
      case FrameType.ping:
      case FrameType.stopWaiting:
        return;
      case FrameType.ack:
        this.#ack(level, now);
        return;
      case FrameType.connectionClose: {
        const size = Math.min(frame.dataSize, limits.reasonMax);
        this.#events.closedByPeer(frame.code, view.slice(frame.dataAt, frame.dataAt + size), now);
        return;
      }
      case FrameType.crypto:
        this.#handshake(view, level, now);
        return;
      case FrameType.stream:
        if (!core.version.cryptoFrames && id === cryptoStreamId) {
          if (frame.fin) refuse("wrong-parameter", "STREAM", "the handshake's stream does not end");
          this.#handshake(view, level, now);
          return;
        }
        this.#early0(level);
        core.streams.onStream(
          id,
          frame.offset,
          view.subarray(frame.dataAt, frame.dataAt + frame.dataSize),
          frame.fin,
          now,
        );
        return;
      case FrameType.rstStream:
        this.#noCrypto(id, type);
        core.streams.onRstStream(id, frame.code, frame.offset, now);
        return;
      case FrameType.windowUpdate:
        if (id === cryptoStreamId && !core.version.cryptoFrames) return;
        core.streams.onWindowUpdate(id, frame.offset);
        return;
      case FrameType.blocked:
        if (id === cryptoStreamId && !core.version.cryptoFrames) return;
        core.streams.onBlocked(id);
        return;
      case FrameType.goaway:
        return;
      default:
        core.emit({
          kind: "datagram",
          connection: core.number,
          bytes: view.subarray(frame.dataAt, frame.dataAt + frame.dataSize),
        });
    }
  }

  /** Streams that begin under initial keys are told so: their bytes may have been replayed. */
  #early0(level: Level): void {
    const core = this.#core;
    const { id } = this.#frame;
    if (level === Level.initial && !core.isClient && core.streams.get(id) === undefined) core.earlyStreams.add(id);
  }

  #noCrypto(id: number, type: FrameType): void {
    if (id === cryptoStreamId && !this.#core.version.cryptoFrames) {
      refuse("stream-id", frameNames[type], "the handshake's stream is no stream of the application's");
    }
  }

  #handshake(view: Uint8Array, level: Level, now: Instant): void {
    const { offset, dataAt, dataSize } = this.#frame;
    this.#core.receivers[level].receive(offset, view.subarray(dataAt, dataAt + dataSize));
    this.#events.handshakeBytes(level, now);
  }

  #ack(level: Level, now: Instant): void {
    const core = this.#core;
    const { recovery, path } = core;
    const { bounds, count, delayUs } = this.#frame;
    const largest = bounds[1]!;
    // Anybody can write what is in the clear: it speaks for nothing that was not.
    if (level === Level.clear && (largest >= core.firstKeyed || largest >= core.next)) return;
    if (recovery.acknowledge(0, bounds, count, delayUs / 1000, now) === "unsent") {
      if (level === Level.clear) return;
      refuse("ack-of-unsent", "ACK", `${largest} or one below it was never sent`);
    }
    if (!path.isValidated && level !== Level.clear && largest >= path.firstNumber && path.firstNumber > 0) {
      path.isValidated = true;
    }
    core.mtu.heard(recovery.newlyAckedSizeMax);
    core.followMtu(now);
  }
}

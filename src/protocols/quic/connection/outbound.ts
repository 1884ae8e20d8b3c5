import type { Ecn, Instant, SocketAddress } from "../../../contract/index.js";
import { Sent } from "../../../mechanisms/recovery/index.js";
import { Held } from "../contents.js";
import { applicationError } from "../failure.js";
import { limits, udpPayloadMin, wideAfterBytes } from "../limits.js";
import { PacketType } from "../protection/versions.js";
import { FrameType } from "../wire/frame-types.js";
import { putAck, putClose, putNewToken, putPath } from "../wire/frame-writers.js";
import type { Core } from "./core.js";
import { HeldHere } from "./delivery.js";
import { PacketWriter } from "./packet-writer.js";
import type { Path } from "./path.js";
import { type Space, SpaceId } from "./space.js";

/** A packet that begins with less room than this is not begun. */
const packetRoomMin = 64;

/** Makes datagrams of what the parts have to say (RFC 9000 §12.2, §13, §14.1). */
export class Outbound {
  /** Of the datagrams that were made last. */
  segmentSize = 0;
  to!: SocketAddress;
  from!: SocketAddress;
  ecn: Ecn = 0;
  readonly #core: Core;
  readonly #writer: PacketWriter;

  constructor(core: Core) {
    this.#core = core;
    this.#writer = new PacketWriter(core);
  }

  /** Writes datagrams from the start of the buffer and answers their bytes; 0 if there is nothing to send now. */
  transmit(into: Uint8Array, now: Instant): number {
    const core = this.#core;
    const { closing, paths } = core;
    if (!closing.isOpen) return closing.isDue ? this.#closeDatagram(into, now) : 0;
    const probing = core.oneRtt.writeHeader === undefined ? undefined : paths.probing;
    if (probing !== undefined) {
      const size = this.#probeDatagram(into, probing, now);
      if (size > 0) return size;
    }
    const path = paths.speaking;
    let size = 0;
    if (
      core.spaces[0].write !== undefined ||
      core.spaces[1].write !== undefined ||
      core.spaces[2].write !== undefined
    ) {
      size = this.#handshakeDatagram(into, path, now);
    } else if (core.oneRtt.writeHeader !== undefined) size = this.#batch(into, path, now);
    core.recovery.amplificationBlocked = path.room < udpPayloadMin && !path.isValidated;
    return size;
  }

  #leaves(path: Path, size: number, segmentSize: number, isMarked: boolean): number {
    const core = this.#core;
    path.bytesSent += size;
    core.bytesSent += size;
    this.segmentSize = segmentSize;
    this.to = path.remote;
    this.from = path.local;
    this.ecn = isMarked ? core.ecn.codepoint() : 0;
    return size;
  }

  // While the handshake goes on: packets of several levels in one datagram

  #handshakeDatagram(into: Uint8Array, path: Path, now: Instant): number {
    const core = this.#core;
    const size = Math.min(udpPayloadMin, into.length, path.room);
    // A client fills its datagrams; a server may have room for less.
    if (size < packetRoomMin || (core.isClient && size < udpPayloadMin)) return 0;
    const mayElicit = core.recovery.allowance(now) > 0;
    // RFC 9000 §14.1: a server's Initial that asks for an answer fills a datagram, or waits until there is room.
    if (size < udpPayloadMin && this.#typeFor(core.spaces[0]) !== undefined) {
      const asks = core.recovery.probes > 0 || (mayElicit && core.spaces[0].sender.wants);
      if (asks) return 0;
    }
    let at = 0;
    let mustFill = false;
    for (const space of core.spaces) {
      const type = this.#typeFor(space);
      if (type === undefined || size - at < packetRoomMin || !this.#wants(space, type, mayElicit, now)) continue;
      if (!this.#writer.begin(into, at, size, space, type, path.cid)) continue;
      this.#frames(space, type, mayElicit, now);
      if (this.#writer.isEmpty) {
        this.#writer.abandon();
        continue;
      }
      // RFC 9000 §14.1: a client's Initial, and a server's that asks for an answer.
      if (space.id === SpaceId.initial && (core.isClient || this.#writer.isAckEliciting)) mustFill = true;
      if (mustFill && !this.#laterWants(space, mayElicit, size - this.#writer.at, now)) {
        this.#writer.pad(size);
        mustFill = false;
      }
      at = this.#writer.seal(now, this.#marks);
      // RFC 9001 §4.9.1: a client that sends a Handshake packet has no more use for Initial keys.
      if (space.id === SpaceId.handshake && core.isClient) this.#discardInitial(now);
    }
    if (at === 0) return 0;
    if (mustFill) {
      // What was wanted did not fit after all: bytes that are no packet are passed over (§12.2).
      into.fill(0, at, size);
      at = size;
    }
    return this.#leaves(path, at, at, true);
  }

  #typeFor(space: Space): PacketType | undefined {
    const core = this.#core;
    if (space.id === SpaceId.application) {
      if (core.oneRtt.writeHeader !== undefined) return PacketType.oneRtt;
      return space.write === undefined ? undefined : PacketType.zeroRtt;
    }
    return space.write === undefined
      ? undefined
      : space.id === SpaceId.initial
        ? PacketType.initial
        : PacketType.handshake;
  }

  #wants(space: Space, type: PacketType, mayElicit: boolean, now: Instant): boolean {
    const { recovery } = this.#core;
    if (recovery.probes > 0 && recovery.probeSpace === space.id) return true;
    if (type !== PacketType.zeroRtt && space.received.isDue(now)) return true;
    return mayElicit && this.#hasContent(space, type);
  }

  #laterWants(space: Space, mayElicit: boolean, room: number, now: Instant): boolean {
    if (room < packetRoomMin + 40) return false;
    return this.#core.spaces.some((later) => {
      const type = later.id > space.id ? this.#typeFor(later) : undefined;
      return type !== undefined && this.#wants(later, type, mayElicit, now);
    });
  }

  #hasContent(space: Space, type: PacketType): boolean {
    const core = this.#core;
    if (space.sender.wants && type !== PacketType.zeroRtt) return true;
    if (space.id !== SpaceId.application) return false;
    if (core.streams.wants || core.datagrams.wants || core.pingWanted) return true;
    if (type === PacketType.zeroRtt) return false;
    return core.handshakeDoneWanted || core.newToken !== undefined || core.ownCids.wants || core.peerCids.wants;
  }

  /** Is there something to send that only the window or the pace holds back? */
  get hasWaiting(): boolean {
    const core = this.#core;
    return core.spaces.some((space) => {
      const type = this.#typeFor(space);
      return type !== undefined && this.#hasContent(space, type);
    });
  }

  #discardInitial(now: Instant): void {
    const core = this.#core;
    if (core.spaces[0].isDiscarded) return;
    core.spaces[0].discard();
    core.recovery.discard(SpaceId.initial, now);
  }

  // Frames

  /** Puts into the packet what its space has to say. */
  #frames(space: Space, type: PacketType, mayElicit: boolean, now: Instant): void {
    const core = this.#core;
    const writer = this.#writer;
    const { recovery } = core;
    const isProbe = recovery.probes > 0 && recovery.probeSpace === space.id;
    if (type !== PacketType.zeroRtt && space.received.hasUntold) this.#ack(space, now);
    if (mayElicit || isProbe) {
      const before = writer.at;
      if (type !== PacketType.zeroRtt) {
        writer.at = space.sender.fill(writer.into, writer.at, writer.end, recovery);
      }
      if (space.id === SpaceId.application) this.#application(type, now);
      if (writer.at > before) writer.isAckEliciting = true;
    }
    if (isProbe && !writer.isAckEliciting) this.#ping();
  }

  #ack(space: Space, now: Instant): void {
    const core = this.#core;
    const writer = this.#writer;
    const { received } = space;
    const isApplication = space.id === SpaceId.application;
    // In units of 2^3 microseconds, our ack_delay_exponent.
    const delay = isApplication ? Math.floor((received.delayMs(now) * 1000) / 8) : 0;
    const { ecn } = received;
    const counts = ecn.ect0 + ecn.ect1 + ecn.ce > 0 ? ecn : undefined;
    const to = putAck(writer.into, writer.at, writer.end, received.ranges, received.firstToTell, delay, counts);
    if (to === writer.at) return;
    writer.at = to;
    received.told();
    core.recovery.hold(Held.ack, 0, 0, received.ranges.end);
  }

  #application(type: PacketType, now: Instant): void {
    const core = this.#core;
    const writer = this.#writer;
    const { recovery } = core;
    if (type === PacketType.oneRtt) {
      if (core.handshakeDoneWanted && writer.at < writer.end) {
        writer.into[writer.at++] = FrameType.handshakeDone;
        core.handshakeDoneWanted = false;
        recovery.hold(Held.handshakeDone, 0, 0, 0);
      }
      const token = core.newToken;
      if (token !== undefined && writer.end - writer.at > token.length + 5) {
        writer.at = putNewToken(writer.into, writer.at, token);
        core.newToken = undefined;
        recovery.hold(Held.newToken, 0, 0, 0);
      }
      if (core.ownCids.wants) writer.at = core.ownCids.fill(writer.into, writer.at, writer.end, recovery);
      if (core.peerCids.wants) writer.at = core.peerCids.fill(writer.into, writer.at, writer.end, recovery);
    }
    if (core.pingWanted) this.#ping();
    if (core.datagrams.wants) writer.at = core.datagrams.fill(writer.into, writer.at, writer.end, recovery, now);
    if (core.streams.wants) {
      writer.at = core.streams.fill(writer.into, writer.at, writer.end, recovery);
    }
  }

  #ping(): void {
    const writer = this.#writer;
    if (writer.at >= writer.end) return;
    writer.into[writer.at++] = FrameType.ping;
    writer.isAckEliciting = true;
    this.#core.pingWanted = false;
  }

  get #marks(): number {
    return this.#core.ecn.codepoint() === 2 ? Sent.ect0 : 0;
  }

  // Afterwards: 1-RTT packets alone, as many of one size as may go

  #batch(into: Uint8Array, path: Path, now: Instant): number {
    const core = this.#core;
    const { recovery } = core;
    let allowance = recovery.allowance(now);
    const probeSize = allowance > 0 ? this.#mtuProbe(now) : 0;
    // The pace lets a packet out, and is told of the whole: in a steady flow it would never let out one that is larger.
    if (probeSize > 0 && Math.min(path.room, into.length, recovery.room) >= probeSize) {
      return this.#mtuProbeDatagram(into, probeSize, path, now);
    }
    const [, , space] = core.spaces;
    // What a candidate carries is not known yet.
    const mtu = path === core.paths.current ? core.mtu.current : udpPayloadMin;
    const most = Math.min(into.length, limits.batchBytesMax, path.room);
    let at = 0;
    let count = 0;
    const marks = this.#marks;
    while (count < limits.batchDatagramsMax && most - at >= mtu) {
      const isProbe = recovery.probes > 0 && recovery.probeSpace === SpaceId.application;
      const mayElicit = allowance >= mtu || isProbe;
      const hasContent = mayElicit && this.#hasContent(space, PacketType.oneRtt);
      if (!hasContent && !isProbe && !space.received.isDue(now)) {
        if (mayElicit && !hasContent) recovery.applicationLimited();
        break;
      }
      const end = this.#oneRttPacket(into, at, at + mtu, path, mayElicit, marks, now);
      if (end === at) break;
      allowance -= end - at;
      count++;
      const isFull = end === at + mtu;
      at = end;
      if (!isFull) break;
      if (core.oneRtt.wantsUpdate) break;
    }
    return at === 0 ? 0 : this.#leaves(path, at, count > 1 ? mtu : at, true);
  }

  #oneRttPacket(
    into: Uint8Array,
    at: number,
    end: number,
    path: Path,
    mayElicit: boolean,
    marks: number,
    now: Instant,
  ): number {
    const core = this.#core;
    const writer = this.#writer;
    if (!writer.begin(into, at, end, core.spaces[2], PacketType.oneRtt, path.cid)) return at;
    this.#frames(core.spaces[2], PacketType.oneRtt, mayElicit, now);
    if (writer.isEmpty) {
      writer.abandon();
      return at;
    }
    return writer.seal(now, marks);
  }

  // Datagrams of one purpose

  /** PATH_CHALLENGE and PATH_RESPONSE, in datagrams that show that the path bears them (§8.2.1). */
  #probeDatagram(into: Uint8Array, path: Path, now: Instant): number {
    const core = this.#core;
    const writer = this.#writer;
    const size = Math.min(udpPayloadMin, path.room, into.length);
    if (!writer.begin(into, 0, size, core.spaces[2], PacketType.oneRtt, path.cid)) return 0;
    const response = path.takeResponse();
    if (response !== undefined) writer.at = putPath(into, writer.at, FrameType.pathResponse, response);
    // §9.3.3: asked on the path in use, we show by a frame that is no probe that we are here still.
    let shows = response !== undefined && path === core.paths.speaking;
    if (path.isChallengeDue) {
      const { ptoMs, patienceMs } = core;
      const challenge = path.takeChallenge(core.ground.entropy, size >= udpPayloadMin, ptoMs, patienceMs, now);
      writer.at = putPath(into, writer.at, FrameType.pathChallenge, challenge);
      // Some servers answer only where they are spoken to: to them, a frame that is no probe says that we have moved (§9.2).
      if (core.isClient && path.isChallengedAgain) shows = true;
    }
    if (shows) into[writer.at++] = FrameType.ping;
    writer.isAckEliciting = true;
    writer.pad(size);
    return this.#leaves(path, writer.seal(now, 0), size, false);
  }

  #mtuProbe(now: Instant): number {
    const core = this.#core;
    const path = core.paths.speaking;
    if (!core.isConfirmed || !path.isValidated) return 0;
    const size = core.mtu.probe(now, path.bytesSent >= wideAfterBytes);
    return size === undefined ? 0 : Math.min(size, core.peer?.maxUdpPayloadSize ?? size);
  }

  #mtuProbeDatagram(into: Uint8Array, size: number, path: Path, now: Instant): number {
    const core = this.#core;
    const writer = this.#writer;
    if (!writer.begin(into, 0, size, core.spaces[2], PacketType.oneRtt, path.cid)) return 0;
    into[writer.at++] = FrameType.ping;
    writer.isAckEliciting = true;
    writer.pad(size);
    core.recovery.hold(HeldHere.mtuProbe, 0, 0, size);
    core.mtu.probeSent(size);
    return this.#leaves(path, writer.seal(now, Sent.probe), size, false);
  }

  /** CONNECTION_CLOSE at every level that the peer may have keys for (§10.2.3). */
  #closeDatagram(into: Uint8Array, now: Instant): number {
    const core = this.#core;
    const { closing, paths } = core;
    const path = paths.speaking;
    const { code, about, reason } = closing.message!;
    const size = Math.min(udpPayloadMin, into.length, path.room);
    let at = 0;
    closing.sent();
    for (const space of core.spaces) {
      const type = this.#typeFor(space);
      if (type === undefined || size - at < packetRoomMin) continue;
      const writer = this.#writer;
      if (!writer.begin(into, at, size, space, type, path.cid)) continue;
      // §10.2.3: what an application says stays hidden until the handshake is done.
      const isPlain = about === undefined && type !== PacketType.oneRtt && type !== PacketType.zeroRtt;
      writer.at = isPlain
        ? putClose(into, writer.at, writer.end, applicationError, 0, new Uint8Array(0))
        : putClose(into, writer.at, writer.end, code, about, reason);
      if (type === PacketType.initial && core.isClient && !this.#hasKeysAbove(space)) writer.pad(size);
      at = writer.seal(now, 0);
    }
    if (at > 0 && core.isClient && core.spaces[0].write !== undefined && at < size) {
      into.fill(0, at, size);
      at = size;
    }
    return at === 0 ? 0 : this.#leaves(path, at, at, false);
  }

  #hasKeysAbove(space: Space): boolean {
    return this.#core.spaces.some((each) => each.id > space.id && this.#typeFor(each) !== undefined);
  }
}

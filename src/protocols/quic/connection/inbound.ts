import { equal } from "../../../bytes/index.js";
import type { Ecn, Instant } from "../../../contract/index.js";
import { refuse } from "../failure.js";
import { limits, udpPayloadMin } from "../limits.js";
import type { Protection } from "../protection/protection.js";
import { readPacketNumber, tagSize, unprotectHeader } from "../protection/protection.js";
import { PacketType } from "../protection/versions.js";
import { HeaderView } from "../wire/header.js";
import type { Core } from "./core.js";
import type { FrameReader } from "./frames.js";
import type { Negotiation } from "./negotiation.js";
import type { Path } from "./path.js";
import { type Space, spaceNames } from "./space.js";

/** What inbound packets make happen that is more than a part's own business. */
export interface InboundEvents {
  /** The first Handshake packet came (RFC 9001 §4.9.1). */
  handshakePacket(path: Path, now: Instant): void;
  /** The peer speaks from there now. */
  moved(path: Path, now: Instant): void;
  statelessReset(now: Instant): void;
  /** The peer's key update was followed. */
  keysFollowed(now: Instant): void;
}

/** Bytes of the least stateless reset (§10.3). */
const resetSizeMin = 21;

/** A packet that came before its keys. */
interface EarlyPacket {
  readonly bytes: Uint8Array;
  readonly path: Path;
  readonly ecn: Ecn;
}

/** Takes datagrams apart into packets, opens those, and hands on their frames (RFC 9000 §12.2, §5.2). */
export class Inbound {
  readonly #core: Core;
  readonly #frames: FrameReader;
  readonly #negotiation: Negotiation;
  readonly #events: InboundEvents;
  readonly #header = new HeaderView();
  #early: EarlyPacket[] = [];
  /** Id of ours on which the packet in hand came. */
  #dcidAt = 0;
  #datagramSize = 0;

  constructor(core: Core, frames: FrameReader, negotiation: Negotiation, events: InboundEvents) {
    this.#core = core;
    this.#frames = frames;
    this.#negotiation = negotiation;
    this.#events = events;
  }

  /** One datagram, `bytes[from … end)`. It may be overwritten. */
  datagram(bytes: Uint8Array, from: number, end: number, path: Path, ecn: Ecn, now: Instant): void {
    const core = this.#core;
    path.bytesReceived += end - from;
    core.bytesReceived += end - from;
    const header = this.#header;
    const idSize = core.ground.generator.size;
    this.#datagramSize = end - from;
    let at = from;
    let opened = false;
    let firstIdAt = 0;
    let firstIdSize = 0;
    while (at < end && header.read(bytes, at, end, idSize)) {
      // §12.2: all packets of a datagram are for one connection.
      if (at === from) {
        firstIdAt = header.dcidAt;
        firstIdSize = header.dcidSize;
      } else if (!sameBytes(bytes, firstIdAt, firstIdSize, header.dcidAt, header.dcidSize)) break;
      const next = header.end;
      this.#dcidAt = header.dcidAt;
      if (this.#packet(bytes, at, path, ecn, now)) opened = true;
      else {
        core.packetsDropped++;
        core.tracer?.dropped(next - at, now);
      }
      if (core.closing.isDeaf) return;
      at = next;
    }
    if (!opened) this.strange(bytes, from, end, now);
  }

  /** What cannot be opened, or has an id that nobody knows, may be a stateless reset (§10.3.1). */
  strange(bytes: Uint8Array, from: number, end: number, now: Instant): void {
    const isReset = end - from >= resetSizeMin && this.#core.peerCids.isResetToken(bytes.subarray(from, end));
    if (isReset) this.#events.statelessReset(now);
  }

  /** Keys have come: what waited for them is looked at again. */
  replay(now: Instant): void {
    this.#core.hasNewReadKeys = false;
    if (this.#early.length === 0) return;
    const early = this.#early;
    this.#early = [];
    for (const { bytes, path, ecn } of early) {
      if (this.#header.read(bytes, 0, bytes.length, this.#core.ground.generator.size)) {
        this.#dcidAt = this.#header.dcidAt;
        this.#packet(bytes, 0, path, ecn, now);
      }
    }
  }

  clear(): void {
    this.#early = [];
  }

  /** False: it is dropped. */
  #packet(bytes: Uint8Array, at: number, path: Path, ecn: Ecn, now: Instant): boolean {
    const header = this.#header;
    // A client is given all that comes to its port; what is for another id is not for it.
    const { isClient, beginning } = this.#core;
    if (isClient && header.isLong && !sameBytesIn(bytes, header.dcidAt, beginning.ownCid, header.dcidSize))
      return false;
    switch (header.type) {
      case PacketType.oneRtt:
        return this.#oneRtt(bytes, at, path, ecn, now);
      case PacketType.versionNegotiation:
        return this.#negotiation.versionNegotiation(bytes, header, now);
      case PacketType.retry:
        return this.#negotiation.retry(bytes, header, at);
      default:
        return header.version !== undefined && this.#long(bytes, at, path, ecn, now);
    }
  }

  #long(bytes: Uint8Array, at: number, path: Path, ecn: Ecn, now: Instant): boolean {
    const core = this.#core;
    const header = this.#header;
    const isInitial = header.type === PacketType.initial;
    const space = core.spaces[isInitial ? 0 : header.type === PacketType.handshake ? 1 : 2];
    // §7.2: after the first packet the peer's id is settled; others are somebody else's.
    if (core.peerInitialCid !== undefined && !this.#isFrom(bytes, core.peerInitialCid)) return false;
    // §14.1: a client's Initial fills its datagram; §17.2.2: a server's has no token.
    if (isInitial && (core.isClient ? header.tokenSize > 0 : this.#datagramSize < udpPayloadMin)) return false;
    if (space.isDiscarded) return false;
    if (header.type === PacketType.zeroRtt ? core.isClient || header.version !== core.originalVersion : !this.#isOurs) {
      return false;
    }
    const read =
      header.version === core.version || header.type === PacketType.zeroRtt ? space.read : this.#otherInitialKeys;
    if (read === undefined) return isInitial ? false : this.#keep(bytes, at, path, ecn);
    return this.#open(bytes, at, space, read, path, ecn, now);
  }

  /** Is it in the version of this connection, or one in which Initial packets may still come, or come for the first time? */
  get #isOurs(): boolean {
    const { type, version } = this.#header;
    return version === this.#core.version || (type === PacketType.initial && this.#otherInitialKeys !== undefined);
  }

  get #otherInitialKeys(): Protection | undefined {
    const core = this.#core;
    const { version } = this.#header;
    return core.isClient
      ? this.#negotiation.keysFor(version)
      : version === core.originalVersion
        ? core.otherInitialRead
        : undefined;
  }

  #open(bytes: Uint8Array, at: number, space: Space, read: Protection, path: Path, ecn: Ecn, now: Instant): boolean {
    const header = this.#header;
    const { type, bodyAt, end } = header;
    const size = unprotectHeader(read.header, bytes, at, bodyAt, end);
    if (size === 0) return false;
    const number = readPacketNumber(bytes, bodyAt, size, space.received.largest + 1);
    if (space.received.isDuplicate(number)) return false;
    const payload = bodyAt + size;
    if (!read.packet.open(bytes, at, payload, end, number)) return false;
    if (!this.#hasFixedBit(bytes, at)) return false;
    if (this.#core.peerInitialCid === undefined) {
      this.#core.peerInitialCid = bytes.slice(header.scidAt, header.scidAt + header.scidSize);
      if (this.#core.isClient) this.#core.peerCids.initial(this.#core.peerInitialCid);
      if (this.#core.isClient) this.#core.paths.current.cid = this.#core.peerInitialCid;
    }
    if (!this.#core.isVersionKnown) this.#negotiation.settle(header.version!);
    if ((bytes[at]! & 0x0c) !== 0) refuse("reserved-bits", "long header", "reserved bits are set");
    if (type === PacketType.handshake) this.#events.handshakePacket(path, now);
    this.#opened(bytes, payload, end - tagSize, space, type, number, path, ecn, now);
    return true;
  }

  #oneRtt(bytes: Uint8Array, at: number, path: Path, ecn: Ecn, now: Instant): boolean {
    const core = this.#core;
    const { oneRtt } = core;
    const space = core.spaces[2];
    const readHeader = oneRtt.readHeader;
    // RFC 9001 §5.7: not before the handshake is complete, though the keys may be there.
    if (readHeader === undefined || !core.isComplete) return this.#keep(bytes, at, path, ecn);
    const { bodyAt, end } = this.#header;
    const size = unprotectHeader(readHeader, bytes, at, bodyAt, end);
    if (size === 0) return false;
    const number = readPacketNumber(bytes, bodyAt, size, space.received.largest + 1);
    if (space.received.isDuplicate(number)) return false;
    const payload = bodyAt + size;
    if (!oneRtt.open(bytes, at, payload, end, number, now, core.ptoMs)) {
      if (oneRtt.isExhausted)
        refuse("keys-exhausted", "1-RTT packet", "too many packets failed to open (RFC 9001 §6.6)");
      return false;
    }
    if (!this.#hasFixedBit(bytes, at)) return false;
    if ((bytes[at]! & 0x18) !== 0) refuse("reserved-bits", "short header", "reserved bits are set");
    if (oneRtt.followed) this.#events.keysFollowed(now);
    this.#opened(bytes, payload, end - tagSize, space, PacketType.oneRtt, number, path, ecn, now);
    return true;
  }

  #opened(
    bytes: Uint8Array,
    payload: number,
    end: number,
    space: Space,
    type: PacketType,
    number: number,
    path: Path,
    ecn: Ecn,
    now: Instant,
  ): void {
    const core = this.#core;
    core.isHeard = true;
    core.packetsReceived++;
    core.idle.heard(now);
    const isNewest = number > space.received.largest;
    const dcidAt = this.#dcidAt;
    core.tracer?.received(type, number, bytes, payload, end, end - payload + tagSize, now);
    const { closing } = core;
    if (!closing.isOpen) {
      this.#frames.lookForClose(bytes, payload, end, now);
      return;
    }
    this.#frames.dcidAt = dcidAt;
    this.#frames.read(bytes, payload, end, space, type, path, now);
    space.received.received(number, this.#frames.isAckEliciting, ecn, now);
    if (type !== PacketType.oneRtt) return;
    if (path.arrivedOn.length === 0 || isNewest) this.#arrived(bytes, dcidAt, path);
    // §9.3: only the newest packet moves the peer, and not one that only probes.
    if (path !== core.paths.current && isNewest && !this.#frames.isProbing) this.#events.moved(path, now);
  }

  #arrived(bytes: Uint8Array, at: number, path: Path): void {
    const { size } = this.#core.ground.generator;
    if (sameBytesIn(bytes, at, path.arrivedOn, size)) return;
    path.arrivedOn = bytes.slice(at, at + size);
  }

  /** RFC 9000 §17.2; with grease_quic_bit any value will do (RFC 9287 §3). */
  #hasFixedBit(bytes: Uint8Array, at: number): boolean {
    return (bytes[at]! & 0x40) !== 0 || this.#core.own.greaseQuicBit === true;
  }

  #isFrom(bytes: Uint8Array, cid: Uint8Array): boolean {
    const { scidAt, scidSize } = this.#header;
    return equal(bytes.subarray(scidAt, scidAt + scidSize), cid);
  }

  #keep(bytes: Uint8Array, at: number, path: Path, ecn: Ecn): boolean {
    if (this.#early.length >= limits.earlyDatagramsMax) return false;
    this.#early.push({ bytes: bytes.slice(at, this.#header.end), path, ecn });
    return true;
  }
}

export const packetName = (type: PacketType): string =>
  type === PacketType.zeroRtt
    ? "0RTT"
    : type === PacketType.oneRtt
      ? "1RTT"
      : spaceNames[type === PacketType.initial ? 0 : 1];

function sameBytes(bytes: Uint8Array, a: number, aSize: number, b: number, bSize: number): boolean {
  if (aSize !== bSize) return false;
  for (let i = 0; i < aSize; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}

function sameBytesIn(bytes: Uint8Array, at: number, other: Uint8Array, size: number): boolean {
  if (other.length !== size) return false;
  for (let i = 0; i < size; i++) if (bytes[at + i] !== other[i]) return false;
  return true;
}

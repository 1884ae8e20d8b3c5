import { fromUtf8 } from "../../../bytes/index.js";
import { Failure, type Instant } from "../../../contract/index.js";
import { alertFailure } from "../../tls/index.js";
import {
  applicationError,
  cryptoError,
  type QuicFailure,
  quicFailure,
  refuse,
  transportErrorName,
} from "../failure.js";
import { PacketType } from "../protection/versions.js";
import { FrameType, frameName, isAckEliciting, isKnownFrame, isProbing, mayStandIn } from "../wire/frame-types.js";
import { FrameView } from "../wire/frame-view.js";
import type { Core } from "./core.js";
import type { Path } from "./path.js";
import { type Space, SpaceId } from "./space.js";

/** What frames make happen that is more than a part's own business. */
export interface FrameEvents {
  /** Handshake bytes of this level, in order. */
  crypto(space: SpaceId, bytes: Uint8Array, now: Instant): void;
  handshakeDone(now: Instant): void;
  pathAnswered(path: Path, now: Instant): void;
  /** @param isHidden - it hides what its application says, which a packet of a higher level may tell (§10.2.3) */
  peerClosed(failure: QuicFailure | undefined, isHidden: boolean, now: Instant): void;
}

/** Hands the frames of one packet after the other to the parts that they are for (RFC 9000 §12.4, §19). */
export class FrameReader {
  /** Of the packet that was read last. */
  isAckEliciting = false;
  isProbing = false;
  /** Where the id stands on which the packet in hand came. */
  dcidAt = 0;
  readonly #core: Core;
  readonly #events: FrameEvents;
  readonly #frame = new FrameView();

  constructor(core: Core, events: FrameEvents) {
    this.#core = core;
    this.#events = events;
  }

  /** Type of the frame in hand, for errors that are about it. */
  get type(): number {
    return this.#frame.type;
  }

  read(bytes: Uint8Array, from: number, end: number, space: Space, packet: PacketType, path: Path, now: Instant): void {
    this.isAckEliciting = false;
    this.isProbing = true;
    if (from === end) refuse("empty-packet", "packet", "a packet without frames");
    const frame = this.#frame;
    for (let at = from; at < end; at = frame.next) {
      const whole = frame.read(bytes, at, end);
      const { type } = frame;
      if (!isKnownFrame(type)) refuse("unknown-frame", `frame 0x${type.toString(16)}`, "there is no such frame");
      if (!whole) refuse("malformed-frame", frameName(type), "it does not parse");
      if (!mayStandIn(type, packet)) refuse("unexpected-frame", frameName(type), "it may not stand in such a packet");
      if (isAckEliciting(type)) this.isAckEliciting = true;
      if (!isProbing(type)) this.isProbing = false;
      if (type >= FrameType.stream && type < FrameType.maxData) this.#stream(bytes, packet, now);
      else this.#other(bytes, space, path, now);
    }
  }

  /** After we have closed, only the peer's own close is of interest. */
  lookForClose(bytes: Uint8Array, from: number, end: number, now: Instant): void {
    const frame = this.#frame;
    for (let at = from; at < end && frame.read(bytes, at, end); at = frame.next) {
      if (frame.type === FrameType.connectionClose || frame.type === FrameType.applicationClose) {
        this.#peerClosed(bytes, now);
        return;
      }
    }
  }

  #stream(bytes: Uint8Array, packet: PacketType, now: Instant): void {
    const { id, offset, dataAt, dataSize, fin } = this.#frame;
    const { streams } = this.#core;
    if (packet === PacketType.zeroRtt && streams.get(id) === undefined) (this.#core.earlyStreams ??= new Set()).add(id);
    streams.onStream(id, offset, bytes.subarray(dataAt, dataAt + dataSize), fin, now);
  }

  #other(bytes: Uint8Array, space: Space, path: Path, now: Instant): void {
    const frame = this.#frame;
    const { streams, ownCids, peerCids, isClient } = this.#core;
    switch (frame.type) {
      case FrameType.padding:
      case FrameType.ping:
        break;
      case FrameType.ack:
      case FrameType.ackEcn:
        this.#ack(space, now);
        break;
      case FrameType.resetStream:
        streams.onResetStream(frame.id, frame.code, frame.finalSize, now);
        break;
      case FrameType.stopSending:
        streams.onStopSending(frame.id, frame.code);
        break;
      case FrameType.crypto: {
        const data = bytes.subarray(frame.dataAt, frame.dataAt + frame.dataSize);
        space.receiver.receive(frame.offset, data, (fresh) => this.#events.crypto(space.id, fresh, now));
        break;
      }
      case FrameType.newToken:
        if (!isClient) refuse("unexpected-frame", "new_token", "only a server sends it");
        this.#core.emit({
          kind: "token",
          connection: this.#core.number,
          token: bytes.slice(frame.dataAt, frame.dataAt + frame.dataSize),
        });
        break;
      case FrameType.maxData:
        streams.onMaxData(frame.maximum);
        break;
      case FrameType.maxStreamData:
        streams.onMaxStreamData(frame.id, frame.maximum);
        break;
      case FrameType.maxStreamsBidi:
      case FrameType.maxStreamsUni:
        this.#checkStreams();
        streams.onMaxStreams(
          frame.type === FrameType.maxStreamsBidi ? "bidirectional" : "unidirectional",
          frame.maximum,
        );
        break;
      case FrameType.dataBlocked:
        break;
      case FrameType.streamDataBlocked:
        streams.onStreamDataBlocked(frame.id);
        break;
      case FrameType.streamsBlockedBidi:
      case FrameType.streamsBlockedUni:
        this.#checkStreams();
        break;
      case FrameType.newConnectionId: {
        const cid = bytes.subarray(frame.dataAt, frame.dataAt + frame.dataSize);
        peerCids.onNew(frame.id, frame.retirePriorTo, cid, bytes.subarray(frame.tokenAt, frame.tokenAt + 16));
        break;
      }
      case FrameType.retireConnectionId:
        ownCids.onRetire(frame.id, bytes.subarray(this.dcidAt, this.dcidAt + this.#core.ground.generator.size));
        break;
      case FrameType.pathChallenge:
        path.challenged(bytes.subarray(frame.dataAt, frame.dataAt + 8));
        break;
      case FrameType.pathResponse:
        this.#pathResponse(bytes.subarray(frame.dataAt, frame.dataAt + 8), now);
        break;
      case FrameType.connectionClose:
      case FrameType.applicationClose:
        this.#peerClosed(bytes, now);
        break;
      case FrameType.handshakeDone:
        if (!isClient) refuse("unexpected-frame", "handshake_done", "only a server sends it");
        this.#events.handshakeDone(now);
        break;
      default:
        this.#datagram(bytes);
    }
  }

  /** RFC 9000 §19.3, §13. */
  #ack(space: Space, now: Instant): void {
    const frame = this.#frame;
    const { recovery, oneRtt, ecn, peer } = this.#core;
    const isApplication = space.id === SpaceId.application;
    const delayMs = isApplication ? (frame.ackDelay * 2 ** (peer?.ackDelayExponent ?? 3)) / 1000 : 0;
    if (recovery.acknowledge(space.id, frame.bounds, frame.rangeCount, delayMs, now) === "unsent") {
      refuse("ack-of-unsent", "ack", "a packet is acknowledged that was never sent");
    }
    if (recovery.newlyAcked === 0) return;
    if (isApplication) {
      if (oneRtt.contradicts(frame.bounds[1]!)) {
        refuse("key-update", "ack", "a packet under old keys acknowledges one under new keys");
      }
      oneRtt.acknowledged(frame.bounds[1]!);
    }
    if (space.id === SpaceId.handshake) recovery.peerValidated = true;
    const counts = frame.type === FrameType.ackEcn ? frame : undefined;
    if (ecn.acknowledged(space.id, recovery.newlyAckedEct0, counts, recovery.isNewest) === "congested") {
      recovery.congestionExperienced(space.id, now);
    }
    if (isApplication) {
      this.#core.mtu.heard(recovery.newlyAckedSizeMax);
      this.#core.followMtu(now);
    }
    this.#core.tracer?.metrics(now);
  }

  /** §19.11, §19.14: no more than 2^60 streams. */
  #checkStreams(): void {
    if (this.#frame.maximum > 2 ** 60) refuse("malformed-frame", frameName(this.#frame.type), "more than 2^60 streams");
  }

  #pathResponse(data: Uint8Array, now: Instant): void {
    for (const path of this.#core.paths.all()) {
      if (path.answered(data)) {
        this.#events.pathAnswered(path, now);
        return;
      }
    }
  }

  /** RFC 9221 §3, §4. */
  #datagram(bytes: Uint8Array): void {
    const { dataAt, dataSize, type } = this.#frame;
    const max = this.#core.ground.settings.datagramFrameMax;
    if (max === 0 || dataSize + 1 > max) refuse("unexpected-frame", frameName(type), "longer than what we take");
    this.#core.emit({
      kind: "datagram",
      connection: this.#core.number,
      bytes: bytes.subarray(dataAt, dataAt + dataSize),
    });
  }

  #peerClosed(bytes: Uint8Array, now: Instant): void {
    const { type, code } = this.#frame;
    const isHidden = type === FrameType.connectionClose && code === applicationError;
    this.#events.peerClosed(this.#closeFailure(bytes), isHidden, now);
  }

  /** What the peer's CONNECTION_CLOSE means; a clean end is no failure. */
  #closeFailure(bytes: Uint8Array): QuicFailure | undefined {
    const { type, code, dataAt, dataSize, about } = this.#frame;
    if (code === 0) return undefined;
    const reason = fromUtf8(bytes.subarray(dataAt, dataAt + dataSize)) ?? "";
    const said = reason === "" ? "" : `: ${reason}`;
    if (type === FrameType.applicationClose) {
      return byPeer(
        quicFailure("closed-by-application", "application_close", `the peer closed with code ${code}${said}`, { code }),
      );
    }
    const isTls = code >= cryptoError && code < cryptoError + 256;
    const name = transportErrorName(code);
    const at = about === 0 ? "connection_close" : frameName(about);
    // Whose fault an alert means is the same as in TLS over records, and so is what to try.
    const alert = isTls ? alertFailure(code - cryptoError) : undefined;
    return byPeer(
      quicFailure("closed-by-peer", at, `the peer closed with ${name}${said}`, {
        code,
        ...(alert !== undefined && { fault: alert.fault }),
        ...(alert?.hint !== undefined && { hint: alert.hint }),
      }),
    );
  }
}

const byPeer = (failure: QuicFailure): QuicFailure =>
  new Failure({
    fault: failure.fault,
    reason: failure.reason,
    protocol: failure.protocol,
    message: failure.message,
    byPeer: true,
    ...(failure.at === undefined ? {} : { at: failure.at }),
    ...(failure.code === undefined ? {} : { code: failure.code }),
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
  });

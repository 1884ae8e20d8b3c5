import type { Ecn } from "../../../contract/index.js";
import { type Answer, earliest, Failure, type Instant, type SocketAddress } from "../../../contract/index.js";
import type { TellFate } from "../datagrams.js";
import { type QuicFailure, quicFailure } from "../failure.js";
import type { QuicClientOptions, QuicServerOptions } from "../options.js";
import type { ConnectionInput, QuicEvent } from "../vocabulary.js";
import { closeMessage } from "./closing.js";
import { type Beginning, Core, type Ground } from "./core.js";
import { Delivery } from "./delivery.js";
import { type FrameEvents, FrameReader } from "./frames.js";
import { HandshakeDriver, type HandshakeEvents, questionsPerConnection } from "./handshake.js";
import { Inbound, type InboundEvents } from "./inbound.js";
import { Migration } from "./migration.js";
import { Negotiation } from "./negotiation.js";
import { Outbound } from "./outbound.js";
import { Path } from "./path.js";
import { SpaceId } from "./space.js";

/**
 * One connection: a router. Datagrams go to `Inbound`, which opens packets and has `FrameReader` hand their frames to the
 * parts; `Outbound` makes datagrams of what the parts have to say; `HandshakeDriver` drives TLS. Here is what is left: the
 * steps of a connection's life, its timers, and the edge at which what a peer does wrong becomes one failure.
 */
export class Connection implements InboundEvents, FrameEvents, HandshakeEvents {
  readonly core: Core;
  readonly outbound: Outbound;
  readonly #inbound: Inbound;
  readonly #frames: FrameReader;
  readonly #negotiation: Negotiation;
  readonly #handshake: HandshakeDriver;
  readonly #migration: Migration;
  #isClosedTold = false;
  #isGoneTold = false;
  #isExpiryTold = false;
  /** The last moment at which everything that could go had gone. */
  #drainedAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(ground: Ground, beginning: Beginning, now: Instant) {
    const delivery = new Delivery();
    const core = new Core(ground, beginning, delivery, now);
    delivery.core = core;
    this.core = core;
    this.#frames = new FrameReader(core, this);
    this.#negotiation = new Negotiation(core, (at) => this.#handshake.start(at));
    this.#handshake = new HandshakeDriver(core, this.#negotiation, this);
    this.#inbound = new Inbound(core, this.#frames, this.#negotiation, this);
    this.#migration = new Migration(core, (at) => this.#issueToken(at));
    this.outbound = new Outbound(core);
  }

  get isGone(): boolean {
    return this.core.closing.state === "over";
  }

  /** A client says hello; a server gets ready to hear one. */
  start(now: Instant): void {
    this.#guard(now, () => this.#handshake.start(now));
  }

  datagram(
    bytes: Uint8Array,
    from: number,
    end: number,
    local: SocketAddress,
    remote: SocketAddress,
    ecn: Ecn,
    now: Instant,
  ): void {
    const { core } = this;
    if (core.closing.state === "draining" || this.isGone) return;
    core.closing.heard();
    const known = core.paths.find(local, remote);
    // RFC 9000 §9: a server does not move but to where it said.
    if (known === undefined && core.isClient) return;
    const { current } = core.paths;
    const path =
      known ?? new Path(local, remote, { isValidated: false, isLimited: true }, current.cid, current.cidSequence);
    const received = core.packetsReceived;
    // For every datagram, and so without a closure.
    try {
      this.#inbound.datagram(bytes, from, end, path, ecn, now);
      if (core.hasNewReadKeys) this.#inbound.replay(now);
    } catch (error) {
      this.#caught(error, now);
    }
    this.#migration.followId();
    this.#migration.goOn();
    if (!core.isClient && received === 0 && core.isHeard) {
      core.events.unshift({ kind: "accepted", connection: core.number, local: core.paths.current.local, remote });
    }
    if (known === undefined && core.packetsReceived > received) this.#migration.heardFrom(path);
  }

  answer(answer: Answer, now: Instant): void {
    this.#guard(now, () => {
      this.core.tls.answer({ ...answer, id: answer.id % questionsPerConnection }, now);
      this.#handshake.pump(now);
      if (this.core.hasNewReadKeys) this.#inbound.replay(now);
    });
  }

  input(input: ConnectionInput, now: Instant): void {
    const { core } = this;
    if (!core.closing.isOpen) {
      this.#tooLate(input);
      return;
    }
    const { streams } = core;
    switch (input.kind) {
      case "open-stream":
        streams.open(input.direction, { priority: input.priority, early: input.early });
        break;
      case "stream-write":
        streams.write(input.stream, input.bytes, input.released);
        break;
      case "stream-finish":
        streams.finish(input.stream);
        break;
      case "stream-reset":
        streams.reset(input.stream, input.code);
        break;
      case "stream-stop":
        streams.stopSending(input.stream, input.code, now);
        break;
      case "stream-priority":
        streams.setPriority(input.stream, input.priority);
        break;
      case "stream-pause":
        streams.pause(input.stream);
        break;
      case "stream-resume":
        streams.resume(input.stream, now);
        break;
      case "send-datagram":
        if (!core.datagrams.push(input.bytes, input.lifetimeMs, input.fate, now)) this.#fate(input.fate);
        break;
      case "close":
        core.tracer?.closed(undefined, now);
        core.closing.close(closeMessage(input.code, undefined, input.reason), undefined, now, core.ptoMs);
        break;
      case "abort":
        core.closing.end(undefined);
        break;
      case "refused":
        if (!core.isHeard) {
          const why = "nobody listens there: the network answered for the peer";
          core.closing.end(quicFailure("connection-lost", "port", why, { cause: input.cause }));
        }
        break;
      case "update-keys":
        core.keyUpdateWanted = true;
        break;
      case "ping":
        core.pingWanted = true;
        break;
      case "keep-alive":
        core.idle.keepAliveMs = input.ms;
        break;
      case "migrate":
        this.#migration.begin(input.local, input.remote);
        break;
    }
  }

  transmit(into: Uint8Array, now: Instant): number {
    const { core } = this;
    if (core.closing.isOpen) this.#renewKeys(now);
    const size = this.outbound.transmit(into, now);
    if (size === 0) this.#drainedAt = now;
    return size;
  }

  /**
   * What may be told before what is due has left: anything but the end, and nothing while a flight of the handshake waits.
   * Who closes because of what is told would take the flight along (RFC 9000 §10.2), and the peer were left without a
   * handshake that is over here.
   */
  earlyEvent(): QuicEvent | undefined {
    const [initial, handshake] = this.core.spaces;
    return initial.sender.wants || handshake.sender.wants ? undefined : this.#openEvent();
  }

  #openEvent(): QuicEvent | undefined {
    const { core } = this;
    const event = core.events.shift();
    if (event !== undefined) return event;
    const told = core.streams.event();
    if (told !== undefined) {
      const early = told.kind === "opened" && core.earlyStreams?.delete(told.id) === true;
      return { kind: "stream", connection: core.number, event: told, early };
    }
    const fate = core.datagrams.event();
    return fate === undefined ? undefined : { kind: "fate", connection: core.number, ...fate };
  }

  event(): QuicEvent | undefined {
    const event = this.#openEvent();
    if (event !== undefined) return event;
    const { core } = this;
    const { closing } = core;
    if (closing.isOpen) return undefined;
    if (!this.#isClosedTold) {
      this.#isClosedTold = true;
      this.#letGo();
      return { kind: "closed", connection: core.number, failure: closing.failure };
    }
    if (this.isGone && !this.#isGoneTold) {
      this.#isGoneTold = true;
      this.#wipe();
      return { kind: "gone", connection: core.number };
    }
    return undefined;
  }

  deadline(): Instant | undefined {
    const { core } = this;
    const { closing, recovery, paths } = core;
    if (!closing.isOpen) return closing.deadline();
    let at = core.tls.deadline();
    at = earliest(at, recovery.deadline());
    at = earliest(at, core.idle.deadline(core.ptoMs, core.isComplete));
    at = earliest(at, paths.deadline());
    at = earliest(at, core.oneRtt.deadline());
    at = earliest(at, core.datagrams.deadline());
    at = earliest(at, this.#later(core.mtu.deadline()));
    // What could go when it was due has gone; what could not waits for something else.
    for (const space of core.spaces) {
      if (space.write === undefined && (space.id !== SpaceId.application || core.oneRtt.writeHeader === undefined))
        continue;
      at = earliest(at, this.#later(space.received.deadline()));
    }
    if (this.outbound.hasWaiting) at = earliest(at, this.#later(recovery.paceAt(this.#drainedAt)));
    return at;
  }

  wake(now: Instant): void {
    const { core } = this;
    const { closing, recovery } = core;
    if (!closing.isOpen) {
      closing.wake(now);
      return;
    }
    this.#guard(now, () => {
      core.tls.wake(now);
      this.#handshake.pump(now);
      if (recovery.timeout(now) === "probe") core.ecn.timedOut();
      core.followMtu(now);
      core.tracer?.metrics(now);
      core.oneRtt.wake(now);
      core.datagrams.expire(now);
      this.#migration.wake(now);
      if (core.isComplete && core.idle.wantsPing(now)) core.pingWanted = true;
      if (core.idle.isOver(now, core.ptoMs)) {
        const failure = quicFailure("idle-timeout", "connection", "nothing was heard of the peer for too long");
        core.tracer?.closed(failure, now);
        closing.end(failure);
      }
    });
  }

  /** The port is gone: nothing can be sent any more. */
  portGone(): void {
    this.core.closing.end(quicFailure("connection-lost", "port", "the port below is gone"));
  }

  /** Nothing was ever told of it. */
  forget(): void {
    this.#letGo();
    this.#wipe();
  }

  // What packets, frames and TLS make happen

  crypto(space: SpaceId, bytes: Uint8Array, now: Instant): void {
    // RFC 9369 §4.1: whoever sends handshake messages has chosen the version.
    this.core.isVersionKnown = true;
    this.#handshake.receive(space, bytes, now);
  }

  handshakePacket(path: Path, now: Instant): void {
    const { core } = this;
    path.isValidated = true;
    if (core.isClient || core.spaces[0].isDiscarded) return;
    core.otherInitialRead?.destroy();
    core.otherInitialRead = undefined;
    core.spaces[0].discard();
    core.recovery.discard(SpaceId.initial, now);
  }

  completed(now: Instant): void {
    const { core } = this;
    if (!core.isClient) {
      core.handshakeDoneWanted = true;
      this.#issueToken(now);
      this.#confirm(now);
    }
  }

  handshakeDone(now: Instant): void {
    if (!this.core.isConfirmed && this.core.isComplete) this.#confirm(now);
  }

  failed(failure: QuicFailure, now: Instant): void {
    this.#fail(failure, 0x06, now);
  }

  keysFollowed(now: Instant): void {
    this.#isExpiryTold = false;
    this.core.tracer?.keysUpdated(true, this.core.oneRtt.generation, now);
    this.core.emit({ kind: "key-updated", connection: this.core.number, byPeer: true });
  }

  moved(path: Path, now: Instant): void {
    this.#migration.peerMoved(path, now);
  }

  pathAnswered(path: Path, now: Instant): void {
    this.#migration.answered(path, now);
  }

  peerClosed(failure: QuicFailure | undefined, isHidden: boolean, now: Instant): void {
    const { closing, ptoMs, tracer } = this.core;
    if (closing.isOpen) tracer?.closed(failure, now);
    closing.drain(failure, now, ptoMs, isHidden);
  }

  /** A datagram by an id that nobody knows: the peer's, if it has forgotten this connection. */
  strange(bytes: Uint8Array, from: number, end: number, now: Instant): void {
    if (this.core.closing.isOpen) this.#inbound.strange(bytes, from, end, now);
  }

  statelessReset(now: Instant): void {
    const { closing, ptoMs, tracer } = this.core;
    const message = "the peer has forgotten this connection, and reset it";
    const failure = quicFailure("stateless-reset", "stateless reset", message);
    tracer?.closed(failure, now);
    closing.drain(failure, now, ptoMs);
  }

  // The steps of a connection's life

  /** RFC 9001 §4.1.2: both sides have all keys, and both know it. */
  #confirm(now: Instant): void {
    const { core } = this;
    core.isConfirmed = true;
    core.tracer?.state("handshake_confirmed", now);
    core.recovery.confirmed = true;
    core.recovery.peerValidated = true;
    for (const id of [SpaceId.initial, SpaceId.handshake]) {
      core.spaces[id].discard();
      core.recovery.discard(id, now);
    }
    core.spaces[2].discard();
    core.own = { greaseQuicBit: core.own.greaseQuicBit === true };
    core.ownCids.start();
    const { preferredAddress } = core.ground.options as QuicClientOptions;
    if (core.isClient && preferredAddress !== false) this.#migration.toPreferred();
  }

  #issueToken(now: Instant): void {
    const { core } = this;
    const { addressTokens, options } = core.ground;
    if (addressTokens === undefined || (options as QuicServerOptions).issueTokens === false) return;
    const { address } = core.paths.current.remote;
    core.newToken = core.lastToken = addressTokens.newToken({ address, now, version: core.version.code });
  }

  /** New keys when they are asked for, and before the old ones are worn out (RFC 9001 §6). */
  #renewKeys(now: Instant): void {
    const { core } = this;
    const { oneRtt } = core;
    if (oneRtt.writeHeader === undefined) return;
    const isWorn = oneRtt.wantsUpdate;
    if (isWorn && !this.#isExpiryTold) {
      this.#isExpiryTold = true;
      core.emit({ kind: "key-expiring", connection: core.number, why: "packets" });
    }
    if ((isWorn || core.keyUpdateWanted) && core.isConfirmed && oneRtt.mayUpdate) {
      core.keyUpdateWanted = false;
      this.#isExpiryTold = false;
      oneRtt.update();
      core.tracer?.keysUpdated(false, oneRtt.generation, now);
      core.emit({ kind: "key-updated", connection: core.number, byPeer: false });
    }
    if (oneRtt.isExhausted) {
      this.#fail(
        quicFailure("keys-exhausted", "1-RTT packet", "the keys are worn out, and there are no new ones"),
        0,
        now,
      );
    }
  }

  /** The edge: here everything that a peer can do wrong becomes one failure. */
  #guard(now: Instant, step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#caught(error, now);
    }
  }

  #caught(error: unknown, now: Instant): void {
    const isOurs = error instanceof Failure && error.protocol === "QUIC";
    const failure = isOurs
      ? (error as QuicFailure)
      : quicFailure("internal-error", "connection", "something that cannot happen did", { cause: error });
    this.#fail(failure, this.#frames.type, now);
  }

  #fail(failure: QuicFailure, about: number, now: Instant): void {
    const { core } = this;
    core.tracer?.closed(failure, now);
    // There is nobody to tell.
    if (core.isClient && !core.isHeard) core.closing.end(failure);
    core.closing.close(closeMessage(failure.code ?? 0x01, about, failure.message), failure, now, core.ptoMs);
  }

  #later(at: Instant | undefined): Instant | undefined {
    return at === undefined || at <= this.#drainedAt ? undefined : at;
  }

  /** Bytes that the application gave are its own again. */
  #tooLate(input: ConnectionInput): void {
    const { released } = input.kind === "stream-write" ? input : {};
    if (released !== undefined) {
      this.core.emit({
        kind: "stream",
        connection: this.core.number,
        event: { kind: "released", released },
        early: false,
      });
    }
    if (input.kind === "send-datagram") this.#fate(input.fate);
    if (input.kind === "abort") this.core.closing.end(undefined);
  }

  #fate(tell: TellFate | undefined): void {
    if (tell !== undefined) this.core.emit({ kind: "fate", connection: this.core.number, tell, fate: "lost" });
  }

  #letGo(): void {
    const { core } = this;
    core.streams.close();
    core.datagrams.close();
    this.#inbound.clear();
  }

  #wipe(): void {
    const { core } = this;
    for (const space of core.spaces) space.discard();
    core.otherInitialRead?.destroy();
    core.oneRtt.destroy();
    core.tls.wipe();
  }
}

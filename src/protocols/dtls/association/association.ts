import { type Answer, earliest, type Instant, type SocketAddress, type Transmit } from "../../../contract/index.js";
import type { Handshake, TlsOutcome } from "../../tls/index.js";
import { type DropReason, dtlsFailure } from "../failure.js";
import type { ConnectionIds } from "../handshake/connection-ids.js";
import { Flights } from "../handshake/flights.js";
import { readHeartbeatMode } from "../handshake/heartbeat-mode.js";
import { contentType } from "../record/content-type.js";
import { readSrtp, useSrtp } from "../srtp.js";
import type { Beginning, Surroundings } from "./beginning.js";
import { Core } from "./core.js";
import { Dialogue } from "./dialogue.js";
import { Ending } from "./ending.js";
import { Inbound } from "./inbound.js";
import { Naming } from "./naming.js";
import type { Batch } from "./outbound.js";
import { PathSize } from "./path-size.js";
import { Traffic } from "./traffic.js";
import { Whereabouts } from "./whereabouts.js";

/** One peer, one session: a router over its parts. Records come in by `Inbound`; which part writes first is said in `transmit`. */
export class Association {
  keyGenerationSent = 0;
  keyGenerationReceived = 0;
  readonly #core: Core;
  readonly #ending: Ending;
  readonly #flights: Flights;
  readonly #naming: Naming;
  readonly #dialogue: Dialogue;
  readonly #size: PathSize;
  readonly #traffic: Traffic;
  readonly #whereabouts: Whereabouts;
  readonly #inbound: Inbound;
  readonly #transmitted: { size: number; segmentSize?: number; to: SocketAddress };
  #idleAt: Instant = Number.POSITIVE_INFINITY;

  constructor(begin: Beginning, around: Surroundings, now: Instant) {
    const { ids, transport, firstMessage, id } = begin;
    const core = new Core(begin, around, now);
    this.#core = core;
    this.#ending = new Ending(
      core,
      (failure) => {
        core.handshake.fail(failure);
        this.#dialogue.pump();
      },
      () => this.#clear(),
    );
    this.#size = new PathSize(core);
    this.#flights = new Flights(transport.retransmitMs, firstMessage, (...of) => this.#size.unanswered(...of));
    this.#naming = new Naming(ids, this.#flights, core.epochs, () => around.newConnectionId(id));
    this.#dialogue = new Dialogue(core, this.#ending, this.#flights, this.#naming, {
      recordLimit: (max) => {
        this.#traffic.contentMax = max;
      },
      earlyData: (status, max) => this.#traffic.earlyData(status, max),
      confirmed: (outcome) => this.#confirmed(outcome),
      keyUpdated: (direction) => {
        if (direction === "write") this.keyGenerationSent++;
        else this.keyGenerationReceived++;
      },
    });
    this.#traffic = new Traffic(core, {
      ending: this.#ending,
      dialogue: this.#dialogue,
      flights: this.#flights,
      naming: this.#naming,
      size: this.#size,
    });
    this.#whereabouts = new Whereabouts(core, this.#naming, this.#size);
    this.#transmitted = { size: 0, to: begin.remote };
    this.#inbound = new Inbound(core.epochs, ids, {
      content: (type, bytes, at, size, epoch, sequence) => this.#content(type, bytes, at, size, epoch, sequence),
      named: () => this.#whereabouts.heardFrom(core.from),
      drop: (reason) => core.drop(reason),
      wornOut: () => this.#ending.fail(dtlsFailure("keys-exhausted", "record", "too many forged records for one key")),
    });
  }

  // What is asked of it

  get id(): number {
    return this.#core.id;
  }

  get ids(): ConnectionIds {
    return this.#core.begin.ids;
  }

  get drops(): Core["drops"] {
    return this.#core.drops;
  }

  get remote(): SocketAddress {
    return this.#whereabouts.remote;
  }

  get handshake(): Pick<Handshake, "exportKey" | "exportEarlyKey" | "channelBinding"> {
    return this.#core.handshake;
  }

  /** Random of the ClientHello that began it: another of its address with another random is a new one. */
  get clientRandom(): Uint8Array | undefined {
    return this.#core.handshake.clientRandom;
  }

  get isConfirmed(): boolean {
    return this.#core.isConfirmed;
  }

  get isServer(): boolean {
    return this.#core.isServer;
  }

  /** Ended, well or badly. */
  get isOver(): boolean {
    return this.#ending.isOver;
  }

  get isGone(): boolean {
    return this.#ending.isGone;
  }

  get retransmissions(): number {
    return this.#flights.retransmissions;
  }

  /** Greatest message that fits a datagram. */
  get messageMax(): number {
    return this.#traffic.messageMax;
  }

  /** What has been sent and received, and what waits. */
  get traffic(): Pick<Traffic, "bytesSent" | "bytesReceived" | "messagesSent" | "messagesReceived" | "queued"> {
    return this.#traffic;
  }

  /** Greatest datagram that it sends. */
  get pathSize(): number {
    return this.#size.current;
  }

  drop(reason: DropReason): void {
    this.#core.drop(reason);
  }

  // What comes

  start(now: Instant): void {
    this.#core.now = now;
    this.#dialogue.start();
  }

  /** One datagram. */
  receive(bytes: Uint8Array, at: number, end: number, from: SocketAddress, now: Instant): void {
    this.#core.now = now;
    this.#core.from = from;
    this.#inbound.receive(bytes, at, end);
    if (!this.isOver) this.#settle();
  }

  answer(answer: Answer, now: Instant): void {
    this.#core.now = now;
    this.#dialogue.answer(answer);
    this.#settle();
  }

  wake(now: Instant): void {
    this.#core.now = now;
    if (this.isOver) {
      this.#ending.due(now);
      return;
    }
    this.#dialogue.due(now);
    this.#whereabouts.due(now);
    this.#size.due(now);
    if (this.#flights.due(now, this.#core.handshake.isBlocked) === "gone") {
      this.#ending.fail(
        dtlsFailure("connection-lost", "flight", "the peer does not answer", {
          hint: "is something listening there, and does the path let UDP datagrams of this size through? A smaller `mtu` may help",
        }),
      );
    }
    if (this.#idleAt <= now) this.#idle();
    this.#settle();
  }

  /** Only now and then is it looked at: most packets move it. */
  #idle(): void {
    this.#idleAt = this.#core.activeAt + this.#core.begin.idleTimeoutMs;
    if (this.#idleAt <= this.#core.now) this.#ending.end(undefined, false);
  }

  send(batch: Batch): void {
    this.#traffic.send(batch);
  }

  sendEarly(bytes: Uint8Array): void {
    this.#traffic.sendEarly(bytes);
  }

  close(now: Instant): void {
    this.#core.now = now;
    if (this.isOver) return;
    if (this.isConfirmed) this.#ending.isWanted = true;
    else {
      const message = "the application closed before the handshake was over";
      this.#ending.fail(dtlsFailure("closed-locally", "handshake", message));
    }
  }

  abort(now: Instant): void {
    this.#core.now = now;
    this.#ending.end(undefined, false);
    this.#ending.go();
  }

  /** The network below says that a datagram was too large. */
  tooBig(now: Instant): void {
    this.#core.now = now;
    if (!this.isOver && this.#size.tooBig(now)) this.#flights.tooBig();
  }

  updateKeys(requestPeer: boolean, now: Instant): void {
    this.#core.now = now;
    if (this.isConfirmed && !this.isOver) this.#dialogue.updateKeys(requestPeer);
  }

  requestAuthentication(now: Instant): void {
    this.#core.now = now;
    if (this.isConfirmed && !this.isOver) this.#dialogue.requestAuthentication();
  }

  requestConnectionIds(count: number, now: Instant): void {
    this.#core.now = now;
    if (this.#dialogue.mayRename) this.#naming.request(count);
  }

  renewConnectionId(isImmediate: boolean, now: Instant): void {
    this.#core.now = now;
    if (this.#dialogue.mayRename) this.#naming.give(1, isImmediate);
  }

  deadline(): Instant | undefined {
    if (this.isGone) return undefined;
    if (this.isOver) return this.#ending.deadline;
    let at = earliest(this.#dialogue.deadline, this.#flights.deadline);
    at = earliest(at, this.#whereabouts.deadline);
    at = earliest(at, this.#size.deadline);
    return earliest(at, this.#idleAt === Number.POSITIVE_INFINITY ? undefined : this.#idleAt);
  }

  // What goes

  /** One datagram, or a batch of data. */
  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    if (this.isGone) return undefined;
    this.#core.now = now;
    const out = this.#transmitted;
    delete out.segmentSize;
    out.to = this.remote;
    out.size = this.#write(into);
    if (out.size > 0) return out;
    if (this.#ending.isWanted && this.#traffic.isEmpty) this.#ending.end(undefined, true);
    out.size = this.#ending.write(into, this.#core.epochs.newest);
    return out.size > 0 ? out : undefined;
  }

  #write(into: Uint8Array): number {
    if (this.isOver) return 0;
    const { epochs, now } = this.#core;
    const { application } = epochs;
    let size = this.#dialogue.write(into, this.#size.current);
    if (size === 0 && application !== undefined) {
      size = this.#whereabouts.write(into, application, this.#transmitted);
      if (size === 0) size = this.#size.write(into, application, now);
    }
    if (size === 0) size = this.#traffic.writeEarly(into);
    return size === 0 ? this.#traffic.write(into, this.#transmitted) : size;
  }

  // What the records hold

  #content(type: number, bytes: Uint8Array, at: number, size: number, epoch: number, sequence: number): void {
    const core = this.#core;
    if (this.isOver) {
      this.#ending.heardAfter(type, epoch);
      return;
    }
    if (epoch > 0) {
      core.activeAt = core.now;
      core.isProtected = true;
    }
    switch (type) {
      case contentType.handshake:
        this.#dialogue.receive(bytes, at, at + size, epoch, sequence);
        break;
      case contentType.applicationData:
        this.#traffic.receive(bytes, at, size, epoch);
        break;
      case contentType.alert:
        this.#ending.receive(bytes, at, size, epoch);
        break;
      case contentType.ack:
        this.#dialogue.acknowledged(bytes, at, size);
        break;
      case contentType.returnRoutabilityCheck:
        if (epoch > 0) this.#whereabouts.receive(bytes, at, size);
        break;
      case contentType.heartbeat:
        this.#size.receive(bytes, at, size, epoch);
        break;
      case contentType.changeCipherSpec:
        break; // the epoch says it: RFC 6347 §4.1
      default:
        core.drop("unexpected-record");
    }
  }

  #confirmed(outcome: TlsOutcome): void {
    const core = this.#core;
    const { options, ids, idleTimeoutMs } = core.begin;
    const answer = outcome.extensions.get(useSrtp);
    const srtp =
      answer === undefined || options.srtp === undefined ? undefined : readSrtp(options.srtp, answer, !core.isServer);
    const mode = readHeartbeatMode(outcome.extensions);
    this.#traffic.endEarly();
    core.activeAt = core.now;
    this.#idleAt = core.now + idleTimeoutMs;
    core.outcome = {
      ...outcome,
      srtp,
      connectionIdSizes: { sent: ids.theirs.length, received: ids.ours[0]?.length ?? 0 },
    };
    this.#size.confirmed(mode, this.#traffic.contentMax);
    core.tell({ kind: "confirmed", association: core.id, outcome: core.outcome });
    this.#traffic.release();
  }

  /** After every input. */
  #settle(): void {
    const dialogue = this.#dialogue;
    while (dialogue.hasNewKeys && this.#inbound.isHolding && !this.isOver) {
      dialogue.hasNewKeys = false;
      this.#inbound.release();
    }
    dialogue.hasNewKeys = false;
    dialogue.settle();
  }

  #clear(): void {
    this.#flights.clear();
    this.#dialogue.clear();
    this.#inbound.clear();
    this.#traffic.clear();
    this.#size.stop();
  }
}

import { type Answer, earliest, type Instant, type SocketAddress, type Transmit } from "../../contract/index.js";
import type { Epoch, TlsHandshakeOutput } from "../tls/handshake/vocabulary.js";
import { alertFailure, alertName, alerts, type Handshake, reasons, type TlsOutcome } from "../tls/index.js";
import { Alerts } from "./alerts.js";
import type { Beginning, Surroundings } from "./beginning.js";
import { EarlyData } from "./early-data.js";
import { asFailure, type DropReason, type DtlsFailure, dtlsFailure, explained, inDtls, noDrops } from "./failure.js";
import { Acknowledgements, readAck } from "./handshake/ack.js";
import { type ConnectionIds, connectionIdExtension, routabilityExtension } from "./handshake/connection-ids.js";
import { Flights } from "./handshake/flights.js";
import { FragmentHeader, fragmentHeaderSize } from "./handshake/fragment.js";
import { IncomingMessages, type WholeMessage } from "./handshake/incoming.js";
import { Inbound } from "./inbound.js";
import { limits, lingerMs } from "./limits.js";
import { Naming } from "./naming.js";
import type { DtlsOutcome } from "./options.js";
import { type Batch, Outbound } from "./outbound.js";
import { isSame, Paths, pathMessageSize } from "./paths.js";
import { contentType } from "./record/content-type.js";
import { Epochs, epochs } from "./record/epochs.js";
import { readSrtp, useSrtp } from "./srtp.js";

/** One peer, one session: ties a TLS handshake to flights, epochs and records. */
export class Association {
  readonly id: number;
  readonly ids: ConnectionIds;
  readonly drops = noDrops();
  readonly outbound = new Outbound();
  remote: SocketAddress;
  bytesSent = 0;
  bytesReceived = 0;
  messagesSent = 0;
  messagesReceived = 0;
  keyGenerationSent = 0;
  keyGenerationReceived = 0;
  readonly #begin: Beginning;
  readonly #around: Surroundings;
  readonly #handshake: Handshake;
  readonly #epochs: Epochs;
  readonly #incoming: IncomingMessages;
  readonly #flights: Flights;
  readonly #acks = new Acknowledgements();
  readonly #inbound: Inbound;
  readonly #paths: Paths;
  readonly #transmitted: { size: number; segmentSize?: number; to: SocketAddress };
  readonly #early = new EarlyData();
  #now: Instant = 0;
  #from: SocketAddress;
  #outcome: DtlsOutcome | undefined;
  #failure: DtlsFailure | undefined;
  #contentMax: number = limits.recordSizeMax;
  #keysChanged = false;
  readonly #alerts = new Alerts();
  readonly #naming: Naming;
  #closeWanted = false;
  /** Nothing of the session follows; until then a peer that has not heard of it is told again. */
  #endedBy: Instant | undefined;
  #peerClosed = false;
  #activeAt: Instant = 0;
  /** Something authentic has come. */
  #isProtected = false;
  #idleAt: Instant = Number.POSITIVE_INFINITY;
  isGone = false;

  constructor(begin: Beginning, around: Surroundings, now: Instant) {
    const { config, transport, ids } = begin;
    this.id = begin.id;
    this.ids = ids;
    this.remote = this.#from = begin.remote;
    this.#begin = begin;
    this.#around = around;
    this.#handshake = begin.handshake;
    this.#epochs = new Epochs(config.crypto, config.entropy, config.dialect.labelPrefix, begin.firstRecord);
    this.#incoming = new IncomingMessages(begin.firstMessage);
    this.#flights = new Flights(transport.mtu, transport.retransmitMs, begin.firstMessage);
    this.#paths = new Paths(config.entropy);
    this.#naming = new Naming(ids, this.#flights, this.#epochs, () => around.newConnectionId(this));
    this.#transmitted = { size: 0, to: begin.remote };
    this.#activeAt = now;
    this.#inbound = new Inbound(this.#epochs, ids, {
      content: (type, bytes, at, size, epoch, sequence) => this.#content(type, bytes, at, size, epoch, sequence),
      named: () => this.#heardFrom(this.#from),
      drop: (reason) => this.drop(reason),
      wornOut: () => this.#fail(dtlsFailure("keys-exhausted", "record", "too many forged records for one key")),
    });
  }

  // What is asked of it

  get handshake(): Pick<Handshake, "exportKey" | "exportEarlyKey" | "channelBinding"> {
    return this.#handshake;
  }

  /** Random of the ClientHello that began it: another of its address with another random is a new one. */
  get clientRandom(): Uint8Array | undefined {
    return this.#handshake.clientRandom;
  }

  get isConfirmed(): boolean {
    return this.#outcome !== undefined;
  }

  get isServer(): boolean {
    return this.#begin.config.role === "server";
  }

  /** Ended, well or badly. */
  get isOver(): boolean {
    return this.#endedBy !== undefined;
  }

  get retransmissions(): number {
    return this.#flights.retransmissions;
  }

  /** Greatest message that fits a datagram. */
  get messageMax(): number {
    const sealer = this.#epochs.application;
    if (sealer === undefined) return 0;
    return Math.min(this.#contentMax, this.#flights.mtu - sealer.headroom - sealer.tailroom);
  }

  drop(reason: DropReason): void {
    this.drops[reason]++;
    this.#trace("dropped", { reason });
  }

  // What comes

  start(now: Instant): void {
    this.#now = now;
    this.#handshake.start(now);
    this.#pump();
  }

  /** One datagram. */
  receive(bytes: Uint8Array, at: number, end: number, from: SocketAddress, now: Instant): void {
    this.#now = now;
    this.#from = from;
    this.#inbound.receive(bytes, at, end);
    if (!this.isOver) this.#settle();
  }

  answer(answer: Answer, now: Instant): void {
    this.#now = now;
    this.#handshake.answer(answer, now);
    this.#pump();
    this.#advance();
    this.#settle();
  }

  wake(now: Instant): void {
    this.#now = now;
    if (this.#endedBy !== undefined) {
      if (this.#endedBy <= now) this.#go();
      return;
    }
    this.#handshake.wake(now);
    this.#pump();
    this.#paths.due(now);
    this.#acks.due(now);
    if (this.#flights.due(now, this.#handshake.isBlocked) === "gone") {
      this.#fail(
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
    this.#idleAt = this.#activeAt + this.#begin.idleTimeoutMs;
    if (this.#idleAt <= this.#now) this.#end(undefined, false);
  }

  send(batch: Batch): void {
    if (this.isOver || this.#closeWanted) this.drop("not-open");
    else if (!this.outbound.add(batch)) this.drop("queue-full");
  }

  /** Without a ticket that allows it, it is dropped. */
  sendEarly(bytes: Uint8Array): void {
    const isTooLate = this.isConfirmed || this.isOver || this.isServer;
    if (isTooLate || !this.#early.send(bytes)) this.drop("early-data");
  }

  close(now: Instant): void {
    this.#now = now;
    if (this.isOver) return;
    if (this.isConfirmed) this.#closeWanted = true;
    else this.#fail(dtlsFailure("closed-locally", "handshake", "the application closed before the handshake was over"));
  }

  abort(now: Instant): void {
    this.#now = now;
    this.#end(undefined, false);
    this.#go();
  }

  updateKeys(requestPeer: boolean, now: Instant): void {
    this.#now = now;
    if (!this.isConfirmed || this.isOver) return;
    this.#handshake.updateKeys(requestPeer, now);
    this.#pump();
    this.#flights.advance(this.#epochs);
  }

  requestAuthentication(now: Instant): void {
    this.#now = now;
    if (!this.isConfirmed || this.isOver) return;
    this.#handshake.requestAuthentication(now);
    this.#pump();
    this.#flights.advance(this.#epochs);
  }

  requestConnectionIds(count: number, now: Instant): void {
    this.#now = now;
    if (this.#mayRename) this.#naming.request(count);
  }

  renewConnectionId(isImmediate: boolean, now: Instant): void {
    this.#now = now;
    if (this.#mayRename) this.#naming.give(1, isImmediate);
  }

  deadline(): Instant | undefined {
    if (this.isGone) return undefined;
    if (this.#endedBy !== undefined) return this.#endedBy;
    let at = earliest(this.#handshake.deadline, this.#flights.deadline);
    at = earliest(at, this.#acks.deadline);
    at = earliest(at, this.#paths.deadline);
    return earliest(at, this.#idleAt === Number.POSITIVE_INFINITY ? undefined : this.#idleAt);
  }

  // What goes

  /** One datagram, or a batch of data. */
  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    if (this.isGone) return undefined;
    this.#now = now;
    const out = this.#transmitted;
    delete out.segmentSize;
    out.to = this.remote;
    out.size = this.#control(into, now);
    if (out.size > 0) return out;
    const path = this.#pathMessage(into);
    if (path !== undefined) return path;
    while (this.#early.isPending && this.#epochs.early !== undefined) {
      out.size = this.#early.fill(into, this.#epochs.early, this.#flights.mtu);
      if (out.size > 0) return out;
      this.drop("early-data");
    }
    if (this.#data(into)) return out;
    if (this.#closeWanted && this.outbound.isEmpty && !this.isOver) this.#end(undefined, true);
    out.size = this.#alerts.write(into, this.#epochs.newest);
    if (out.size > 0) return out;
    if (this.#endedBy !== undefined && this.#peerClosed) this.#go();
    return undefined;
  }

  /** Flights and ACKs. */
  #control(into: Uint8Array, now: Instant): number {
    if (this.#endedBy !== undefined) return 0;
    const end = Math.min(this.#flights.mtu, into.length);
    let at = 0;
    if (this.#flights.isPending) {
      at = this.#flights.fill(into, 0, end, this.#epochs, this.#handshake.version !== "1.2", now);
    }
    // During the handshake under no lesser epoch than what is acknowledged, later under the newest that there is: §7.
    if (this.#acks.isDue) at += this.#acks.fill(into, at, end, this.#epochs.newest, this.isConfirmed);
    return at;
  }

  #pathMessage(into: Uint8Array): Transmit | undefined {
    const sealer = this.#epochs.application;
    if (sealer === undefined || this.#endedBy !== undefined) return undefined;
    const to = this.#paths.write(into, sealer.headroom);
    if (to === undefined) return undefined;
    const out = this.#transmitted;
    out.size = sealer.seal(into, 0, pathMessageSize, contentType.returnRoutabilityCheck);
    out.to = to;
    return out;
  }

  #data(into: Uint8Array): boolean {
    const { outbound } = this;
    if (outbound.isEmpty || !this.isConfirmed || this.isOver) return false;
    if (!this.#refresh()) return false;
    const sealer = this.#epochs.application!;
    const isThere = outbound.fill(into, sealer, this.messageMax, sealer.countMax - sealer.sequence);
    this.drops["too-long"] += outbound.tooLong;
    if (!isThere) return false;
    this.messagesSent += outbound.messages;
    this.bytesSent += outbound.bytes;
    const out = this.#transmitted;
    out.size = outbound.size;
    if (outbound.messages > 1) out.segmentSize = outbound.segmentSize;
    return true;
  }

  /** Fresh keys before the old are worn out (RFC 9147 §4.5.3). False if nothing may be sealed any more. */
  #refresh(): boolean {
    const sealer = this.#epochs.application!;
    const is13 = this.#handshake.version === "1.3";
    // An eighth of them is left for what goes on until the peer has acknowledged.
    const wanted = Math.min(
      this.#begin.config.options.recordsPerKeyMax ?? Number.POSITIVE_INFINITY,
      sealer.countMax * 0.875,
    );
    if (is13 && sealer.sequence >= wanted && !this.#flights.isBusy) this.updateKeys(false, this.#now);
    if (sealer.sequence < sealer.countMax) return true;
    if (!is13) {
      this.#fail(
        dtlsFailure("keys-exhausted", "application data", "1.2 keys are worn out, and 1.2 has no way to new ones"),
      );
    }
    return false;
  }

  // What the records hold

  #content(type: number, bytes: Uint8Array, at: number, size: number, epoch: number, sequence: number): void {
    if (this.isOver) {
      this.#heardAfterEnd(type, epoch);
      return;
    }
    if (epoch > 0) {
      this.#activeAt = this.#now;
      this.#isProtected = true;
    }
    switch (type) {
      case contentType.handshake:
        this.#fragments(bytes, at, at + size, epoch, sequence);
        break;
      case contentType.applicationData:
        this.#applicationData(bytes, at, size, epoch);
        break;
      case contentType.alert:
        this.#alertReceived(bytes, at, size, epoch);
        break;
      case contentType.ack: {
        const each = (ackEpoch: number, number: number) => this.#flights.acknowledge(ackEpoch, number);
        if (!readAck(bytes, at, size, each)) this.drop("malformed-message");
        else this.#flights.acknowledged(this.#now);
        break;
      }
      case contentType.returnRoutabilityCheck:
        if (epoch > 0 && this.#paths.receive(bytes, at, size, this.#from)) this.#move(this.#from);
        break;
      case contentType.changeCipherSpec:
        break; // the epoch says it: RFC 6347 §4.1
      default:
        this.drop("unexpected-record");
    }
  }

  #applicationData(bytes: Uint8Array, at: number, size: number, epoch: number): void {
    if (epoch === epochs.initial) this.drop("unexpected-record");
    else if (epoch === epochs.early && this.#handshake.version === "1.3") {
      if (this.#early.isAccepted) this.#deliver(bytes, at, size, true);
      else this.drop("early-data");
    } else if (epoch === epochs.handshake && this.#handshake.version === "1.3") this.drop("unexpected-record");
    else if (this.isConfirmed) this.#deliver(bytes, at, size, false);
    else if (!this.#early.hold(bytes.slice(at, at + size))) this.drop("no-keys");
  }

  #deliver(bytes: Uint8Array, at: number, size: number, early: boolean): void {
    this.messagesReceived++;
    this.bytesReceived += size;
    this.#naming.dataReceived();
    this.#handshake.dataReceived();
    this.#around.deliver(this, bytes, at, at + size, early);
  }

  #fragments(bytes: Uint8Array, at: number, end: number, epoch: number, sequence: number): void {
    for (let next = at; next < end; next += fragmentHeaderSize + fragment.length) {
      if (!fragment.read(bytes, next, end)) {
        this.drop("malformed-message");
        return;
      }
      if (this.#isRenegotiation(fragment.type, epoch)) return;
      if (epoch === 0 && this.#epochs.newestRead > 0 && fragment.sequence >= this.#incoming.next) {
        this.drop("unexpected-record");
        return;
      }
      const verdict = this.#incoming.add(fragment, bytes, next, epoch);
      if (verdict === "old") this.#said(epoch, sequence);
      else if (verdict === "new" || verdict === "known") {
        this.#acks.add(epoch, sequence);
        // RFC 9147 §7.1: the peer should hear of a gap soon.
        if (fragment.sequence > this.#incoming.next && this.#handshake.version === "1.3") this.#acks.hurry();
      } else this.drop(verdict);
    }
    this.#advance();
  }

  /** RFC 5746: there is one handshake. 1.2's next one would begin with message 0 under the keys of this. */
  #isRenegotiation(type: number, epoch: number): boolean {
    if (epoch === 0 || type > 1 || !this.isConfirmed || this.#handshake.version !== "1.2") return false;
    this.#alerts.warn(alerts.no_renegotiation);
    this.drop("unexpected-record");
    return true;
  }

  /** A piece of a message that is done with: the peer has not heard our answer. */
  #said(epoch: number, sequence: number): void {
    if (this.#handshake.version === "1.3" && (epoch > 0 || this.#begin.config.role === "client")) {
      this.#acks.add(epoch, sequence);
      this.#acks.hurry();
    } else if (isLastPiece(fragment) && fragment.sequence === this.#incoming.next - 1) this.#flights.repeat(this.#now);
  }

  /** Gives the handshake the messages that are due. */
  #advance(): void {
    while (!this.#handshake.isBlocked && this.#failure === undefined) {
      const due = this.#incoming.dueEpoch;
      if (due === undefined) break;
      if (this.#epochName(due) !== this.#handshake.awaitedEpoch) {
        this.#incoming.reject();
        this.drop("unexpected-record");
        break;
      }
      const message = this.#incoming.take();
      if (message === undefined) break;
      this.#message(message, this.#epochName(due));
    }
  }

  #message(message: WholeMessage, epoch: Epoch): void {
    this.#flights.answered();
    if (this.isConfirmed && Naming.concerns(message.type)) {
      const failure = this.#naming.receive(message, this.#mayRename);
      if (failure !== undefined) this.#fail(failure);
      this.#acks.hurry();
      return;
    }
    const wasConfirmed = this.isConfirmed;
    this.#handshake.receive(epoch, message.bytes, this.#now);
    this.#pump();
    if (this.#handshake.version === "1.3" && !wasConfirmed) this.#flights.settle();
    // After our last flight, and after the handshake, nothing else says that it came (RFC 9147 §7.1).
    if (this.isConfirmed && (wasConfirmed || this.#begin.config.role === "server")) this.#acks.hurry();
  }

  #epochName(epoch: number): Epoch {
    if (epoch === epochs.initial) return "initial";
    if (this.#handshake.version === "1.2") return "application";
    return epoch === epochs.early ? "early" : epoch === epochs.handshake ? "handshake" : "application";
  }

  #alertReceived(bytes: Uint8Array, at: number, size: number, epoch: number): void {
    if (size !== 2) {
      this.drop("malformed-message");
      return;
    }
    // Without protection anybody can say it; before anything protected has come there is nothing better (RFC 9147 §4.5.2).
    if (epoch === 0 && this.#isProtected) {
      this.drop("unauthenticated-alert");
      return;
    }
    const level = bytes[at]!;
    const code = bytes[at + 1]!;
    this.#trace("alert_received", { alert: alertName(code), level });
    if (code === alerts.close_notify) {
      if (this.isConfirmed) {
        this.#peerClosed = true;
        this.#end(undefined, true);
      } else this.#fail(dtlsFailure("truncated-stream", "close_notify", "the peer closed the session before it began"));
    } else if (code !== alerts.user_canceled && !(level === 1 && this.#handshake.version !== "1.3")) {
      this.#fail(explained(alertFailure(code), this.#begin.config.options.psks));
    }
  }

  // What the handshake puts out

  #pump(): void {
    for (let output = this.#handshake.output(); output !== undefined; output = this.#handshake.output()) {
      try {
        this.#put(output);
      } catch (cause) {
        this.#fail(asFailure(cause, output.kind));
      }
    }
  }

  #put(output: TlsHandshakeOutput): void {
    const { id } = this;
    switch (output.kind) {
      case "message":
        if (this.isConfirmed) this.#flights.later(output.bytes[0]!, output.bytes);
        else this.#flights.put(output.bytes[0]!, this.#writeEpoch(output.epoch), output.bytes);
        break;
      case "change-cipher-spec":
        if (this.#handshake.version === "1.2") this.#flights.changeCipherSpec();
        break;
      case "keys":
        this.#keys(output);
        break;
      case "question":
        this.#around.ask(this, output);
        break;
      case "extensions":
        this.#extensions(output.extensions);
        break;
      case "record-limits":
        this.#contentMax = output.send;
        break;
      case "early-data":
        this.#earlyData(output.status, output.max);
        this.#around.tell({ kind: "early-data", association: id, status: output.status });
        break;
      case "confirmed":
        this.#confirmed(output.outcome);
        break;
      case "failed":
        this.#failed(inDtls(output.failure));
        break;
      case "key-updated": {
        const { direction, byPeer } = output;
        const tell = () => {
          if (direction === "write") this.keyGenerationSent++;
          else this.keyGenerationReceived++;
          this.#around.tell({ kind: "key-updated", association: id, direction, byPeer });
        };
        if (direction === "write") this.#flights.whenAcknowledged(tell);
        else tell();
        break;
      }
      case "authenticated":
        this.#around.tell({ kind: "authenticated", association: id, peer: output.peer });
        break;
      case "ticket":
        this.#around.tell({ kind: "ticket", association: id });
        break;
    }
  }

  #writeEpoch(epoch: Epoch): number {
    if (epoch === "initial") return epochs.initial;
    if (this.#handshake.version === "1.2") return 1;
    return epoch === "handshake" ? epochs.handshake : this.#epochs.newest.epoch;
  }

  #keys({ epoch, direction, keys }: TlsHandshakeOutput & { readonly kind: "keys" }): void {
    const number = keys.version === "1.2" ? 1 : epoch === "early" ? epochs.early : epochs.handshake;
    if (direction === "read") {
      const newest = this.#epochs.newestRead;
      const at = epoch === "application" && keys.version === "1.3" ? Math.max(epochs.application, newest + 1) : number;
      this.#epochs.read(at, keys, this.ids.ours[0] ?? none);
      this.#keysChanged = true;
      return;
    }
    const write = () => {
      const newest = this.#epochs.newest.epoch;
      const at = epoch === "application" && keys.version === "1.3" ? Math.max(epochs.application, newest + 1) : number;
      this.#epochs.write(at, keys, this.ids.theirs);
    };
    if (this.isConfirmed) this.#flights.whenAcknowledged(write);
    else write();
  }

  #extensions(extensions: TlsOutcome["extensions"]): void {
    const { ids } = this;
    ids.provesPaths ||= extensions.has(routabilityExtension);
    const theirs = extensions.get(connectionIdExtension);
    if (theirs !== undefined && this.#begin.config.role === "client") ids.negotiate(theirs, this.#begin.offeredId);
  }

  #earlyData(status: "offered" | "accepted" | "rejected", max: number): void {
    if (this.#begin.config.role === "client") this.#early.allow(status === "offered" ? max : 0);
    else this.#early.isAccepted = status === "accepted";
    if (status === "rejected") this.#dropEarly();
  }

  #dropEarly(): void {
    this.drops["early-data"] += this.#early.end();
    this.#epochs.endEarly();
  }

  #confirmed(outcome: TlsOutcome): void {
    const { config, options } = this.#begin;
    const { ids } = this;
    const answer = outcome.extensions.get(useSrtp);
    const isClient = config.role === "client";
    const srtp =
      answer === undefined || options.srtp === undefined ? undefined : readSrtp(options.srtp, answer, isClient);
    this.#flights.confirmed(outcome.version === "1.2", !isClient, this.#now);
    this.#dropEarly();
    this.#activeAt = this.#now;
    this.#idleAt = this.#now + this.#begin.idleTimeoutMs;
    this.#outcome = {
      ...outcome,
      srtp,
      connectionIdSizes: { sent: ids.theirs.length, received: ids.ours[0]?.length ?? 0 },
    };
    this.#around.tell({ kind: "confirmed", association: this.id, outcome: this.#outcome });
    for (const bytes of this.#early.release()) this.#deliver(bytes, 0, bytes.length, false);
  }

  // After every input

  #settle(): void {
    while (this.#keysChanged && this.#inbound.isHolding && !this.isOver) {
      this.#keysChanged = false;
      this.#inbound.release();
    }
    this.#keysChanged = false;
    this.#flights.advance(this.#epochs);
    const { version } = this.#handshake;
    if (version !== "1.3") this.#acks.rest(version === "1.2");
    // A flight of ours says it: §7.1.
    else if (this.#flights.isPending && !this.isConfirmed) this.#acks.rest(true);
    else this.#acks.wait(this.#now + this.#begin.transport.retransmitMs / 4);
  }

  // Connection IDs and addresses

  get #mayRename(): boolean {
    return this.isConfirmed && !this.isOver && this.#handshake.version === "1.3" && this.ids.isNegotiated;
  }

  /** RFC 9146 §6: the newest authentic record came from there. Is the peer there, or only its record? */
  #heardFrom(from: SocketAddress): void {
    if (isSame(from, this.remote)) return;
    if (this.ids.provesPaths && this.isConfirmed) this.#paths.challenge({ ...from }, this.#now);
    else this.#move({ ...from });
  }

  #move(to: SocketAddress): void {
    const from = this.remote;
    if (isSame(from, to)) return;
    this.remote = { ...to };
    this.#naming.moved();
    this.#trace("moved", { from, to: this.remote });
    this.#around.tell({ kind: "moved", association: this.id, from, to: this.remote });
  }

  // The end

  #fail(failure: DtlsFailure): void {
    if (this.#failure !== undefined || this.isOver) return;
    this.#handshake.fail(failure);
    this.#pump();
  }

  #failed(failure: DtlsFailure): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#trace("failed", { reason: failure.reason, fault: failure.fault, at: failure.at });
    const isToldByPeer = failure.byPeer || reasons[failure.reason].alert === undefined;
    this.#end(failure, !isToldByPeer);
  }

  /** With a word to the peer, or silently. */
  #end(failure: DtlsFailure | undefined, withAlert: boolean): void {
    if (this.isOver) return;
    this.#endedBy = this.#now + (withAlert ? lingerMs : 0);
    if (withAlert) this.#alerts.say(failure?.code ?? alerts.close_notify);
    this.#flights.clear();
    this.#incoming.clear();
    this.#inbound.clear();
    this.outbound.clear();
    this.#around.tell({ kind: "ended", association: this.id, failure });
  }

  /** The peer ends too, and that is that. Or it goes on: alerts are lost like everything else, so it is told again. */
  #heardAfterEnd(type: number, epoch: number): void {
    const isBelievable = epoch > 0 || !this.#isProtected;
    if (type === contentType.alert) {
      if (isBelievable) this.#peerClosed = true;
    } else this.#alerts.sayAgain();
  }

  #go(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#epochs.destroy();
    this.#handshake.wipe();
    this.#around.tell({ kind: "gone", association: this.id });
  }

  #trace(name: string, data: Readonly<Record<string, unknown>>): void {
    const trace = this.#begin.config.options.trace;
    trace?.({ at: this.#now, protocol: "DTLS", name: `dtls:${name}`, data });
  }
}

/** Read anew for every fragment, and by nobody else. */
const fragment = new FragmentHeader();
const none = new Uint8Array(0);

const isLastPiece = ({ offset, length, size }: FragmentHeader): boolean => offset + length === size;

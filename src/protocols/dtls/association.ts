import { type Answer, earliest, type Instant, type SocketAddress, type Transmit } from "../../contract/index.js";
import type { Epoch, TlsHandshakeOutput } from "../tls/handshake/vocabulary.js";
import {
  alertFailure,
  alertName,
  alerts,
  type Config,
  type Handshake,
  reasons,
  type TlsFailure,
  type TlsOutcome,
} from "../tls/index.js";
import { identityText } from "../tls/psk.js";
import type { Transport } from "./config.js";
import { asFailure, type DropReason, type DtlsFailure, dtlsFailure, inDtls, noDrops } from "./failure.js";
import { Acknowledgements, readAck } from "./handshake/ack.js";
import {
  type ConnectionIds,
  connectionIdExtension,
  newConnectionId,
  requestConnectionId,
  routabilityExtension,
} from "./handshake/connection-ids.js";
import { Flights } from "./handshake/flights.js";
import { FragmentHeader, fragmentHeaderSize } from "./handshake/fragment.js";
import { IncomingMessages, type WholeMessage } from "./handshake/incoming.js";
import { Inbound } from "./inbound.js";
import { limits, lingerMs } from "./limits.js";
import type { DtlsOptions, DtlsOutcome } from "./options.js";
import { type Batch, Outbound } from "./outbound.js";
import { isSame, Paths, pathMessageSize } from "./paths.js";
import { contentType } from "./record/content-type.js";
import { Epochs, epochs } from "./record/epochs.js";
import { readSrtp, useSrtp } from "./srtp.js";
import type { AssociationEvent } from "./vocabulary.js";

/** What an association needs of the endpoint on whose port it lives. */
export interface Surroundings {
  /** A message for the application: `bytes[from … to)`, in the memory of the datagram in hand. */
  deliver(by: Association, bytes: Uint8Array, from: number, to: number, early: boolean): void;
  tell(event: AssociationEvent): void;
  ask(by: Association, output: TlsHandshakeOutput & { readonly kind: "question" }): void;
  /** A name that finds this association among all of the port. */
  newConnectionId(by: Association): Uint8Array;
}

/** How an association begins. */
export interface Beginning {
  readonly id: number;
  readonly config: Config;
  readonly handshake: Handshake<never> | Handshake;
  readonly options: DtlsOptions;
  readonly transport: Transport;
  readonly remote: SocketAddress;
  readonly ids: ConnectionIds;
  /** Client: the connection ID that was offered. */
  readonly offeredId: Uint8Array;
  /** Number of the first message of either side: 1 behind a stateless answer. And of our first record. */
  readonly firstMessage: 0 | 1;
  readonly firstRecord: number;
  readonly idleTimeoutMs: number;
}

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
  /** Application data that came before the peer's proof. */
  #early: Uint8Array[] = [];
  #now: Instant = 0;
  #from: SocketAddress;
  #outcome: DtlsOutcome | undefined;
  #failure: DtlsFailure | undefined;
  #contentMax: number = limits.recordSizeMax;
  #earlyLeft = 0;
  #readsEarly = false;
  #keysChanged = false;
  #ackAt: Instant | undefined;
  #ackNow = false;
  /** Alert to be sent, behind everything else. */
  #alert: number | undefined;
  #warning: number | undefined;
  #alertRepeats = 0;
  #renegotiations = 0;
  #idMessages = 0;
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
    this.#handshake = begin.handshake as Handshake;
    this.#epochs = new Epochs(config.crypto, config.entropy, config.dialect.labelPrefix, begin.firstRecord);
    this.#incoming = new IncomingMessages(begin.firstMessage);
    this.#flights = new Flights(transport.mtu, transport.retransmitMs, begin.firstMessage);
    this.#paths = new Paths(config.entropy);
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
    if (this.#ackAt !== undefined && this.#ackAt <= now) {
      this.#ackNow = true;
      this.#ackAt = undefined;
    }
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

  /** It waits for the ClientHello, which may wait for the look-up of a ticket; without a ticket that allows it, it is dropped. */
  sendEarly(bytes: Uint8Array): void {
    const isTooLate = this.isConfirmed || this.isOver || this.isServer;
    if (isTooLate || this.#earlyOut.length >= limits.recordsHeldMax) this.drop("early-data");
    else this.#earlyOut.push(bytes.slice());
  }

  readonly #earlyOut: Uint8Array[] = [];

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
    if (!this.#mayRename || this.ids.theirs.length === 0) return;
    const body = this.ids.request(count);
    if (body !== undefined) this.#later(requestConnectionId, body);
  }

  renewConnectionId(isImmediate: boolean, now: Instant): void {
    this.#now = now;
    if (!this.#mayRename || this.ids.ours.length === 0) return;
    this.#give(1, isImmediate);
  }

  deadline(): Instant | undefined {
    if (this.isGone) return undefined;
    if (this.#endedBy !== undefined) return this.#endedBy;
    let at = earliest(this.#handshake.deadline, this.#flights.deadline);
    at = earliest(at, this.#ackAt);
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
    while (this.#earlyOut.length > 0 && this.#epochs.early !== undefined) if (this.#sealEarly(into)) return out;
    if (this.#data(into)) return out;
    if (this.#closeWanted && this.outbound.isEmpty && !this.isOver) this.#end(undefined, true);
    out.size = this.#alertRecord(into);
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
    if (this.#ackNow) {
      const sealer = this.#epochs.newest;
      const room = end - at - sealer.headroom - sealer.tailroom;
      if (room < 2 + 16) return at;
      this.#ackNow = false;
      this.#ackAt = undefined;
      // During the handshake under no lesser epoch than what it acknowledges, later under the newest that there is: §7.
      if (this.#acks.count > 0 && (this.isConfirmed || sealer.epoch >= this.#acks.epochMin)) {
        const size = this.#acks.write(into, at + sealer.headroom, room);
        at += sealer.seal(into, at, size, contentType.ack);
        this.#acks.clear();
      }
    }
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

  #sealEarly(into: Uint8Array): boolean {
    const sealer = this.#epochs.early!;
    const bytes = this.#earlyOut.shift()!;
    const room = this.#flights.mtu - sealer.headroom - sealer.tailroom;
    if (bytes.length > Math.min(room, this.#earlyLeft)) {
      this.drop("early-data");
      return false;
    }
    this.#earlyLeft -= bytes.length;
    into.set(bytes, sealer.headroom);
    this.#transmitted.size = sealer.seal(into, 0, bytes.length, contentType.applicationData);
    return true;
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

  #alertRecord(into: Uint8Array): number {
    const warning = this.#warning;
    const code = warning ?? this.#alert;
    if (code === undefined) return 0;
    if (warning !== undefined) this.#warning = undefined;
    else this.#alert = undefined;
    const sealer = this.#epochs.newest;
    into[sealer.headroom] = code === alerts.close_notify || warning !== undefined ? 1 : 2;
    into[sealer.headroom + 1] = code;
    return sealer.seal(into, 0, 2, contentType.alert);
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
      if (this.#readsEarly) this.#deliver(bytes, at, size, true);
      else this.drop("early-data");
    } else if (epoch === epochs.handshake && this.#handshake.version === "1.3") this.drop("unexpected-record");
    else if (this.isConfirmed) this.#deliver(bytes, at, size, false);
    else if (this.#early.length < limits.recordsHeldMax) this.#early.push(bytes.slice(at, at + size));
    else this.drop("no-keys");
  }

  #deliver(bytes: Uint8Array, at: number, size: number, early: boolean): void {
    this.messagesReceived++;
    this.bytesReceived += size;
    this.#idMessages = 0;
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
        if (fragment.sequence > this.#incoming.next) this.#hurry();
      } else this.drop(verdict);
    }
    this.#advance();
  }

  /** RFC 5746: there is one handshake. 1.2's next one would begin with message 0 under the keys of this. */
  #isRenegotiation(type: number, epoch: number): boolean {
    if (epoch === 0 || type > 1 || !this.isConfirmed || this.#handshake.version !== "1.2") return false;
    if (++this.#renegotiations <= limits.alertRepeatsMax) this.#warning = alerts.no_renegotiation;
    this.drop("unexpected-record");
    return true;
  }

  /** A piece of a message that is done with: the peer has not heard our answer. */
  #said(epoch: number, sequence: number): void {
    if (this.#handshake.version === "1.3" && (epoch > 0 || this.#begin.config.role === "client")) {
      this.#acks.add(epoch, sequence);
      this.#ackNow = true;
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
    if (this.isConfirmed && (message.type === newConnectionId || message.type === requestConnectionId)) {
      this.#names(message);
      this.#ackNow = true;
      return;
    }
    const wasConfirmed = this.isConfirmed;
    this.#handshake.receive(epoch, message.bytes, this.#now);
    this.#pump();
    if (this.#handshake.version === "1.3" && !wasConfirmed) this.#flights.settle();
    // After our last flight, and after the handshake, nothing else says that it came (RFC 9147 §7.1).
    if (this.isConfirmed && (wasConfirmed || this.#begin.config.role === "server")) this.#ackNow = true;
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
      this.#fail(this.#explained(alertFailure(code)));
    }
  }

  /** Whose key was it that the peer does not know? */
  #explained(failure: TlsFailure): DtlsFailure {
    const { psks } = this.#begin.config.options;
    if (failure.code !== alerts.unknown_psk_identity || typeof psks === "function" || psks === undefined)
      return failure;
    const names = psks.map(({ identity }) => identityText(identity)).join(", ");
    return inDtls(failure, `the peer knows no pre-shared key by the name of ${names}`);
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
    if (this.#begin.config.role === "client") this.#earlyLeft = status === "offered" ? max : 0;
    else this.#readsEarly = status === "accepted";
    if (status === "rejected") this.#dropEarly();
  }

  #dropEarly(): void {
    this.drops["early-data"] += this.#earlyOut.splice(0).length;
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
    for (const bytes of this.#early.splice(0)) this.#deliver(bytes, 0, bytes.length, false);
  }

  // After every input

  #settle(): void {
    while (this.#keysChanged && this.#inbound.isHolding && !this.isOver) {
      this.#keysChanged = false;
      this.#inbound.release();
    }
    this.#keysChanged = false;
    this.#flights.advance(this.#epochs);
    if (this.#acks.count === 0 || this.#handshake.version !== "1.3") {
      if (this.#handshake.version === "1.2") this.#acks.clear();
      this.#ackNow = false;
      this.#ackAt = undefined;
    } else if (this.#flights.isPending && !this.isConfirmed)
      this.#acks.clear(); // our flight says it: §7.1
    else if (!this.#ackNow) this.#ackAt ??= this.#now + this.#begin.transport.retransmitMs / 4;
  }

  #hurry(): void {
    if (this.#handshake.version === "1.3") this.#ackNow = true;
  }

  // Connection IDs and addresses

  get #mayRename(): boolean {
    return this.isConfirmed && !this.isOver && this.#handshake.version === "1.3" && this.ids.isNegotiated;
  }

  /** RFC 9147 §9. */
  #names({ type, bytes }: WholeMessage): void {
    const body = bytes.subarray(4);
    const at = type === newConnectionId ? "NewConnectionId" : "RequestConnectionId";
    if (!this.#mayRename || (type === newConnectionId ? this.ids.theirs : (this.ids.ours[0] ?? none)).length === 0) {
      this.#fail(dtlsFailure("unexpected-message", at, "no connection IDs were negotiated"));
      return;
    }
    if (++this.#idMessages > limits.connectionIdMessagesMax) {
      this.#fail(dtlsFailure("too-many-requests", at, "a flood of messages about connection IDs"));
      return;
    }
    if (type === requestConnectionId) {
      if (body.length !== 1) this.#fail(dtlsFailure("malformed-message", at, "it has one byte"));
      else this.#give(Math.min(body[0]!, limits.spareConnectionIdsMax), false);
      return;
    }
    try {
      const theirs = this.ids.take(body);
      if (theirs !== undefined) this.#rename(theirs);
    } catch (error) {
      this.#fail(asFailure(error, at));
    }
  }

  #give(count: number, isImmediate: boolean): void {
    const room = limits.spareConnectionIdsMax + 1 - this.ids.ours.length;
    const ids = Array.from({ length: Math.min(count, room) }, () => this.#around.newConnectionId(this));
    this.#later(newConnectionId, this.ids.give(ids, isImmediate));
  }

  #later(type: number, body: Uint8Array): void {
    const size = body.length;
    const bytes = new Uint8Array(4 + size);
    bytes.set([type, size >> 16, (size >> 8) & 255, size & 255]);
    bytes.set(body, 4);
    this.#trace("message_sent", {
      message: type === newConnectionId ? "NewConnectionId" : "RequestConnectionId",
      size,
    });
    this.#flights.later(type, bytes);
    this.#flights.advance(this.#epochs);
  }

  #rename(theirs: Uint8Array): void {
    this.ids.theirs = theirs;
    this.#epochs.rename(theirs);
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
    // Who watches both paths should not see that they are one session's (RFC 9147 §9).
    const spare = this.ids.takeSpare();
    if (spare !== undefined) this.#rename(spare);
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
    if (withAlert) this.#alert = this.#lastAlert = failure?.code ?? alerts.close_notify;
    this.#flights.clear();
    this.#incoming.clear();
    this.#inbound.clear();
    this.outbound.clear();
    this.#around.tell({ kind: "ended", association: this.id, failure });
  }

  #lastAlert: number | undefined;

  /** The peer ends too, and that is that. Or it goes on: alerts are lost like everything else, so it is told again. */
  #heardAfterEnd(type: number, epoch: number): void {
    const isBelievable = epoch > 0 || !this.#isProtected;
    if (type === contentType.alert) {
      if (isBelievable) this.#peerClosed = true;
    } else if (this.#alert === undefined && this.#alertRepeats < limits.alertRepeatsMax) {
      this.#alertRepeats++;
      this.#alert = this.#lastAlert;
    }
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

import type { Answer, Instant } from "../../../contract/index.js";
import { earliest } from "../../../contract/index.js";
import type { Epoch, TlsHandshakeOutput } from "../../tls/handshake/vocabulary.js";
import { alerts, type TlsOutcome } from "../../tls/index.js";
import { asFailure, inDtls } from "../failure.js";
import { Acknowledgements, readAck } from "../handshake/ack.js";
import { connectionIdExtension, routabilityExtension } from "../handshake/connection-ids.js";
import type { Flights } from "../handshake/flights.js";
import { FragmentHeader, fragmentHeaderSize } from "../handshake/fragment.js";
import { IncomingMessages, type WholeMessage } from "../handshake/incoming.js";
import { epochs } from "../record/epochs.js";
import type { Core } from "./core.js";
import type { Ending } from "./ending.js";
import { Naming } from "./naming.js";

/** What the handshake brings about in the other parts. */
export interface DialogueHandlers {
  /** Greatest content of a record to the peer. */
  recordLimit(max: number): void;
  earlyData(status: "offered" | "accepted" | "rejected", max: number): void;
  confirmed(outcome: TlsOutcome): void;
  keyUpdated(direction: "read" | "write"): void;
}

/** Handshake messages both ways: what comes in pieces, what goes in flights, and what is acknowledged. */
export class Dialogue {
  /** There are new keys to read with since this was last looked at. */
  hasNewKeys = false;
  readonly #core: Core;
  readonly #ending: Ending;
  readonly #flights: Flights;
  readonly #naming: Naming;
  readonly #handlers: DialogueHandlers;
  readonly #incoming: IncomingMessages;
  readonly #acks = new Acknowledgements();

  constructor(core: Core, ending: Ending, flights: Flights, naming: Naming, handlers: DialogueHandlers) {
    this.#core = core;
    this.#ending = ending;
    this.#flights = flights;
    this.#naming = naming;
    this.#handlers = handlers;
    this.#incoming = new IncomingMessages(core.begin.firstMessage);
  }

  get deadline(): Instant | undefined {
    return earliest(this.#core.handshake.deadline, this.#acks.deadline);
  }

  // What it is told

  start(): void {
    this.#core.handshake.start(this.#core.now);
    this.pump();
  }

  answer(answer: Answer): void {
    this.#core.handshake.answer(answer, this.#core.now);
    this.pump();
    this.#advance();
  }

  due(now: Instant): void {
    this.#core.handshake.wake(now);
    this.pump();
    this.#acks.due(now);
  }

  updateKeys(requestPeer: boolean): void {
    this.#core.handshake.updateKeys(requestPeer, this.#core.now);
    this.pump();
    this.#flights.advance(this.#core.epochs);
  }

  requestAuthentication(): void {
    this.#core.handshake.requestAuthentication(this.#core.now);
    this.pump();
    this.#flights.advance(this.#core.epochs);
  }

  clear(): void {
    this.#incoming.clear();
  }

  // What comes

  /** The content of a handshake record: pieces of messages. */
  receive(bytes: Uint8Array, at: number, end: number, epoch: number, sequence: number): void {
    const core = this.#core;
    for (let next = at; next < end; next += fragmentHeaderSize + fragment.length) {
      if (!fragment.read(bytes, next, end)) {
        core.drop("malformed-message");
        return;
      }
      if (this.#isRenegotiation(fragment.type, epoch)) return;
      if (epoch === 0 && core.epochs.newestRead > 0 && fragment.sequence >= this.#incoming.next) {
        core.drop("unexpected-record");
        return;
      }
      const verdict = this.#incoming.add(fragment, bytes, next, epoch);
      if (verdict === "old") this.#said(epoch, sequence);
      else if (verdict === "new" || verdict === "known") {
        this.#acks.add(epoch, sequence);
        // RFC 9147 §7.1: the peer should hear of a gap soon.
        if (fragment.sequence > this.#incoming.next && core.version === "1.3") this.#acks.hurry();
      } else core.drop(verdict);
    }
    this.#advance();
  }

  acknowledged(bytes: Uint8Array, at: number, size: number): void {
    const each = (epoch: number, number: number) => this.#flights.acknowledge(epoch, number);
    if (!readAck(bytes, at, size, each)) this.#core.drop("malformed-message");
    else this.#flights.acknowledged(this.#core.now);
  }

  /** RFC 5746: there is one handshake. 1.2's next one would begin with message 0 under the keys of this. */
  #isRenegotiation(type: number, epoch: number): boolean {
    if (epoch === 0 || type > 1 || !this.#core.isConfirmed || this.#core.version !== "1.2") return false;
    this.#ending.warn(alerts.no_renegotiation);
    this.#core.drop("unexpected-record");
    return true;
  }

  /** A piece of a message that is done with: the peer has not heard our answer. */
  #said(epoch: number, sequence: number): void {
    if (this.#core.version === "1.3" && (epoch > 0 || !this.#core.isServer)) {
      this.#acks.add(epoch, sequence);
      this.#acks.hurry();
    } else if (isLastPiece(fragment) && fragment.sequence === this.#incoming.next - 1)
      this.#flights.repeat(this.#core.now);
  }

  /** Gives the handshake the messages that are due. */
  #advance(): void {
    while (!this.#core.handshake.isBlocked && this.#ending.failure === undefined) {
      const due = this.#incoming.dueEpoch;
      if (due === undefined) break;
      if (this.#epochName(due) !== this.#core.handshake.awaitedEpoch) {
        this.#incoming.reject();
        this.#core.drop("unexpected-record");
        break;
      }
      const message = this.#incoming.take();
      if (message === undefined) break;
      this.#message(message, this.#epochName(due));
    }
  }

  #message(message: WholeMessage, epoch: Epoch): void {
    const core = this.#core;
    this.#flights.answered();
    if (core.isConfirmed && Naming.concerns(message.type)) {
      const failure = this.#naming.receive(message, this.mayRename);
      if (failure !== undefined) this.#ending.fail(failure);
      this.#acks.hurry();
      return;
    }
    const wasConfirmed = core.isConfirmed;
    core.handshake.receive(epoch, message.bytes, core.now);
    this.pump();
    if (core.version === "1.3" && !wasConfirmed) this.#flights.settle();
    // After our last flight, and after the handshake, nothing else says that it came (RFC 9147 §7.1).
    if (core.isConfirmed && (wasConfirmed || core.isServer)) this.#acks.hurry();
  }

  #epochName(epoch: number): Epoch {
    if (epoch === epochs.initial) return "initial";
    if (this.#core.version === "1.2") return "application";
    return epoch === epochs.early ? "early" : epoch === epochs.handshake ? "handshake" : "application";
  }

  /** May connection IDs be changed? */
  get mayRename(): boolean {
    const { isConfirmed, version, begin } = this.#core;
    return isConfirmed && !this.#ending.isOver && version === "1.3" && begin.ids.isNegotiated;
  }

  // What goes

  /** Flights and ACKs, into one datagram of at most `mtu`; answers its size. */
  write(into: Uint8Array, mtu: number): number {
    const { epochs, version, now, isConfirmed } = this.#core;
    const end = Math.min(mtu, into.length);
    let at = 0;
    if (this.#flights.isPending) at = this.#flights.fill(into, 0, end, epochs, version !== "1.2", now);
    // During the handshake under no lesser epoch than what is acknowledged, later under the newest that there is: §7.
    if (this.#acks.isDue) at += this.#acks.fill(into, at, end, epochs.newest, isConfirmed);
    return at;
  }

  /** After every input: what waits for its turn goes out, and what was received is acknowledged in time. */
  settle(): void {
    const { version, isConfirmed, now, begin } = this.#core;
    this.#flights.advance(this.#core.epochs);
    if (version !== "1.3") this.#acks.rest(version === "1.2");
    // A flight of ours says it: §7.1.
    else if (this.#flights.isPending && !isConfirmed) this.#acks.rest(true);
    else this.#acks.wait(now + begin.transport.retransmitMs / 4);
  }

  // What the handshake puts out

  pump(): void {
    const { handshake } = this.#core;
    for (let output = handshake.output(); output !== undefined; output = handshake.output()) {
      try {
        this.#put(output);
      } catch (cause) {
        this.#ending.fail(asFailure(cause, output.kind));
      }
    }
  }

  #put(output: TlsHandshakeOutput): void {
    const core = this.#core;
    const { id } = core;
    switch (output.kind) {
      case "message":
        if (core.isConfirmed) this.#flights.later(output.bytes[0]!, output.bytes);
        else this.#flights.put(output.bytes[0]!, this.#writeEpoch(output.epoch), output.bytes);
        break;
      case "change-cipher-spec":
        if (core.version === "1.2") this.#flights.changeCipherSpec();
        break;
      case "keys":
        this.#keys(output);
        break;
      case "question":
        core.around.ask(id, output);
        break;
      case "extensions":
        this.#extensions(output.extensions);
        break;
      case "record-limits":
        this.#handlers.recordLimit(output.send);
        break;
      case "early-data":
        this.#handlers.earlyData(output.status, output.max);
        core.tell({ kind: "early-data", association: id, status: output.status });
        break;
      case "confirmed":
        this.#flights.confirmed(output.outcome.version === "1.2", core.isServer, core.now);
        this.#handlers.confirmed(output.outcome);
        break;
      case "failed":
        this.#ending.failed(inDtls(output.failure));
        break;
      case "key-updated": {
        const { direction, byPeer } = output;
        const tell = () => {
          this.#handlers.keyUpdated(direction);
          core.tell({ kind: "key-updated", association: id, direction, byPeer });
        };
        if (direction === "write") this.#flights.whenAcknowledged(tell);
        else tell();
        break;
      }
      case "authenticated":
        core.tell({ kind: "authenticated", association: id, peer: output.peer });
        break;
      case "ticket":
        core.tell({ kind: "ticket", association: id });
        break;
    }
  }

  #writeEpoch(epoch: Epoch): number {
    if (epoch === "initial") return epochs.initial;
    if (this.#core.version === "1.2") return 1;
    return epoch === "handshake" ? epochs.handshake : this.#core.epochs.newest.epoch;
  }

  #keys({ epoch, direction, keys }: TlsHandshakeOutput & { readonly kind: "keys" }): void {
    const { epochs: all, begin, isConfirmed } = this.#core;
    const { ids } = begin;
    const number = keys.version === "1.2" ? 1 : epoch === "early" ? epochs.early : epochs.handshake;
    const behind = (newest: number): number =>
      epoch === "application" && keys.version === "1.3" ? Math.max(epochs.application, newest + 1) : number;
    if (direction === "read") {
      all.read(behind(all.newestRead), keys, ids.ours[0] ?? none);
      this.hasNewKeys = true;
      return;
    }
    const write = () => all.write(behind(all.newest.epoch), keys, ids.theirs);
    if (isConfirmed) this.#flights.whenAcknowledged(write);
    else write();
  }

  #extensions(extensions: TlsOutcome["extensions"]): void {
    const { ids, offeredId } = this.#core.begin;
    ids.provesPaths ||= extensions.has(routabilityExtension);
    const theirs = extensions.get(connectionIdExtension);
    if (theirs !== undefined && !this.#core.isServer) ids.negotiate(theirs, offeredId);
  }
}

/** Read anew for every fragment, and by nobody else. */
const fragment = new FragmentHeader();
const none = new Uint8Array(0);

const isLastPiece = ({ offset, length, size }: FragmentHeader): boolean => offset + length === size;

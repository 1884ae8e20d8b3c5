import { DecodeError, toHex } from "../../bytes/index.js";
import {
  type Answer,
  type DatagramInput,
  type Datagrams,
  earliest,
  type Instant,
  type Machine,
  type Transmit,
  type Wake,
} from "../../contract/index.js";
import { type DropCounts, failure, type IkeFailure } from "./failure.js";
import type { IkeConfig, IkeConnection, IkeEvent, IkeInput, IkeStatus } from "./interfaces.js";
import { ikeSasMax } from "./limits.js";
import type { IkeSa } from "./sa/ike-sa.js";
import { connect } from "./sa/initiator.js";
import type { Path } from "./sa/request.js";
import { Station } from "./station.js";
import { Strangers } from "./strangers.js";
import { type Header, headerSize, isMarked, markerSize, readHeader } from "./wire/header.js";
import { Exchange } from "./wire/numbers.js";

/**
 * One end of IKEv2: many peers, as initiator and as responder, over datagrams. It keys ESP, and tells which keys are for what; it sees no
 * ESP packet itself. Whoever shares a port between both gives it what `isMarked` says is its, and port 500 whole.
 */
export class Ike implements Machine<IkeInput | DatagramInput | Answer, IkeEvent> {
  readonly #station: Station;
  readonly #strangers: Strangers;
  readonly #transmitted: { -readonly [K in keyof Transmit]: Transmit[K] } = { size: 0 };
  #closed = false;

  /** Throws `misuse/bad-configuration` for connections that cannot be. */
  constructor(config: IkeConfig) {
    const names = new Set(config.connections.map(({ name }) => name));
    if (names.size < config.connections.length) throw bad("two connections with one name");
    for (const each of config.connections) check(each);
    this.#station = new Station(config);
    this.#strangers = new Strangers(this.#station);
  }

  /** Counts of everything dropped, by reason. */
  get drops(): DropCounts {
    return this.#station.drops;
  }

  handle(input: IkeInput | DatagramInput | Answer | Wake, now: Instant): void {
    if (this.#closed) return;
    const station = this.#station;
    switch (input.kind) {
      case "datagrams":
        return void this.#datagrams(input, now);
      case "answer":
        return void station.answer(input.id, input.answer, now);
      case "wake":
        for (const sa of [...station.sas.values()]) sa.wake(now);
        return;
      case "connect":
        return void this.#connect(input.connection, input.remote, now);
      case "acquire": {
        const sa = this.#live(input.ike);
        const child = sa?.connection?.children.find(({ name }) => name === input.child);
        if (sa !== undefined && child !== undefined) sa.children.create(child, now);
        return;
      }
      case "rekey-child":
        return void station.children.get(input.spiIn)?.children.rekey(input.spiIn, now);
      case "delete-child":
        return void station.children.get(input.spiIn)?.children.delete(input.spiIn, now);
      case "heard":
        return void station.children.get(input.spiIn)?.heard(now);
      case "rekey":
        return void this.#live(input.ike)?.renewal.begin(now);
      case "move":
        return void this.#live(input.ike)?.informational.move(input, now);
      case "probe":
        return void this.#live(input.ike)?.informational.probe(now);
      case "redirect":
        return void this.#live(input.ike)?.informational.redirect(input.to, now);
      case "disconnect":
        for (const sa of [...station.sas.values()]) if (sa.handle === input.ike) disconnect(sa, now);
        return;
      case "close":
        return void this.#close(now);
      case "opened":
      case "closed":
        return;
    }
  }

  transmit(into: Uint8Array): Transmit | undefined {
    const next = this.#station.outgoing.shift();
    if (next === undefined) return undefined;
    const at = next.isMarked ? markerSize : 0;
    into.fill(0, 0, at);
    into.set(next.message, at);
    const out = this.#transmitted;
    out.size = at + next.message.length;
    out.to = next.remote;
    if (next.local === undefined) delete out.from;
    else out.from = next.local;
    return out;
  }

  event(): IkeEvent | undefined {
    return this.#station.events.shift();
  }

  deadline(): Instant | undefined {
    let at: Instant | undefined;
    for (const sa of this.#station.sas.values()) at = earliest(at, sa.deadline());
    return at;
  }

  status(): readonly IkeStatus[] {
    return [...this.#station.sas.values()].map((sa) => sa.status());
  }

  /** By the application's number, the IKE SA that is of use now. */
  #live(handle: number): IkeSa | undefined {
    for (const sa of this.#station.sas.values()) if (sa.handle === handle && sa.state === "established") return sa;
    return undefined;
  }

  #connect(name: string, to: IkeConnection["remote"], now: Instant): void {
    const station = this.#station;
    const connection = station.connection(name);
    const remote = to ?? connection?.remote;
    const fail = (why: IkeFailure): void =>
      void station.events.push({ kind: "closed", ike: station.newHandle(), connection: name, failure: why });
    if (connection === undefined) return void fail(failure("unknown-connection", `there is no connection ${name}`));
    if (remote === undefined) return void fail(failure("bad-configuration", `${name} does not say where the peer is`));
    if (station.sas.size >= (station.config.limits?.ikeSasMax ?? ikeSasMax))
      return void fail(failure("too-many", "too many IKE SAs"));
    connect(station, connection, remote, now);
  }

  #datagrams({ bytes, from, to, segmentSize }: Datagrams, now: Instant): void {
    const size = segmentSize === 0 ? bytes.length : segmentSize;
    for (let at = 0; at < bytes.length; at += size) {
      this.#datagram(
        bytes.subarray(at, Math.min(at + size, bytes.length)),
        { remote: from, local: to, isMarked: false },
        now,
      );
    }
  }

  #datagram(bytes: Uint8Array, from: Path, now: Instant): void {
    const station = this.#station;
    const marked = isMarked(bytes);
    const message = marked ? bytes.subarray(markerSize) : bytes;
    if (message.length < headerSize) return void station.drop("malformed");
    // The driver fills the same objects again.
    const path: Path = { remote: { ...from.remote }, local: from.local && { ...from.local }, isMarked: marked };
    let header: Header;
    try {
      header = readHeader(message);
    } catch (error) {
      if (error instanceof DecodeError) return void station.drop("malformed");
      throw error;
    }
    const sa = station.sas.get(toHex(header.isInitiator ? header.spiResponder : header.spiInitiator));
    if (header.exchange === Exchange.IKE_SA_INIT) {
      if (!header.isResponse && header.isInitiator) return void this.#strangers.receive(message, header, path, now);
      if (sa?.opening !== undefined) return void sa.opening.clear(message, header, path, now);
      return void station.drop("unexpected-response");
    }
    const peers = header.isInitiator ? header.spiInitiator : header.spiResponder;
    const known = sa && (sa.isInitiator ? sa.spiResponder : sa.spiInitiator);
    if (sa === undefined || known === undefined || toHex(known) !== toHex(peers))
      return void station.drop("unknown-sa");
    sa.receive(message, header, path, now);
  }

  #close(now: Instant): void {
    for (const sa of [...this.#station.sas.values()]) {
      disconnect(sa, now);
      sa.end(failure("closed-locally", "all was closed here"), now);
    }
    this.#strangers.clear();
    this.#closed = true;
  }
}

/** Says goodbye, if anybody knows us, and ends when that is heard or given up; what never was ends at once. */
function disconnect(sa: IkeSa, now: Instant): void {
  if (sa.state === "opening") sa.end(failure("closed-locally", "it was closed here"), now);
  else sa.informational.remove(now);
}

const bad = (why: string): IkeFailure => failure("bad-configuration", why, { at: "connections" });

function check({ name, local, remoteAuthentication, remote, children }: IkeConnection): void {
  if (local.kind === "eap" && remote === undefined) throw bad(`${name}: a responder does not prove itself by EAP`);
  if (remoteAuthentication.kind === "eap" && remote !== undefined)
    throw bad(`${name}: an initiator lets nobody prove himself by EAP`);
  if (new Set(children.map((child) => child.name)).size < children.length)
    throw bad(`${name}: two children with one name`);
}

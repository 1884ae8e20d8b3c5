import { equal } from "../../bytes/index.js";
import type {
  Answer,
  CryptoProvider,
  Datagrams,
  Entropy,
  Instant,
  Machine,
  SocketAddress,
  Transmit,
  Wake,
} from "../../contract/index.js";
import { demultiplex } from "../../mechanisms/demultiplex.js";
import type { TlsHandshakeOutput } from "../tls/handshake/vocabulary.js";
import { clientHandshake, serverHandshake } from "../tls/index.js";
import { Association } from "./association/association.js";
import type { Beginning, Surroundings } from "./association/beginning.js";
import { associationsMaxOf, dtlsClientConfig, dtlsServerConfig, transportOf } from "./config.js";
import { asFailure, type DropReason, noDrops } from "./failure.js";
import { ConnectionIds } from "./handshake/connection-ids.js";
import { fragmentHeaderSize } from "./handshake/fragment.js";
import { idleTimeoutMs, limits, tooBigEveryMs } from "./limits.js";
import type { DtlsClientOptions, DtlsServerOptions } from "./options.js";
import { contentType, plainHeaderSize } from "./record/content-type.js";
import { unifiedMark, unifiedMask } from "./record/unified.js";
import { AssociationTable } from "./table.js";
import { contextOf, type Entrance, Threshold } from "./threshold.js";
import type { AssociationEvent, DataEvent, DtlsEvent, DtlsInput } from "./vocabulary.js";

export interface DtlsGround {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
}

export interface EndpointOptions {
  /** Absent: strangers are turned away. */
  readonly server?: DtlsServerOptions;
  /** Size of the connection IDs by which all peers on this port name us. Default: that of `server`, else 0. */
  readonly connectionIdSize?: number;
  /** Tell of datagrams that are not DTLS's. Default: they are dropped. */
  readonly foreign?: boolean;
}

/** DTLS on one port: any number of sessions, as client and as server. */
export class DtlsEndpoint implements Machine<DtlsInput, DtlsEvent> {
  /** What was dropped for no association. */
  readonly drops = noDrops();
  readonly #ground: DtlsGround;
  readonly #server: DtlsServerOptions | undefined;
  readonly #threshold: Threshold | undefined;
  readonly #table: AssociationTable;
  readonly #tellsForeign: boolean;
  readonly #ready = new Set<Association>();
  readonly #events: DtlsEvent[] = [];
  readonly #questions = new Map<number, { readonly association: Association; readonly id: number }>();
  readonly #around: Surroundings;
  /** Made once and used again, unless inputs come faster than events are taken. */
  #data: { -readonly [K in keyof DataEvent]: DataEvent[K] };
  #dataTold = true;
  #nextQuestion = 1;
  #nextAssociation = 2;
  #handshakes = 0;
  #isClosed = false;

  /** Throws `misuse` for options that make no sense; so an endpoint that stands never fails for them. */
  constructor(ground: DtlsGround, options: EndpointOptions = {}) {
    const { server, foreign = false } = options;
    const { crypto, entropy } = ground;
    this.#ground = { crypto, entropy };
    this.#server = server;
    this.#tellsForeign = foreign;
    this.#table = new AssociationTable(options.connectionIdSize ?? server?.connectionIdSize ?? 0);
    if (server !== undefined) {
      transportOf(server);
      this.#threshold = new Threshold(this.#ground, server, (reason) => this.#drop(reason));
    }
    this.#data = newDataEvent();
    this.#around = {
      deliver: (by, bytes, from, to, early) => this.#deliver(by, bytes, from, to, early),
      tell: (event) => this.#tell(event),
      ask: (by, output) => this.#ask(by, output),
      newConnectionId: (by) => this.#table.name(by, entropy),
    };
  }

  /** Live associations. */
  get size(): number {
    return this.#table.size;
  }

  /** Strangers of whose first ClientHello only pieces have come. */
  get halves(): number {
    return this.#threshold?.halves ?? 0;
  }

  /** For exporters, numbers and counts; undefined when it is gone. */
  association(number: number): Association | undefined {
    return this.#table.get(number);
  }

  handle(input: DtlsInput | Wake, now: Instant): void {
    if (this.#isClosed) return;
    switch (input.kind) {
      case "datagrams":
        this.#datagrams(input, now);
        break;
      case "send":
        this.#with(input.association, (each) => each.send(input.batch));
        break;
      case "wake":
        for (const due of this.#table.due(now)) {
          due.wake(now);
          this.#touched(due);
        }
        break;
      case "answer":
        this.#answer(input, now);
        break;
      case "connect":
        this.#connect(input.association, input.remote, input.options, now);
        break;
      case "expect":
        this.#expect(input.association, input.remote, input.options, now);
        break;
      case "send-early":
        this.#with(input.association, (each) => each.sendEarly(input.bytes));
        break;
      case "close":
        this.#with(input.association, (each) => each.close(now));
        break;
      case "abort":
        this.#with(input.association, (each) => each.abort(now));
        break;
      case "update-keys":
        this.#with(input.association, (each) => each.updateKeys(input.requestPeer, now));
        break;
      case "request-authentication":
        this.#with(input.association, (each) => each.requestAuthentication(now));
        break;
      case "request-connection-ids":
        this.#with(input.association, (each) => each.requestConnectionIds(input.count, now));
        break;
      case "renew-connection-id":
        this.#with(input.association, (each) => each.renewConnectionId(input.immediate, now));
        break;
      case "too-big":
        if (now < this.#tooBigAfter) break;
        this.#tooBigAfter = now + tooBigEveryMs;
        for (const association of this.#table) {
          association.tooBig(now);
          this.#touched(association);
        }
        break;
      case "refuse-strangers":
        this.#refusesStrangers = true;
        break;
      case "closed":
        this.#close(now);
        break;
      case "opened":
        break;
    }
  }

  #refusesStrangers = false;
  #tooBigAfter: Instant = 0;

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    const answer = this.#threshold?.write(into);
    if (answer !== undefined) return answer;
    for (const association of this.#ready) {
      const transmit = association.transmit(into, now);
      if (transmit === undefined || this.#ready.size > 1) this.#ready.delete(association);
      this.#table.reschedule(association);
      if (association.isGone) this.#forget(association);
      if (transmit === undefined) continue;
      if (!association.isGone) this.#ready.add(association); // behind the others
      return transmit;
    }
    return undefined;
  }

  event(): DtlsEvent | undefined {
    const event = this.#events.shift();
    if (event === this.#data) this.#dataTold = true;
    return event;
  }

  deadline(): Instant | undefined {
    return this.#table.deadline;
  }

  // What comes

  #datagrams({ bytes, from, segmentSize }: Datagrams, now: Instant): void {
    const step = segmentSize > 0 ? segmentSize : bytes.length;
    for (let at = 0; at < bytes.length; at += step) {
      this.#datagram(bytes, at, Math.min(at + step, bytes.length), from, now);
    }
  }

  #datagram(bytes: Uint8Array, at: number, end: number, from: SocketAddress, now: Instant): void {
    const first = bytes[at]!;
    if (first < 20 || first > 63) {
      this.#foreign(bytes.subarray(at, end), from);
      return;
    }
    const association = this.#find(bytes, at, end, from);
    if (association !== undefined && !isNewcomer(association, bytes, at, end)) {
      association.receive(bytes, at, end, from, now);
      this.#touched(association);
      return;
    }
    if (this.#server === undefined || this.#refusesStrangers) {
      this.#drop("no-association");
      return;
    }
    const entrance =
      this.#server.addressValidation === "none"
        ? openEntrance(bytes, at, end)
        : this.#threshold!.receive(bytes, at, end, from, now);
    if (entrance === "no-hello") this.#drop("no-association");
    else if (entrance !== undefined) this.#accept(entrance, from, now);
  }

  /** By connection ID, else by address. */
  #find(bytes: Uint8Array, at: number, end: number, from: SocketAddress): Association | undefined {
    const first = bytes[at]!;
    const idAt =
      first === contentType.tls12Cid
        ? at + plainHeaderSize - 2
        : (first & unifiedMask) === unifiedMark && (first & 0x10) !== 0
          ? at + 1
          : undefined;
    return (idAt === undefined ? undefined : this.#table.named(bytes, idAt, end)) ?? this.#table.at(from);
  }

  #foreign(bytes: Uint8Array, from: SocketAddress): void {
    if (this.#tellsForeign) this.#events.push({ kind: "foreign", bytes, from, protocol: demultiplex(bytes) });
    else this.#drop("foreign");
  }

  #accept({ record, firstMessage, firstRecord }: Entrance, from: SocketAddress, now: Instant): void {
    const options = this.#server!;
    if (this.#table.size >= associationsMaxOf(options) || this.#handshakes >= limits.handshakesMax) {
      this.#drop("too-many-associations");
      return;
    }
    // Who has shown that it is there may begin anew (RFC 6347 §4.2.8).
    const old = this.#table.at(from);
    if (old !== undefined) {
      old.abort(now);
      this.#forget(old);
    }
    const number = this.#nextAssociation;
    this.#nextAssociation += 2;
    const remote = { ...from };
    this.#events.push({ kind: "accepted", association: number, from: remote });
    const whole =
      options.addressValidation === "none" ? options : { ...options, cookieKey: this.#threshold!.cookieKey };
    const association = this.#serve(number, remote, whole, firstMessage, firstRecord, now);
    association.receive(record, 0, record.length, remote, now);
    this.#touched(association);
  }

  #expect(number: number, remote: SocketAddress, options: DtlsServerOptions, now: Instant): void {
    this.#trying(number, () => this.#touched(this.#serve(number, remote, options, 0, 0, now)));
  }

  #serve(
    id: number,
    remote: SocketAddress,
    options: DtlsServerOptions,
    firstMessage: 0 | 1,
    firstRecord: number,
    now: Instant,
  ): Association {
    const ids = new ConnectionIds();
    const { entropy } = this.#ground;
    const ground = { ...this.#ground, cookieContext: contextOf(remote) };
    const config = dtlsServerConfig(ground, options, ids, () => this.#table.name(id, entropy));
    const handshake = serverHandshake(config, firstMessage) as unknown as Beginning["handshake"];
    const offeredId = none;
    const transport = transportOf(options);
    return this.#begin(
      {
        ...{ id, config, handshake, options, transport, remote, ids, offeredId, firstMessage, firstRecord },
        idleTimeoutMs: options.idleTimeoutMs ?? idleTimeoutMs,
      },
      now,
    );
  }

  #connect(id: number, remote: SocketAddress, options: DtlsClientOptions, now: Instant): void {
    this.#trying(id, () => {
      const ids = new ConnectionIds();
      const transport = transportOf(options);
      const offeredId = options.connectionIdSize === undefined ? none : this.#table.name(id, this.#ground.entropy);
      const config = dtlsClientConfig(this.#ground, options, offeredId);
      const handshake = clientHandshake(config) as unknown as Beginning["handshake"];
      const first = { firstMessage: 0, firstRecord: 0, idleTimeoutMs: Number.POSITIVE_INFINITY } as const;
      const association = this.#begin(
        { id, config, handshake, options, transport, remote, ids, offeredId, ...first },
        now,
      );
      this.#touched(association);
    });
  }

  /** Options that make no sense end the session that they were for. */
  #trying(association: number, begin: () => void): void {
    try {
      begin();
    } catch (cause) {
      this.#events.push({ kind: "ended", association, failure: asFailure(cause, "options") });
      this.#events.push({ kind: "gone", association });
    }
  }

  #begin(beginning: Beginning, now: Instant): Association {
    const association = new Association(beginning, this.#around, now);
    this.#table.add(association);
    this.#handshakes++;
    association.start(now);
    return association;
  }

  // What they say

  #with(number: number, act: (association: Association) => void): void {
    const association = this.#table.get(number);
    if (association === undefined) {
      this.#drop("not-open");
      return;
    }
    act(association);
    this.#touched(association);
  }

  #answer({ id, answer }: Answer, now: Instant): void {
    const question = this.#questions.get(id);
    if (question === undefined) return;
    this.#questions.delete(id);
    question.association.answer({ kind: "answer", id: question.id, answer }, now);
    this.#touched(question.association);
  }

  #touched(association: Association): void {
    if (association.isGone) this.#forget(association);
    else {
      this.#ready.add(association);
      this.#table.reschedule(association);
    }
  }

  #forget(association: Association): void {
    if (this.#table.get(association.id) !== association) return;
    this.#ready.delete(association);
    if (!association.isConfirmed) this.#handshakes--;
    this.#table.remove(association);
    for (const [id, each] of this.#questions) if (each.association === association) this.#questions.delete(id);
  }

  #ask(by: number, { id, question }: TlsHandshakeOutput & { readonly kind: "question" }): void {
    const association = this.#table.get(by);
    if (association === undefined) return;
    const number = this.#nextQuestion++;
    this.#questions.set(number, { association, id });
    // The kind of the question stays what it is.
    const asked = { ...question, association: by } as (DtlsEvent & { kind: "question" })["question"];
    this.#events.push({ kind: "question", id: number, question: asked });
  }

  #tell(event: AssociationEvent): void {
    if (event.kind === "confirmed") this.#handshakes--;
    if (event.kind === "moved") {
      const association = this.#table.get(event.association);
      if (association !== undefined) {
        this.#table.leave(association, event.from);
        this.#table.place(association, event.to);
      }
    }
    this.#events.push(event);
  }

  #deliver(by: number, bytes: Uint8Array, from: number, to: number, early: boolean): void {
    let data = this.#data;
    const isSame = data.association === by && data.bytes === bytes && data.early === early;
    if (this.#dataTold || !isSame || data.count * 2 === data.ranges.length) {
      if (!this.#dataTold) this.#data = data = newDataEvent();
      this.#dataTold = false;
      data.association = by;
      data.bytes = bytes;
      data.early = early;
      data.count = 0;
      this.#events.push(data);
    }
    data.ranges[2 * data.count] = from;
    data.ranges[2 * data.count + 1] = to;
    data.count++;
  }

  #drop(reason: DropReason): void {
    this.drops[reason]++;
  }

  /** The port is gone: nothing can be said any more. */
  #close(now: Instant): void {
    for (const association of this.#table) {
      association.abort(now);
      this.#forget(association);
    }
    this.#isClosed = true;
  }
}

/** Is this the ClientHello of a handshake other than the one that the association is of? */
function isNewcomer(association: Association, bytes: Uint8Array, at: number, end: number): boolean {
  const hello = at + plainHeaderSize;
  if (bytes[at] !== contentType.handshake || end < hello + fragmentHeaderSize || bytes[hello] !== clientHello)
    return false;
  if (bytes[at + 3] !== 0 || bytes[at + 4] !== 0 || !association.isServer) return false;
  const body = hello + fragmentHeaderSize;
  const isFirstPiece = bytes[hello + 6] === 0 && bytes[hello + 7] === 0 && bytes[hello + 8] === 0;
  const { clientRandom } = association;
  if (!isFirstPiece || clientRandom === undefined || end < body + 34)
    return association.isConfirmed || association.isOver;
  // Behind legacy_version.
  return !equal(clientRandom, bytes.subarray(body + 2, body + 34));
}

/** For flows whose other end has proved its address already: a first ClientHello is enough, or its first piece to come. */
function openEntrance(bytes: Uint8Array, at: number, end: number): Entrance | "no-hello" {
  const isHello =
    end - at > plainHeaderSize + fragmentHeaderSize &&
    bytes[at] === contentType.handshake &&
    bytes[at + 3] === 0 &&
    bytes[at + 4] === 0 &&
    bytes[at + plainHeaderSize] === clientHello;
  return isHello ? { record: bytes.subarray(at, end), firstMessage: 0, firstRecord: 0 } : "no-hello";
}

const newDataEvent = () => ({
  kind: "data" as const,
  association: 0,
  bytes: none,
  ranges: new Uint32Array(2 * limits.batchRecordsMax),
  count: 0,
  early: false,
});

const clientHello = 1;
const none = new Uint8Array(0);

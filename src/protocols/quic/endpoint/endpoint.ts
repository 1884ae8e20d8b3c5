import {
  type Answer,
  type CryptoProvider,
  type Datagrams,
  type Ecn,
  type Entropy,
  type Instant,
  type Machine,
  Secret,
  type SocketAddress,
  type Transmit,
  type Wake,
} from "../../../contract/index.js";
import { Heap, type Heaped } from "../../../mechanisms/heap.js";
import { Routes } from "../../../mechanisms/routes.js";
import { plainCids, ResetTokens } from "../cids/index.js";
import { Connection } from "../connection/connection.js";
import type { Beginning, Ground } from "../connection/core.js";
import { questionsPerConnection } from "../connection/handshake.js";
import { firstDcidSize } from "../connection/negotiation.js";
import { transportErrors } from "../failure.js";
import { busyAt, defaults, udpPayloadMin } from "../limits.js";
import type { QuicClientOptions, QuicServerOptions } from "../options.js";
import { PacketType } from "../protection/versions.js";
import { settingsOf } from "../settings.js";
import { AddressTokens, claimsRetry } from "../tokens.js";
import type { ConnectionNumber, QuicEvent, QuicInput } from "../vocabulary.js";
import { HeaderView } from "../wire/header.js";
import { StatelessAnswers, type StatelessDatagram } from "./stateless.js";

export interface EndpointGround {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
}

const secretSize = 32;

/** An endpoint: one UDP port, or several, and the connections over it (RFC 9000 §5). */
export class QuicEndpoint implements Machine<QuicInput, QuicEvent> {
  readonly #ground: Ground;
  readonly #routes: Routes<Connection>;
  readonly #stateless: StatelessAnswers;
  readonly #connections = new Map<ConnectionNumber, Slot>();
  readonly #due = new Heap<Slot>((a, b) => a.at < b.at);
  /** Connections that may have something to send, or to tell. */
  readonly #active = new Set<Slot>();
  readonly #telling: Slot[] = [];
  /** Those which something was given, and which have not been asked since what they have to tell. */
  readonly #fresh: Slot[] = [];
  readonly #header = new HeaderView();
  readonly #transmitted: { -readonly [K in keyof Transmit]: Transmit[K] } = { size: 0 };
  readonly #halfOpen = new Set<Connection>();
  readonly #connectionsMax: number;
  readonly #halfOpenMax: number;
  /** Client: proves our address, from a connection before; for one connection. */
  #token: Uint8Array = new Uint8Array(0);
  #lastNumber = 0;
  #isStopped = false;
  #isPortGone = false;
  #carried: StatelessDatagram | undefined;

  private constructor(ground: Ground, now: Instant) {
    this.#ground = ground;
    this.#routes = new Routes<Connection>(ground.generator.size);
    this.#stateless = new StatelessAnswers(ground.crypto, ground.entropy, now);
    const { connectionsMax, halfOpenMax } = ground.options as QuicServerOptions;
    this.#connectionsMax = connectionsMax ?? defaults.connectionsMax;
    this.#halfOpenMax = halfOpenMax ?? defaults.halfOpenMax;
  }

  static client(
    { crypto, entropy }: EndpointGround,
    options: QuicClientOptions,
    now: Instant,
    token: Uint8Array = new Uint8Array(0),
  ): QuicEndpoint {
    const ground: Ground = {
      role: "client",
      crypto,
      entropy,
      options,
      settings: settingsOf(options),
      generator: plainCids(options.connectionIdSize ?? defaults.connectionIdSize),
      resetTokens: undefined,
      addressTokens: undefined,
      trace: options.trace,
    };
    const endpoint = new QuicEndpoint(ground, now);
    endpoint.#token = token;
    return endpoint;
  }

  static server({ crypto, entropy }: EndpointGround, options: QuicServerOptions, now: Instant): QuicEndpoint {
    const secret = options.secret ?? new Secret(entropy.fill(new Uint8Array(secretSize)));
    const ground: Ground = {
      role: "server",
      crypto,
      entropy,
      options,
      settings: settingsOf(options),
      generator: options.connectionIds ?? plainCids(defaults.connectionIdSize),
      resetTokens: new ResetTokens(crypto, secret),
      addressTokens: new AddressTokens(crypto, secret, entropy),
      trace: options.trace,
    };
    return new QuicEndpoint(ground, now);
  }

  /** For what is read, not done: statistics, exporters, what is queued. */
  connection(number: ConnectionNumber): Connection | undefined {
    return this.#connections.get(number)?.connection;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  get halfOpenCount(): number {
    return this.#halfOpen.size;
  }

  handle(input: QuicInput | Wake, now: Instant): void {
    switch (input.kind) {
      case "datagrams":
        this.#datagrams(input, now);
        break;
      case "wake":
        for (let slot = this.#due.top; slot !== undefined && slot.at <= now; slot = this.#due.top) {
          this.#due.remove(slot);
          slot.connection.wake(now);
          this.#given(slot);
        }
        break;
      case "answer":
        this.#answer(input, now);
        break;
      case "connect":
        this.#connect(input.connection, input.local, input.remote, now);
        break;
      case "stop":
        this.#isStopped = true;
        break;
      case "opened":
        break;
      case "closed":
        this.#isPortGone = true;
        for (const slot of this.#connections.values()) {
          slot.connection.portGone();
          this.#telling.push(slot);
        }
        this.#active.clear();
        break;
      default: {
        const slot = this.#connections.get(input.connection);
        if (slot === undefined) break;
        slot.connection.input(input, now);
        this.#touch(slot.connection);
      }
    }
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    if (this.#isPortGone) return undefined;
    const stateless = this.#carried ?? this.#stateless.next();
    this.#carried = undefined;
    if (stateless !== undefined) {
      if (stateless.bytes.length > into.length) return undefined;
      into.set(stateless.bytes);
      return this.#leaves(stateless.bytes.length, stateless.bytes.length, stateless.from, stateless.to, 0);
    }
    for (const slot of this.#active) {
      const { connection } = slot;
      // Round robin: whoever has sent goes to the end.
      this.#active.delete(slot);
      const size = connection.transmit(into, now);
      if (size === 0) {
        this.#telling.push(slot);
        continue;
      }
      this.#active.add(slot);
      const { segmentSize, from, to, ecn } = connection.outbound;
      return this.#leaves(size, segmentSize, from, to, ecn);
    }
    return undefined;
  }

  event(): QuicEvent | undefined {
    for (let slot = this.#fresh[0]; slot !== undefined; slot = this.#fresh[0]) {
      const event = slot.connection.earlyEvent();
      if (event !== undefined) return this.#told(slot, event);
      this.#fresh.shift();
      slot.isFresh = false;
    }
    for (let slot = this.#telling[0]; slot !== undefined; slot = this.#telling[0]) {
      const { connection } = slot;
      const event = connection.event();
      if (event === undefined) {
        this.#telling.shift();
        this.#follow(connection);
        this.#schedule(slot);
        continue;
      }
      return this.#told(slot, event);
    }
    return undefined;
  }

  #told(slot: Slot, event: QuicEvent): QuicEvent {
    if (event.kind === "gone") this.#forget(slot);
    if (event.kind === "confirmed" || event.kind === "closed") this.#halfOpen.delete(slot.connection);
    return event;
  }

  deadline(): Instant | undefined {
    return this.#due.top?.at;
  }

  // Datagrams

  #datagrams({ bytes, from, to, segmentSize, ecn }: Datagrams, now: Instant): void {
    const step = segmentSize > 0 ? segmentSize : bytes.length;
    for (let at = 0; at < bytes.length; at += step) {
      this.#datagram(bytes, at, Math.min(bytes.length, at + step), to, from, ecn, now);
    }
  }

  #datagram(
    bytes: Uint8Array,
    at: number,
    end: number,
    local: SocketAddress,
    remote: SocketAddress,
    ecn: Ecn,
    now: Instant,
  ): void {
    const { generator } = this.#ground;
    const header = this.#header;
    if (!header.read(bytes, at, end, generator.size)) return;
    const connection = generator.size === 0 ? this.#only : this.#routes.find(bytes, header.dcidAt, header.dcidSize);
    if (connection !== undefined) {
      connection.datagram(bytes, at, end, local, remote, ecn, now);
      this.#touch(connection);
    } else if (this.#ground.role === "server") this.#unknown(bytes, at, end, local, remote, ecn, now);
    else if (!header.isLong && this.#only !== undefined) {
      this.#only.strange(bytes, at, end, now);
      this.#touch(this.#only);
    }
  }

  /** A client without ids has one connection: its port is its name. */
  get #only(): Connection | undefined {
    for (const { connection } of this.#connections.values()) return connection;
    return undefined;
  }

  /** A server's datagram that is for no connection, by its id: perhaps a new client (RFC 9000 §5.2.2). */
  #unknown(
    bytes: Uint8Array,
    at: number,
    end: number,
    local: SocketAddress,
    remote: SocketAddress,
    ecn: Ecn,
    now: Instant,
  ): void {
    const header = this.#header;
    const dcid = bytes.slice(header.dcidAt, header.dcidAt + header.dcidSize);
    if (!header.isLong) {
      const tokens = this.#ground.resetTokens!;
      this.#stateless.reset(tokens, dcid, end - at, local, remote, now);
      return;
    }
    const scid = bytes.slice(header.scidAt, header.scidAt + header.scidSize);
    const { versions } = this.#ground.settings;
    if (header.type === PacketType.versionNegotiation) return;
    if (header.version === undefined || !versions.includes(header.version)) {
      if (end - at >= udpPayloadMin) this.#stateless.negotiateVersion(dcid, scid, versions, local, remote);
      return;
    }
    const place = placeOf(remote);
    const known = this.#routes.findClient(dcid, place);
    if (known !== undefined) {
      known.datagram(bytes, at, end, local, remote, ecn, now);
      this.#touch(known);
      return;
    }
    // §14.1: what does not fill a datagram is no beginning; §7.2: nor is what has too short an id.
    if (header.type !== PacketType.initial || end - at < udpPayloadMin || dcid.length < 8) return;
    if (this.#isStopped || this.#isPortGone) return;
    const token = bytes.slice(header.tokenAt, header.tokenAt + header.tokenSize);
    this.#greet(bytes, at, end, { dcid, scid, token, place }, local, remote, ecn, now);
  }

  /** A new client: let in, asked to prove its address, or refused. */
  #greet(
    bytes: Uint8Array,
    at: number,
    end: number,
    hello: { readonly dcid: Uint8Array; readonly scid: Uint8Array; readonly token: Uint8Array; readonly place: string },
    local: SocketAddress,
    remote: SocketAddress,
    ecn: Ecn,
    now: Instant,
  ): void {
    const version = this.#header.version!;
    const { addressTokens, options } = this.#ground;
    const { dcid, scid, token } = hello;
    const { retry = "busy" } = options as QuicServerOptions;
    const { address, port } = remote;
    const found = token.length === 0 ? undefined : addressTokens!.open(token, { address, port, now });
    // RFC 9369 §5: a token is good for the version that it came from.
    const proof = found?.kind === "new" && found.version !== version.code ? undefined : found;
    // §8.1.2: the answer to a Retry has one try; §8.1.3: whatever else does not open is no proof, and no offence.
    const isStale = found === undefined && token.length > 0 && claimsRetry(token);
    if (isStale || (proof?.kind === "retry" && !sameBytes(proof.retryScid, dcid))) {
      this.#stateless.refuse(version, dcid, scid, transportErrors.INVALID_TOKEN, local, remote);
      return;
    }
    if (this.#connections.size >= this.#connectionsMax || this.#halfOpen.size >= this.#halfOpenMax) {
      this.#stateless.refuse(version, dcid, scid, transportErrors.CONNECTION_REFUSED, local, remote);
      return;
    }
    const isBusy = this.#halfOpen.size >= busyAt * this.#halfOpenMax;
    if (proof === undefined && (retry === "always" || (retry === "busy" && isBusy))) {
      const retryScid = this.#newId();
      const made = addressTokens!.retry({ address, port, originalDcid: dcid, retryScid, now });
      this.#stateless.retry(version, dcid, scid, retryScid, made, local, remote);
      return;
    }
    const connection = this.#begin(
      {
        number: ++this.#lastNumber,
        version,
        local: { ...local },
        remote: { ...remote },
        originalDcid: proof?.kind === "retry" ? proof.originalDcid : dcid,
        dcid,
        ownCid: this.#newId(),
        peerCid: scid,
        retryScid: proof?.kind === "retry" ? proof.retryScid : undefined,
        isValidated: proof !== undefined,
        refused: undefined,
      },
      now,
    );
    connection.datagram(bytes, at, end, local, remote, ecn, now);
    if (!connection.core.isHeard) {
      // Nothing in it was authentic: it was no client.
      connection.forget();
      this.#forget(this.#connections.get(connection.core.number)!);
      return;
    }
    this.#halfOpen.add(connection);
    this.#routes.addClient(dcid, hello.place, connection);
    this.#touch(connection);
  }

  #newId(): Uint8Array {
    const { generator, entropy } = this.#ground;
    const cid = new Uint8Array(generator.size);
    generator.generate(cid, entropy.fill(new Uint8Array(generator.size)));
    return cid;
  }

  // Connections

  #connect(number: ConnectionNumber, local: SocketAddress, remote: SocketAddress, now: Instant): void {
    const dcid = this.#ground.entropy.fill(new Uint8Array(firstDcidSize));
    const connection = this.#begin(
      {
        number,
        version: this.#ground.settings.versions[0]!,
        local,
        remote,
        originalDcid: dcid,
        dcid,
        ownCid: this.#newId(),
        peerCid: new Uint8Array(0),
        retryScid: undefined,
        isValidated: true,
        refused: undefined,
      },
      now,
    );
    this.#touch(connection);
  }

  #begin(beginning: Beginning, now: Instant): Connection {
    const connection = new Connection(this.#ground, beginning, now);
    this.#connections.set(beginning.number, { connection, at: 0, place: -1, isFresh: false });
    if (this.#ground.generator.size > 0) this.#routes.add(beginning.ownCid, connection);
    connection.core.token = this.#token;
    this.#token = new Uint8Array(0);
    connection.start(now);
    return connection;
  }

  #answer(answer: Answer, now: Instant): void {
    const slot = this.#connections.get(Math.floor(answer.id / questionsPerConnection));
    if (slot === undefined) return;
    slot.connection.answer(answer, now);
    this.#given(slot);
  }

  #touch(connection: Connection): void {
    const slot = this.#connections.get(connection.core.number);
    if (slot !== undefined) this.#given(slot);
  }

  #given(slot: Slot): void {
    this.#active.add(slot);
    if (slot.isFresh) return;
    slot.isFresh = true;
    this.#fresh.push(slot);
  }

  /** When the connection wants to be woken: asked once everything has been drained. */
  #schedule(slot: Slot): void {
    this.#due.remove(slot);
    const at = this.#connections.has(slot.connection.core.number) ? slot.connection.deadline() : undefined;
    if (at === undefined) return;
    slot.at = at;
    this.#due.add(slot);
  }

  /** What a connection has changed of its ids is followed here. */
  #follow(connection: Connection): void {
    const { ownCids } = connection.core;
    for (let event = ownCids.event(); event !== undefined; event = ownCids.event()) {
      if (event.kind === "issued") this.#routes.add(event.cid, connection);
      else this.#routes.remove(event.cid);
    }
  }

  #forget(slot: Slot): void {
    const { connection } = slot;
    this.#connections.delete(connection.core.number);
    this.#active.delete(slot);
    this.#due.remove(slot);
    this.#halfOpen.delete(connection);
    this.#unroute(connection);
  }

  #unroute(connection: Connection): void {
    this.#follow(connection);
    const { ownCids, beginning } = connection.core;
    if (this.#ground.generator.size > 0) for (const cid of ownCids.active) this.#routes.remove(cid);
    this.#routes.removeClient(beginning.dcid, placeOf(beginning.remote));
  }

  #leaves(size: number, segmentSize: number, from: SocketAddress, to: SocketAddress, ecn: Ecn): Transmit {
    const out = this.#transmitted;
    out.size = size;
    out.segmentSize = segmentSize;
    out.from = from;
    out.to = to;
    out.ecn = ecn;
    return out;
  }
}

/** A connection, and when it is to be woken. */
interface Slot extends Heaped {
  readonly connection: Connection;
  at: Instant;
  isFresh: boolean;
}

const placeOf = ({ address, port }: SocketAddress): string => `${address} ${port} `;

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

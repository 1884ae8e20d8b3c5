import { concat } from "../../bytes/index.js";
import type {
  Alarm,
  DatagramFate,
  Failure,
  SessionStream,
  SessionStreamSink,
  SocketAddress,
} from "../../contract/index.js";
import { TapsFailure } from "../failure.js";
import { incomingMessagesBytesMax, lingerMs, streamMessageBytesMax } from "../limits.js";
import type { ConnectionProperties } from "../properties.js";
import type { SecuritySession, SendHow, Settle, Transport, TransportSink } from "./stack.js";
import type { Member, StreamsGroup } from "./streams.js";

/**
 * A whole session as one Connection of Messages. A reliable Message is a one-way stream of its own, so that none waits
 * for another; an unreliable one is a datagram, and its fate is known.
 */
export class MessagesTransport implements Transport, Member {
  sink!: TransportSink;
  readonly receiveMax = streamMessageBytesMax;
  readonly closesWhole = true;
  readonly #group: StreamsGroup;
  /** Are Messages reliable that do not say? */
  readonly #isReliable: boolean;
  /** Our streams that are not acknowledged to their end. */
  readonly #sending = new Set<OutgoingMessage>();
  /** The peer's streams whose Messages are not whole yet, and the bytes of them that are here. */
  readonly #incoming = new Set<IncomingMessage>();
  #incomingBytes = 0;
  #isPaused = false;
  #priority = 100;
  #isReady = false;
  #isClosing = false;
  #isTold = false;
  #linger: Alarm | undefined;

  constructor(group: StreamsGroup, isReliable: boolean) {
    this.#group = group;
    this.#isReliable = isReliable;
  }

  get security(): SecuritySession {
    return this.#group.security;
  }

  get local(): SocketAddress {
    return this.#group.session.local;
  }

  get remote(): SocketAddress {
    return this.#group.session.remote;
  }

  get sendMax(): number {
    return this.#isReliable ? streamMessageBytesMax : this.#group.session.datagramMax;
  }

  /** What one DATAGRAM frame carries now: it moves with the path. */
  get singularMax(): number {
    return this.#group.session.datagramMax;
  }

  send(bytes: Uint8Array, { reliable = this.#isReliable, lifetimeMs }: SendHow, sent: Settle): boolean {
    if (reliable) return this.#sendStream(bytes, sent);
    const { session } = this.#group;
    const fate = (what: DatagramFate) => sent(what === "acknowledged" ? undefined : what === "expired" ? what : lost());
    if (session.sendDatagram(bytes, { fate, ...(lifetimeMs !== undefined && { lifetimeMs }) })) return true;
    if (bytes.length > session.datagramMax) {
      throw new TapsFailure({
        reason: "message-too-large",
        message: `${bytes.length} bytes are more than the ${session.datagramMax} that a datagram carries to this peer`,
        at: "singularTransmissionMsgMaxLen",
      });
    }
    throw new TapsFailure({ reason: "queue-full", message: "too many datagrams wait to be sent" });
  }

  /** A session has no word for the end of one direction. */
  finish(): void {}

  /** CONNECTION_CLOSE once every stream is acknowledged, or nobody does. */
  close(): void {
    if (this.#isClosing || this.#isTold) return;
    this.#isClosing = true;
    const { host } = this.#group;
    this.#linger = host.wakeAt(host.now() + lingerMs, () => this.#group.abort());
    this.#closeIfDone();
  }

  abort(): void {
    this.#isClosing = true;
    this.#group.host.soon(() => this.#tell(undefined));
    this.#group.abort();
  }

  /** Streams wait, and flow control with them; datagrams cannot be held back at their sender. */
  pause(): void {
    this.#isPaused = true;
    for (const message of this.#incoming) message.stream.pause();
  }

  resume(): void {
    this.#isPaused = false;
    for (const message of this.#incoming) message.stream.resume();
  }

  ref(): void {
    this.#group.refer(this, true);
  }

  unref(): void {
    this.#group.refer(this, false);
  }

  set<Name extends keyof ConnectionProperties>(name: Name, value: ConnectionProperties[Name]): boolean {
    if (name === "connPriority") this.#priority = value as number;
    return name === "connPriority";
  }

  ready(): void {
    if (this.#isReady || this.#isTold) return;
    this.#isReady = true;
    this.sink.ready();
  }

  takes(stream: SessionStream): SessionStreamSink | undefined {
    if (stream.direction !== "unidirectional" || this.#isTold) return undefined;
    const message = new IncomingMessage(stream, this);
    this.#incoming.add(message);
    if (this.#isPaused) stream.pause();
    return message;
  }

  /** A Message grows, or shrinks to nothing when it is whole or given up; false: there is no room for more. */
  grows(bytes: number): boolean {
    this.#incomingBytes += bytes;
    return this.#incomingBytes <= incomingMessagesBytesMax;
  }

  /** A Message is whole. */
  came(message: Uint8Array): void {
    if (!this.#isTold) this.sink.received(message, { reliable: true });
  }

  over(message: IncomingMessage): void {
    this.#incoming.delete(message);
  }

  datagram(bytes: Uint8Array): void {
    if (!this.#isTold) this.sink.received(bytes.slice());
  }

  closed(failure?: Failure): void {
    this.#linger?.cancel();
    this.#tell(this.#isClosing ? undefined : failure);
    this.#group.leave(this);
  }

  #sendStream(bytes: Uint8Array, sent: Settle): boolean {
    const message = new OutgoingMessage(
      () => {
        this.#sending.delete(message);
        this.#closeIfDone();
      },
      () => this.#isTold || this.sink.writable(),
    );
    this.#sending.add(message);
    const options = { direction: "unidirectional", priority: this.#priority } as const;
    const stream = this.#group.session.openStream(message, options);
    const room = stream.write(bytes, sent);
    stream.finish();
    return room;
  }

  #closeIfDone(): void {
    if (this.#isClosing && this.#sending.size === 0) this.#group.abort();
  }

  #tell(failure: Failure | undefined): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.sink.closed(failure);
  }
}

/** Our Message on its stream. */
class OutgoingMessage implements SessionStreamSink {
  readonly closed: () => void;
  readonly drained: () => void;

  constructor(closed: () => void, drained: () => void) {
    this.closed = closed;
    this.drained = drained;
  }

  bytes(): void {}
  ended(): void {}
}

/** The peer's Message on its stream: told when it is whole, forgotten when it is given up. */
class IncomingMessage implements SessionStreamSink {
  readonly stream: SessionStream;
  readonly #home: MessagesTransport;
  #pieces: Uint8Array[] | undefined = [];
  #size = 0;

  constructor(stream: SessionStream, home: MessagesTransport) {
    this.stream = stream;
    this.#home = home;
  }

  bytes(bytes: Uint8Array): void {
    if (this.#pieces === undefined) return;
    this.#size += bytes.length;
    if (this.#home.grows(bytes.length) && this.#size <= streamMessageBytesMax) this.#pieces.push(bytes);
    else {
      this.#forget();
      this.stream.stopSending(0);
    }
  }

  ended(): void {
    const pieces = this.#pieces;
    if (pieces === undefined) return;
    this.#forget();
    this.#home.came(pieces.length === 1 ? pieces[0]! : concat(...pieces));
  }

  drained(): void {}

  peerReset(): void {
    this.#forget();
  }

  closed(): void {
    this.#forget();
    this.#home.over(this);
  }

  #forget(): void {
    if (this.#pieces === undefined) return;
    this.#pieces = undefined;
    this.#home.grows(-this.#size);
  }
}

const lost = (): TapsFailure =>
  new TapsFailure({
    reason: "protocol-failed",
    message: "the packet that carried the Message was lost",
    fault: "unreachable",
  });

import { limits, windowFirst, writeQueueLow, writeQueueMark } from "../limits.js";
import type { MinimaltOptions } from "../options.js";
import { type ControlRpc, decodeControl } from "../wire/rpc.js";
import type { Home } from "./home.js";
import { type Acknowledged, Outgoing } from "./outgoing.js";
import { Stream } from "./stream.js";
import type { Tunnel } from "./tunnel.js";

/** RPCs that mean something in one role, or concern the tunnel rather than a connection. */
export type RoleRpc = Exclude<ControlRpc, { readonly f: "ack" | "close" | "windowSize" }>;

/** The connections of one tunnel, and what its control connection says of them (§4.1, §5.9). */
export class Connections implements Acknowledged {
  readonly outgoing: Outgoing;
  bytesReceived = 0;
  readonly #tunnel: Tunnel;
  readonly #home: Home;
  readonly #receiveBuffer: number;
  /** Numbers that have been used, each side's in its own order. */
  #lastOurs = 0;
  #lastPeers = 0;
  readonly #wanting = new Set<Stream>();

  constructor(tunnel: Tunnel, home: Home, { receiveBuffer = limits.receiveBufferDefault }: MinimaltOptions) {
    this.#tunnel = tunnel;
    this.#home = home;
    this.#receiveBuffer = receiveBuffer;
    this.outgoing = new Outgoing(this);
  }

  get(connection: number): Stream | undefined {
    return this.outgoing.streams.get(connection);
  }

  // The application

  /** A connection of ours, by whatever RPC creates it. */
  add(rpc: Extract<ControlRpc, { readonly f: "create" | "createAuth" }>, priority: number): void {
    const stream = new Stream(rpc.c, false, rpc.y, undefined, priority);
    this.#lastOurs = Math.max(this.#lastOurs, rpc.c);
    this.outgoing.streams.set(rpc.c, stream);
    this.say(rpc);
    this.#grant(stream);
  }

  write(connection: number, bytes: Uint8Array, released: (() => void) | undefined): void {
    const stream = this.get(connection);
    if (stream === undefined || stream.isFinished || bytes.length === 0) {
      if (released !== undefined) this.#home.tell({ kind: "released", tunnel: this.#tunnel.id, released });
      return;
    }
    stream.buffer.write(bytes, released);
    this.outgoing.touch(stream);
    if (stream.unsent > writeQueueMark) {
      stream.wantsDrain = true;
      this.#wanting.add(stream);
    }
  }

  finish(connection: number): void {
    const stream = this.get(connection);
    if (stream === undefined) return;
    stream.isFinished = true;
    this.outgoing.touch(stream);
  }

  refuse(connection: number): void {
    const stream = this.get(connection);
    if (stream === undefined) return;
    this.say({ f: "refuse", c: connection });
    this.#remove(stream, false);
  }

  stop(connection: number): void {
    const stream = this.get(connection);
    if (stream === undefined) return;
    stream.isStopped = true;
    this.#deliver(stream);
  }

  pause(connection: number): void {
    const stream = this.get(connection);
    if (stream !== undefined) stream.isPaused = true;
  }

  resume(connection: number): void {
    const stream = this.get(connection);
    if (stream === undefined) return;
    stream.isPaused = false;
    this.#deliver(stream);
  }

  prioritize(connection: number, priority: number): void {
    const stream = this.get(connection);
    if (stream !== undefined) stream.priority = priority;
  }

  /** A connection of the peer's may be, or may not. */
  decide(connection: number, may: boolean): void {
    const stream = this.get(connection);
    if (stream === undefined) return;
    if (!may) {
      this.outgoing.forget(stream);
      this.say({ f: "refuse", c: connection });
      return;
    }
    stream.isUndecided = false;
    this.say({ f: "ack", c: connection });
    this.#grant(stream);
    const { service, user } = stream;
    this.#home.tell({ kind: "created", tunnel: this.#tunnel.id, connection, service, user });
    this.#deliver(stream);
  }

  say(rpc: ControlRpc): void {
    if (this.outgoing.control(rpc)) return;
    this.#tunnel.fail("unexpected-rpc", rpc.f, "the peer asks for more answers than it takes");
  }

  // The peer

  control(bytes: Uint8Array, from: number, to: number): void {
    const rpc = decodeControl(bytes.subarray(from, to));
    if (rpc === undefined) {
      this.#tunnel.fail("malformed-rpc", "RPC", "the control connection said something that is no RPC");
      return;
    }
    switch (rpc.f) {
      case "create":
      case "createAuth":
        this.#create(rpc);
        return;
      case "ack":
        if (this.#known(rpc.c, rpc.f) === undefined) return;
        this.#home.tell({ kind: "acknowledged", tunnel: this.#tunnel.id, connection: rpc.c });
        return;
      case "close":
        this.#close(rpc.c);
        return;
      case "refuse": {
        if (rpc.c === 0) {
          this.#tunnel.ownRpc(rpc);
          return;
        }
        const stream = this.#known(rpc.c, rpc.f);
        if (stream !== undefined) this.#remove(stream, true);
        return;
      }
      case "windowSize": {
        const stream = this.#known(rpc.c, rpc.f);
        if (stream === undefined) return;
        stream.window = Math.max(stream.window, rpc.n);
        this.outgoing.touch(stream);
        return;
      }
      default:
        this.#tunnel.ownRpc(rpc);
    }
  }

  /** Bytes of a connection: they go to the application unchanged. */
  data(connection: number, bytes: Uint8Array, from: number, to: number): void {
    const size = to - from;
    const stream = this.#known(connection, "data");
    if (stream === undefined || size === 0) return;
    if (stream.isEnded) {
      this.#tunnel.fail("unexpected-rpc", "data", "a connection goes on behind its end");
      return;
    }
    stream.received += size;
    if (stream.received > stream.granted) {
      this.#tunnel.fail("flow-control", "data", "a connection goes beyond its window");
      return;
    }
    if (stream.isStopped) stream.delivered += size;
    else if (stream.isPaused || stream.isUndecided || stream.waiting.length > 0) {
      stream.waiting.push(bytes.slice(from, to));
      return;
    } else this.#give(stream, bytes.subarray(from, to));
    this.#grant(stream);
  }

  // What follows

  streamAcknowledged(stream: Stream): void {
    const { buffer } = stream;
    while (buffer.letGo()) {
      const { released } = buffer;
      if (released !== undefined) this.#home.tell({ kind: "released", tunnel: this.#tunnel.id, released });
    }
    if (stream.isOver) this.#done.push(stream);
  }

  /** What an acknowledgement ended is over; nobody walks the table of segments meanwhile. */
  settle(): void {
    for (let stream = this.#done.pop(); stream !== undefined; stream = this.#done.pop()) this.#maybeOver(stream);
  }

  readonly #done: Stream[] = [];

  /** Tells those who held back that they may go on. */
  drained(): void {
    for (const stream of this.#wanting) {
      if (stream.unsent > writeQueueLow) continue;
      this.#wanting.delete(stream);
      stream.wantsDrain = false;
      this.#home.tell({ kind: "drained", tunnel: this.#tunnel.id, connection: stream.id });
    }
  }

  /** Nothing of the connections is sent any more. */
  abandon(): void {
    for (const stream of [...this.outgoing.streams.values()]) {
      stream.buffer.abandon();
      this.streamAcknowledged(stream);
      this.outgoing.forget(stream);
    }
    this.#wanting.clear();
  }

  /** The tunnel is gone. */
  release(): void {
    this.abandon();
  }

  #create(rpc: Extract<ControlRpc, { readonly f: "create" | "createAuth" }>): void {
    const { c } = rpc;
    if (!this.#isPeers(c) || c <= this.#lastPeers) {
      this.#tunnel.fail("unexpected-rpc", rpc.f, "a connection is created twice, or under a number that is ours");
      return;
    }
    this.#lastPeers = c;
    if (this.outgoing.streams.size >= limits.connectionsMax) {
      this.say({ f: "refuse", c });
      return;
    }
    const user = rpc.f === "createAuth" ? rpc.U : undefined;
    const stream = new Stream(c, true, rpc.y, user, priorityOfPeers);
    stream.isUndecided = true;
    this.outgoing.streams.set(c, stream);
    this.#tunnel.ownRpc(rpc);
  }

  #close(connection: number): void {
    if (connection === 0) {
      this.#tunnel.closedByPeer();
      return;
    }
    const stream = this.#known(connection, "close");
    if (stream === undefined) return;
    stream.isEnded = true;
    this.#tellEnd(stream);
  }

  /** Undefined for one that is over, of which the peer may not know; one that never was fails the tunnel. */
  #known(connection: number, at: string): Stream | undefined {
    const stream = this.get(connection);
    const last = this.#isPeers(connection) ? this.#lastPeers : this.#lastOurs;
    if (stream === undefined && (connection === 0 || connection > last)) {
      this.#tunnel.fail("unexpected-rpc", at, "there has never been such a connection");
    }
    return stream;
  }

  /** Clients create connections with odd numbers, servers with even ones. */
  #isPeers(connection: number): boolean {
    return (connection % 2 === 1) !== this.#tunnel.createsOdd;
  }

  #give(stream: Stream, bytes: Uint8Array): void {
    stream.delivered += bytes.length;
    this.bytesReceived += bytes.length;
    this.#home.tell({ kind: "data", tunnel: this.#tunnel.id, connection: stream.id, bytes });
  }

  #deliver(stream: Stream): void {
    if (stream.isUndecided || (stream.isPaused && !stream.isStopped)) return;
    for (const bytes of stream.waiting.splice(0)) {
      if (stream.isStopped) stream.delivered += bytes.length;
      else this.#give(stream, bytes);
    }
    this.#grant(stream);
    this.#tellEnd(stream);
  }

  #tellEnd(stream: Stream): void {
    if (!stream.isEnded || stream.endTold || stream.waiting.length > 0 || stream.isUndecided) return;
    if (stream.isPaused && !stream.isStopped) return;
    stream.endTold = true;
    this.#home.tell({ kind: "ended", tunnel: this.#tunnel.id, connection: stream.id });
    this.#maybeOver(stream);
  }

  /** Lets the peer go on, a quarter of the buffer at a time. */
  #grant(stream: Stream): void {
    if (stream.isEnded) return;
    const to = stream.delivered + this.#receiveBuffer;
    if (to - stream.granted < Math.min(windowFirst, this.#receiveBuffer / 4) || to > limits.positionsMax) return;
    stream.granted = to;
    this.say({ f: "windowSize", c: stream.id, n: to });
  }

  #maybeOver(stream: Stream): void {
    if (stream.isOver && this.get(stream.id) === stream) this.#remove(stream, false);
  }

  #remove(stream: Stream, isRefused: boolean): void {
    stream.buffer.abandon();
    this.streamAcknowledged(stream);
    this.outgoing.forget(stream);
    this.#wanting.delete(stream);
    this.#home.tell({ kind: "connection-over", tunnel: this.#tunnel.id, connection: stream.id, isRefused });
  }
}

/** Whoever answers says later how much it matters. */
const priorityOfPeers = 100;

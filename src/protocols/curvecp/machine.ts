import { toHex } from "../../bytes/index.js";
import {
  type Answer,
  type CryptoProvider,
  type Datagrams,
  type Entropy,
  earliest,
  Failure,
  type Instant,
  type Machine,
  type SocketAddress,
  type Transmit,
  type Wake,
} from "../../contract/index.js";
import { BoundedStore } from "../../mechanisms/bounded-store.js";
import { Heap, type Heaped } from "../../mechanisms/heap.js";
import { ClientConnection } from "./client.js";
import { ClientTable } from "./client-table.js";
import { checkAddress, checkClientOptions, checkServerOptions } from "./config.js";
import type { Connection } from "./connection.js";
import { type CurveCpFailure, curvecpFailure, type DropReason, noDrops } from "./failure.js";
import { type Entrance, Threshold } from "./handshake/threshold.js";
import { Boxes } from "./keys.js";
import { limits } from "./limits.js";
import { clientKeyAt, extensionSize, packetType, senderExtensionAt } from "./messages/packets.js";
import type { CurveCpClientOptions, CurveCpServerOptions } from "./options.js";
import { ServerConnection } from "./server.js";
import type { ConnectionEvent, CurveCpEvent, CurveCpInput } from "./vocabulary.js";

export interface CurveCpGround {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
}

/** A connection's place among the moments at which one wants to be woken. */
interface Waiting extends Heaped {
  readonly connection: Connection;
  at: Instant;
}

/** A client that waits for the application's word. */
interface Undecided {
  readonly entrance: Entrance;
  readonly from: SocketAddress;
  readonly extension: Uint8Array;
}

/** CurveCP on one port: any number of connections, as client and as server. */
export class CurveCpEndpoint implements Machine<CurveCpInput, CurveCpEvent> {
  /** What was dropped for no connection. */
  readonly drops = noDrops();
  readonly #ground: { readonly entropy: Entropy; readonly boxes: Boxes };
  readonly #server: CurveCpServerOptions | undefined;
  readonly #threshold: Threshold | undefined;
  readonly #connections = new Map<number, Waiting>();
  readonly #clients: ClientConnection[] = [];
  readonly #served = new ClientTable();
  readonly #waiting = new Heap<Waiting>((a, b) => a.at < b.at);
  readonly #ready = new Set<Connection>();
  readonly #events: CurveCpEvent[] = [];
  readonly #undecided = new Map<number, Undecided>();
  /** Short-term keys of those who wait, and of those who were refused. */
  readonly #asked = new Set<string>();
  readonly #refused: BoundedStore<string, true>;
  #nextQuestion = 1;
  #nextConnection = 2;
  /** The time of what is being done. */
  #at: Instant = 0;
  #refusesStrangers = false;
  #isClosing = false;
  #isClosed = false;

  /** Throws `bad-configuration` for options that make no sense. */
  constructor(ground: CurveCpGround, server?: CurveCpServerOptions) {
    const { crypto, entropy } = ground;
    this.#ground = { entropy, boxes: new Boxes(crypto) };
    this.#server = server;
    if (server !== undefined) {
      checkServerOptions(server);
      this.#threshold = new Threshold(this.#ground, server, (reason) => this.#drop(reason));
    }
    this.#refused = new BoundedStore({ entriesMax: limits.refusedMax, lifetimeMs: limits.refusedLifetimeMs });
  }

  /** Live connections, those that linger included. */
  get size(): number {
    return this.#connections.size;
  }

  /** For counts and addresses; undefined when it is gone. */
  connection(number: number): Connection | undefined {
    return this.#connections.get(number)?.connection;
  }

  handle(input: CurveCpInput | Wake, now: Instant): void {
    if (this.#isClosed) return;
    this.#at = now;
    switch (input.kind) {
      case "datagrams":
        this.#datagrams(input, now);
        break;
      case "send":
        this.#send(input.connection, input.bytes);
        break;
      case "wake":
        this.#wake(now);
        break;
      case "answer":
        this.#answer(input, now);
        break;
      case "connect":
        this.#connect(input.connection, input.remote, input.options, now);
        break;
      case "finish":
        this.#with(input.connection, now, (each) => each.finish());
        break;
      case "abort":
        this.#with(input.connection, now, (each) => each.abort(now));
        break;
      case "pause":
        this.#with(input.connection, now, (each) => each.pause());
        break;
      case "resume":
        this.#with(input.connection, now, (each) => each.resume(now));
        break;
      case "moved":
        this.#with(input.connection, now, (each) => each.portMoved(now));
        break;
      case "refuse-strangers":
        this.#refusesStrangers = true;
        break;
      case "close":
        this.#refusesStrangers = this.#isClosing = true;
        for (const { connection } of [...this.#connections.values()]) {
          connection.abort(now);
          this.#touched(connection, now);
        }
        break;
      case "closed":
        this.#close();
        break;
      case "opened":
        break;
    }
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    const answer = this.#threshold?.write(into);
    if (answer !== undefined) return answer;
    for (const connection of this.#ready) {
      const transmit = connection.transmit(into, now);
      this.#ready.delete(connection);
      this.#settle(connection, now);
      if (transmit === undefined) continue;
      if (connection.state !== "gone") this.#ready.add(connection); // behind the others
      return transmit;
    }
    return undefined;
  }

  event(): CurveCpEvent | undefined {
    return this.#events.shift();
  }

  deadline(): Instant | undefined {
    return earliest(this.#waiting.top?.at, this.#threshold?.minuteKeys.deadline);
  }

  // What comes

  #datagrams({ bytes, from, segmentSize }: Datagrams, now: Instant): void {
    const step = segmentSize > 0 ? segmentSize : bytes.length;
    for (let at = 0; at < bytes.length; at += step) {
      this.#datagram(bytes, at, Math.min(at + step, bytes.length), from, now);
    }
  }

  #datagram(bytes: Uint8Array, at: number, end: number, from: SocketAddress, now: Instant): void {
    const type = packetType(bytes, at, end);
    switch (type) {
      case undefined:
        this.#drop("malformed");
        break;
      case "cookie":
      case "server-message":
        this.#fromServer(type, bytes, at, end, from, now);
        break;
      case "hello":
        if (this.#threshold === undefined || this.#refusesStrangers) this.#drop("no-server");
        else if (!this.#threshold.isForUs(bytes, at)) this.#drop("wrong-extension");
        else this.#threshold.hello(bytes, at, from, now);
        break;
      case "initiate":
      case "client-message":
        this.#fromClient(type === "initiate", bytes, at, end, from, now);
        break;
    }
  }

  #fromServer(
    type: "cookie" | "server-message",
    bytes: Uint8Array,
    at: number,
    end: number,
    from: SocketAddress,
    now: Instant,
  ): void {
    for (const client of this.#clients) {
      if (!client.knows(from)) continue;
      if (type === "cookie") client.cookie(bytes, at, from, now);
      else client.packet(bytes, at, end, now);
      this.#touched(client, now);
      return;
    }
    this.#drop("no-connection");
  }

  #fromClient(
    isInitiate: boolean,
    bytes: Uint8Array,
    at: number,
    end: number,
    from: SocketAddress,
    now: Instant,
  ): void {
    const threshold = this.#threshold;
    if (threshold === undefined) this.#drop("no-server");
    else if (!threshold.isForUs(bytes, at)) this.#drop("wrong-extension");
    else {
      const connection = this.#served.find(bytes, at + clientKeyAt);
      if (connection !== undefined) {
        connection.packet(bytes, at, end, isInitiate, from, now);
        this.#touched(connection, now);
      } else if (!isInitiate) this.#drop("no-connection");
      else if (this.#refusesStrangers) this.#drop("no-server");
      else this.#initiate(threshold, bytes, at, end, from, now);
    }
  }

  #initiate(threshold: Threshold, bytes: Uint8Array, at: number, end: number, from: SocketAddress, now: Instant): void {
    const { clientsMax = limits.clientsMaxDefault, clients } = this.#server!;
    const name = toHex(bytes.subarray(at + clientKeyAt, at + clientKeyAt + 32));
    if (this.#asked.has(name)) this.#drop("undecided");
    else if (this.#refused.get(name, now) !== undefined) this.#drop("refused-client");
    else if (threshold.minuteKeys.isSpent(name)) this.#drop("spent-cookie");
    else if (this.#served.size >= clientsMax) this.#drop("too-many-clients");
    else {
      const entrance = threshold.initiate(bytes, at, end, now);
      if (entrance === undefined) return;
      const extension = bytes.slice(at + senderExtensionAt, at + senderExtensionAt + extensionSize);
      const undecided: Undecided = { entrance, from: { ...from }, extension };
      if (clients === undefined) this.#accept(undecided, now);
      else this.#ask(undecided, name);
    }
  }

  #ask(undecided: Undecided, name: string): void {
    const { entrance, from } = undecided;
    if (this.#undecided.size >= limits.questionsMax) {
      entrance.key.wipe();
      this.#drop("too-many-clients");
      return;
    }
    const id = this.#nextQuestion++;
    this.#undecided.set(id, undecided);
    this.#asked.add(name);
    const { publicKey, serverName } = entrance;
    this.#events.push({
      kind: "question",
      id,
      question: { kind: "accept-client", publicKey: publicKey.slice(), serverName, from },
    });
  }

  #answer({ id, answer }: Answer, now: Instant): void {
    const undecided = this.#undecided.get(id);
    if (undecided === undefined) return;
    const { entrance } = undecided;
    const name = toHex(entrance.shortTermKey);
    this.#undecided.delete(id);
    this.#asked.delete(name);
    if (answer === true && !this.#refusesStrangers) {
      this.#accept(undecided, now);
      return;
    }
    entrance.key.wipe();
    this.#refused.set(name, true, now);
    this.#drop("refused-client");
  }

  #accept({ entrance, from, extension }: Undecided, now: Instant): void {
    const number = this.#nextConnection;
    this.#nextConnection += 2;
    const connection = new ServerConnection(
      number,
      from,
      extension,
      entrance,
      this.#server!,
      this.#ground,
      this.#tell,
      now,
    );
    entrance.key.wipe();
    this.#add(connection);
    this.#served.add(connection);
    this.#events.push({ kind: "accepted", connection: number, from: { ...from } });
    connection.begin(entrance, now);
    this.#touched(connection, now);
  }

  // What they say

  #connect(connection: number, remote: SocketAddress, options: CurveCpClientOptions, now: Instant): void {
    try {
      checkClientOptions(options);
      for (const address of [remote, ...(options.alternates ?? [])]) checkAddress(address);
      const client = new ClientConnection(connection, remote, options, this.#ground, this.#tell, now);
      this.#add(client);
      this.#clients.push(client);
      this.#touched(client, now);
    } catch (cause) {
      // Options that make no sense end the session that they were for.
      const failure =
        cause instanceof Failure
          ? (cause as CurveCpFailure)
          : curvecpFailure("bad-configuration", "options", "the options make no sense", { cause });
      this.#events.push({ kind: "over", connection, failure }, { kind: "gone", connection });
    }
  }

  #send(number: number, bytes: Uint8Array): void {
    const waiting = this.#connections.get(number);
    if (waiting === undefined) {
      this.#events.push({ kind: "released", connection: number, count: 1 });
      return;
    }
    waiting.connection.send(bytes);
    this.#ready.add(waiting.connection);
  }

  #with(number: number, now: Instant, act: (connection: Connection) => void): void {
    const connection = this.connection(number);
    if (connection === undefined) return;
    act(connection);
    this.#ready.add(connection);
    this.#settle(connection, now);
  }

  #wake(now: Instant): void {
    this.#threshold?.minuteKeys.expire(now);
    // Each once: what it wants next is said when all have been woken.
    const due: Connection[] = [];
    for (let top = this.#waiting.top; top !== undefined && top.at <= now; top = this.#waiting.top) {
      this.#waiting.remove(top);
      top.at = Number.POSITIVE_INFINITY;
      due.push(top.connection);
    }
    for (const connection of due) {
      connection.wake(now);
      this.#touched(connection, now);
    }
  }

  #add(connection: Connection): void {
    this.#connections.set(connection.id, { connection, at: Number.POSITIVE_INFINITY, place: -1 });
  }

  #touched(connection: Connection, now: Instant): void {
    this.#ready.add(connection);
    this.#settle(connection, now);
  }

  /** When does it want to be woken now? Or is it gone? */
  #settle(connection: Connection, now: Instant): void {
    if (this.#isClosing && connection.isSettled) connection.leave();
    if (connection.state === "gone") {
      this.#forget(connection, now);
      return;
    }
    const waiting = this.#connections.get(connection.id);
    if (waiting === undefined) return;
    const at = connection.deadline() ?? Number.POSITIVE_INFINITY;
    if (waiting.at === at) return;
    this.#waiting.remove(waiting);
    waiting.at = at;
    if (at !== Number.POSITIVE_INFINITY) this.#waiting.add(waiting);
  }

  #forget(connection: Connection, now: Instant): void {
    const waiting = this.#connections.get(connection.id);
    if (waiting === undefined) return;
    this.#waiting.remove(waiting);
    this.#connections.delete(connection.id);
    this.#ready.delete(connection);
    if (connection instanceof ServerConnection) {
      this.#served.remove(connection);
      this.#threshold?.minuteKeys.spend(toHex(connection.shortTermKey), now);
    } else {
      const index = this.#clients.indexOf(connection as ClientConnection);
      if (index >= 0) this.#clients.splice(index, 1);
    }
  }

  readonly #tell = (event: ConnectionEvent): void => {
    this.#events.push(event);
  };

  #drop(reason: DropReason): void {
    this.drops[reason]++;
    this.#server?.trace?.({ at: this.#at, protocol: "CurveCP", name: "curvecp:dropped", data: { reason } });
  }

  /** The port is gone: nothing can be said any more. */
  #close(): void {
    for (const { connection } of [...this.#connections.values()]) connection.leave();
    this.#connections.clear();
    this.#clients.length = 0;
    this.#ready.clear();
    for (const { entrance } of this.#undecided.values()) entrance.key.wipe();
    this.#undecided.clear();
    this.#threshold?.minuteKeys.wipe();
    this.#isClosed = true;
  }
}

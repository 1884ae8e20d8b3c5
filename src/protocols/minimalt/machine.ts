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
import { Boxes } from "../../crypto/index.js";
import { Heap, type Heaped } from "../../mechanisms/heap.js";
import { checkServerOptions } from "./config.js";
import { type DropReason, type MinimaltFailure, minimaltFailure, noDrops } from "./failure.js";
import { isAuthentic } from "./keys.js";
import { limits } from "./limits.js";
import type { MinimaltServerOptions } from "./options.js";
import { Names } from "./server/names.js";
import { Threshold } from "./server/threshold.js";
import { ClientTunnel } from "./tunnel/client.js";
import type { ServerHome } from "./tunnel/home.js";
import { ServerTunnel } from "./tunnel/server.js";
import type { Tunnel } from "./tunnel/tunnel.js";
import type { MinimaltEvent, MinimaltInput, TunnelEvent, TunnelInput } from "./vocabulary.js";
import { PacketView, tunnelAt } from "./wire/packet.js";
import { makeCertificate, type ServiceRecord } from "./wire/record.js";

export interface MinimaltGround {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
}

/** A tunnel's place among the moments at which one wants to be woken. */
interface Waiting extends Heaped {
  readonly tunnel: Tunnel;
  at: Instant;
}

/** What the application was asked. */
type Asked = { readonly decide: (answer: unknown, now: Instant) => void };

/** MinimaLT on one port: any number of tunnels, as client and as server. */
export class MinimaltEndpoint implements Machine<MinimaltInput, MinimaltEvent>, ServerHome {
  /** What was dropped for no tunnel. */
  readonly drops = noDrops();
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  readonly boxes: Boxes;
  readonly #server: MinimaltServerOptions | undefined;
  readonly #names: Names | undefined;
  #threshold: Threshold | undefined;
  #record: ServiceRecord | undefined;
  #place: SocketAddress | undefined;
  readonly #tunnels = new Map<number, Waiting>();
  #served = 0;
  /** By identifier: those that are in use, and those that were announced. */
  readonly #routes = new Map<number, Tunnel>();
  readonly #waiting = new Heap<Waiting>((a, b) => a.at < b.at);
  readonly #ready = new Set<Tunnel>();
  readonly #events: MinimaltEvent[] = [];
  readonly #asked = new Map<number, Asked>();
  #nextQuestion = 1;
  #nextTunnel = 2;
  /** The time of what is being done. */
  #at: Instant = 0;
  #refusesStrangers = false;
  #isClosed = false;

  /** Throws `bad-configuration` for options that make no sense. */
  constructor({ crypto, entropy }: MinimaltGround, server?: MinimaltServerOptions) {
    this.crypto = crypto;
    this.entropy = entropy;
    this.boxes = new Boxes(crypto);
    this.#server = server;
    if (server === undefined) return;
    checkServerOptions(server);
    if (server.nameService !== undefined) this.#names = new Names(crypto, server.nameService);
  }

  /** Live tunnels, those that see their last packets through included. */
  get size(): number {
    return this.#tunnels.size;
  }

  /** Puzzles that were posed to strangers. */
  get puzzlesPosed(): number {
    return this.#threshold?.posed ?? 0;
  }

  /** A server's own record, once its place is known. */
  get record(): ServiceRecord | undefined {
    return this.#record;
  }

  /** For counts and addresses; undefined when it is gone. */
  tunnel(number: number): Tunnel | undefined {
    return this.#tunnels.get(number)?.tunnel;
  }

  handle(input: MinimaltInput | Wake, now: Instant): void {
    if (this.#isClosed) return;
    this.#at = now;
    switch (input.kind) {
      case "datagrams":
        this.#datagrams(input, now);
        break;
      case "wake":
        this.#wake(now);
        break;
      case "answer":
        this.#answer(input, now);
        break;
      case "serve":
        this.#serve(input.at, now);
        break;
      case "refuse-strangers":
        this.#refusesStrangers = true;
        for (const { tunnel } of [...this.#tunnels.values()]) this.#settle(tunnel);
        break;
      case "closed":
        this.#close();
        break;
      case "opened":
        break;
      default:
        this.#tunnelInput(input, now);
    }
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    const answer = this.#threshold?.write(into);
    if (answer !== undefined) return answer;
    for (const tunnel of this.#ready) {
      const transmit = tunnel.transmit(into, now);
      this.#ready.delete(tunnel);
      this.#settle(tunnel);
      if (transmit === undefined) continue;
      if (tunnel.state !== "gone") this.#ready.add(tunnel); // behind the others
      return transmit;
    }
    return undefined;
  }

  event(): MinimaltEvent | undefined {
    return this.#events.shift();
  }

  deadline(): Instant | undefined {
    return earliest(this.#waiting.top?.at, this.#threshold?.ephemerals.deadline);
  }

  // What comes

  #datagrams({ bytes, from, segmentSize }: Datagrams, now: Instant): void {
    const step = segmentSize > 0 ? segmentSize : bytes.length;
    for (let at = 0; at < bytes.length; at += step) {
      this.#datagram(bytes, at, Math.min(at + step, bytes.length), from, now);
    }
  }

  #datagram(bytes: Uint8Array, at: number, end: number, from: SocketAddress, now: Instant): void {
    if (!view.read(bytes, at, end)) {
      this.#drop("malformed");
      return;
    }
    const tunnel = this.#routes.get(view.tunnel);
    if (tunnel === undefined) {
      if (!view.hasKey) this.#drop("no-tunnel");
      else this.#stranger(bytes, at, end, from, now);
      return;
    }
    if (tunnel instanceof ServerTunnel) tunnel.packet(bytes, at, end, view, from, now);
    else if (tunnel instanceof ClientTunnel) tunnel.packet(bytes, at, end, view, now);
    this.#touched(tunnel);
  }

  #stranger(bytes: Uint8Array, at: number, end: number, from: SocketAddress, now: Instant): void {
    const threshold = this.#threshold;
    if (threshold === undefined || this.#refusesStrangers) {
      this.#drop("no-server");
      return;
    }
    if (this.#served >= (this.#server!.tunnelsMax ?? limits.tunnelsMaxDefault)) {
      this.#drop("too-many-tunnels");
      return;
    }
    const arrival = threshold.arrive(bytes, at, end, view, from, now);
    if (arrival === undefined) return;
    const { entrance, plain } = arrival;
    if (this.#routes.has(tunnelAt(entrance.nextTid, 0)) || tunnelAt(entrance.nextTid, 0) === view.tunnel) {
      entrance.key.wipe();
      this.#drop("tid-in-use");
      return;
    }
    const number = this.#nextTunnel;
    this.#nextTunnel += 2;
    const tunnel = new ServerTunnel(this, number, entrance, this.#server!, threshold.puzzles, now);
    this.spend(entrance.clientKey);
    this.#add(tunnel);
    this.#served++;
    this.route(entrance.tid, tunnel);
    this.route(entrance.nextTid, tunnel);
    if (!entrance.isForLookup) this.#events.push({ kind: "accepted", tunnel: number, from: { ...from } });
    // Segments that go to the application lie in the threshold's memory, which the next stranger's packet takes.
    tunnel.begin(plain.slice(), end - at, view.number, now);
    this.#touched(tunnel);
  }

  // What they say

  #tunnelInput(input: TunnelInput, now: Instant): void {
    if (input.kind === "connect") {
      this.#connect(input, now);
      return;
    }
    const tunnel = this.tunnel(input.tunnel);
    if (tunnel === undefined || tunnel.state !== "open") {
      if (input.kind === "write" && input.released !== undefined) {
        this.#events.push({ kind: "released", tunnel: input.tunnel, released: input.released });
      }
      return;
    }
    const { connections } = tunnel;
    switch (input.kind) {
      case "create":
        if (tunnel instanceof ClientTunnel) tunnel.create(input.connection, input.service, input.priority);
        else connections.add({ f: "create", c: input.connection, y: input.service }, input.priority);
        break;
      case "write":
        connections.write(input.connection, input.bytes, input.released);
        break;
      case "finish":
        connections.finish(input.connection);
        break;
      case "refuse":
        connections.refuse(input.connection);
        break;
      case "stop":
        connections.stop(input.connection);
        break;
      case "pause":
        connections.pause(input.connection);
        break;
      case "resume":
        connections.resume(input.connection);
        break;
      case "priority":
        connections.prioritize(input.connection, input.priority);
        break;
      case "request":
        if (tunnel instanceof ClientTunnel) tunnel.request(input.request, input.name);
        break;
      case "give":
        if (tunnel instanceof ClientTunnel) tunnel.give(input.request, input.record);
        break;
      case "keep-alive":
        if (tunnel instanceof ClientTunnel) tunnel.setKeepAlive(input.ms);
        break;
      case "update-keys":
        if (tunnel instanceof ClientTunnel) tunnel.updateKeys(now);
        else if (tunnel instanceof ServerTunnel) tunnel.updateKeys();
        break;
      case "moved":
        if (tunnel instanceof ClientTunnel) tunnel.moved(now);
        break;
      case "close":
        tunnel.close(now);
        break;
      case "abort":
        tunnel.abort(now);
        break;
    }
    this.#touched(tunnel);
  }

  #connect({ tunnel, approach }: Extract<TunnelInput, { readonly kind: "connect" }>, now: Instant): void {
    try {
      const client = ClientTunnel.begin(this, tunnel, approach, now);
      this.#add(client);
      this.#touched(client);
    } catch (cause) {
      // What makes no sense ends the session that it was for.
      const failure =
        cause instanceof Failure
          ? (cause as MinimaltFailure)
          : minimaltFailure("bad-configuration", "options", "the options make no sense", { cause });
      this.#events.push({ kind: "over", tunnel, failure }, { kind: "gone", tunnel });
    }
  }

  #serve(at: SocketAddress, now: Instant): void {
    this.#place = at;
    if (this.#server === undefined) return;
    this.#threshold = new Threshold(this, this.#server, (reason) => this.#drop(reason), now);
    this.#renew();
  }

  #renew(): void {
    const { identity, certificate, serverName = "" } = this.#server!;
    const { ephemerals, suite } = this.#threshold!;
    const { notAfter } = ephemerals.current;
    const certS = certificate ?? makeCertificate(identity, serverName, notAfter, identity.signing);
    this.#record = ephemerals.record(identity, certS, suite, this.#place!);
    this.#events.push({ kind: "new-record", record: this.#record, notAfter });
  }

  #wake(now: Instant): void {
    if (this.#threshold?.ephemerals.expire(now) === true) this.#renew();
    // Each once: what it wants next is said when all have been woken.
    const due: Tunnel[] = [];
    for (let top = this.#waiting.top; top !== undefined && top.at <= now; top = this.#waiting.top) {
      this.#waiting.remove(top);
      top.at = Number.POSITIVE_INFINITY;
      due.push(top.tunnel);
    }
    for (const tunnel of due) {
      tunnel.wake(now);
      this.#touched(tunnel);
    }
  }

  #answer({ id, answer }: Answer, now: Instant): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    asked?.decide(answer, now);
  }

  // What tunnels need

  tell(event: TunnelEvent): void {
    this.#events.push(event);
  }

  route(tid: Uint8Array, tunnel: Tunnel): boolean {
    const known = this.#routes.get(tunnelAt(tid, 0));
    if (known !== undefined && known !== tunnel) return false;
    this.#routes.set(tunnelAt(tid, 0), tunnel);
    return true;
  }

  unroute(tid: Uint8Array): void {
    this.#routes.delete(tunnelAt(tid, 0));
  }

  spend(clientKey: Uint8Array): boolean {
    return this.#threshold?.ephemerals.spend(clientKey) ?? false;
  }

  askConnection(tunnel: Tunnel, connection: number, user: Uint8Array | undefined, x: Uint8Array | undefined): void {
    const { users, identity } = this.#server!;
    const isProved = user === undefined || isAuthentic(this.boxes, identity.box, user, x!);
    if (!isProved || this.#asked.size >= limits.questionsMax) tunnel.connections.decide(connection, false);
    else if (users === undefined) tunnel.connections.decide(connection, true);
    else {
      const service = tunnel.connections.get(connection)?.service ?? "";
      const question = { kind: "accept-connection", user: user?.slice(), service, from: tunnel.remote } as const;
      const decide = (answer: unknown): void => {
        tunnel.connections.decide(connection, answer === true);
        this.#touched(tunnel);
      };
      this.#ask(question, decide);
    }
  }

  find(name: string, answer: (record: ServiceRecord | undefined) => void): void {
    const own = this.#server?.serverName ?? "";
    const known = name === "" || name === own ? this.#record : this.#names?.get(name, this.#at);
    if (known !== undefined || this.#server?.nameService?.find === undefined) answer(known);
    else if (this.#asked.size >= limits.questionsMax) answer(undefined);
    else this.#ask({ kind: "find-record", name }, (found) => this.#found(found as ServiceRecord | undefined, answer));
  }

  register(record: ServiceRecord): boolean {
    return this.#names?.register(record, this.#at) ?? false;
  }

  #found(record: ServiceRecord | undefined, answer: (record: ServiceRecord | undefined) => void): void {
    answer(record);
    // Whose answer it was is known to the answer alone.
    for (const { tunnel } of this.#tunnels.values()) if (tunnel instanceof ServerTunnel) this.#touched(tunnel);
  }

  #ask(
    question: Extract<MinimaltEvent, { readonly kind: "question" }>["question"],
    decide: (answer: unknown, now: Instant) => void,
  ): void {
    const id = this.#nextQuestion++;
    this.#asked.set(id, { decide });
    this.#events.push({ kind: "question", id, question });
  }

  // Tables

  #add(tunnel: Tunnel): void {
    this.#tunnels.set(tunnel.id, { tunnel, at: Number.POSITIVE_INFINITY, place: -1 });
  }

  #touched(tunnel: Tunnel): void {
    if (tunnel.state !== "gone") this.#ready.add(tunnel);
    this.#settle(tunnel);
  }

  /** When does it want to be woken now? Or is it gone? */
  #settle(tunnel: Tunnel): void {
    // Who has heard our farewell waits for nothing; who said his may have lost our acknowledgement, unless the port goes anyway.
    if (tunnel.isSettled && (tunnel.state === "closing" || this.#refusesStrangers)) tunnel.leave();
    const waiting = this.#tunnels.get(tunnel.id);
    if (waiting === undefined) return;
    if (tunnel.state === "gone") {
      this.#waiting.remove(waiting);
      this.#tunnels.delete(tunnel.id);
      this.#ready.delete(tunnel);
      if (tunnel instanceof ServerTunnel) this.#served--;
      return;
    }
    const at = tunnel.deadline() ?? Number.POSITIVE_INFINITY;
    if (waiting.at === at) return;
    this.#waiting.remove(waiting);
    waiting.at = at;
    if (at !== Number.POSITIVE_INFINITY) this.#waiting.add(waiting);
  }

  #drop(reason: DropReason): void {
    this.drops[reason]++;
    this.#server?.trace?.({ at: this.#at, protocol: "MinimaLT", name: "minimalt:dropped", data: { reason } });
  }

  /** The port is gone: nothing can be said any more. */
  #close(): void {
    for (const { tunnel } of [...this.#tunnels.values()]) tunnel.leave();
    this.#tunnels.clear();
    this.#routes.clear();
    this.#ready.clear();
    this.#asked.clear();
    this.#threshold?.wipe();
    this.#isClosed = true;
  }
}

/** One head at a time is read. */
const view = new PacketView();

import { createSocket, type RemoteInfo, type Socket } from "node:dgram";

export type UdpDirection = "to server" | "to client";

/**
 * Sees every datagram on its way and answers what is passed on: the datagram, another one, several, or none. A moment from
 * now for each: `{ bytes, ms }`.
 */
export type UdpEdit = (direction: UdpDirection, bytes: Buffer, count: number) => UdpOutput;
export type UdpOutput = Uint8Array | readonly (Uint8Array | { readonly bytes: Uint8Array; readonly ms: number })[];

/** A man in the middle of a UDP flow, who loses, changes, delays, and looks: the network that a test wants. */
export class UdpRelay implements AsyncDisposable {
  readonly port: number;
  /** What has passed, before any edit: datagrams and bytes. */
  readonly seen: Readonly<Record<UdpDirection, { datagrams: number; bytes: number; largest: number }>> = {
    "to server": { datagrams: 0, bytes: 0, largest: 0 },
    "to client": { datagrams: 0, bytes: 0, largest: 0 },
  };
  readonly #front: Socket;
  readonly #server: { readonly port: number; readonly host: string };
  readonly #edit: UdpEdit;
  readonly #flows = new Map<string, Flow>();
  /** Sockets that were left at a rebinding: what the server still sends there is dropped, as a NAT would. */
  readonly #left: Socket[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();

  static async to(port: number, edit: UdpEdit = (_, bytes) => bytes, host = "127.0.0.1"): Promise<UdpRelay> {
    const front = await bind(host);
    return new UdpRelay(front, { port, host }, edit);
  }

  private constructor(front: Socket, server: { readonly port: number; readonly host: string }, edit: UdpEdit) {
    this.#front = front;
    this.#server = server;
    this.#edit = edit;
    this.port = front.address().port;
    front.on("message", (bytes, from) => void this.#toServer(bytes, from));
  }

  /** From now on the server sees every client at a new port, or address, of the loopback's. */
  async rebind(address = this.#server.host): Promise<void> {
    for (const flow of this.#flows.values()) {
      const old = flow.back;
      const next = await bind(address);
      flow.back = next;
      next.on("message", (bytes) => this.#toClient(flow, bytes));
      this.#left.push(old);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of [this.#front, ...this.#left, ...[...this.#flows.values()].map(({ back }) => back)])
      socket.close();
  }

  async #toServer(bytes: Buffer, from: RemoteInfo): Promise<void> {
    const key = `${from.address} ${from.port}`;
    let flow = this.#flows.get(key);
    if (flow === undefined) {
      // Datagrams that come while the socket is being bound wait in it.
      const back = createSocket(from.family === "IPv6" ? "udp6" : "udp4");
      const made: Flow = { from, back, ready: new Promise<void>((done) => back.bind(0, this.#server.host, done)) };
      back.on("message", (datagram) => this.#toClient(made, datagram));
      this.#flows.set(key, (flow = made));
    }
    const its = flow;
    await its.ready;
    const { port, host } = this.#server;
    this.#pass("to server", bytes, (out) => its.back.send(out, port, host, () => undefined));
  }

  #toClient({ from }: Flow, bytes: Buffer): void {
    this.#pass("to client", bytes, (out) => this.#front.send(out, from.port, from.address, () => undefined));
  }

  #pass(direction: UdpDirection, bytes: Buffer, send: (bytes: Uint8Array) => void): void {
    const seen = this.seen[direction];
    seen.datagrams++;
    seen.bytes += bytes.length;
    seen.largest = Math.max(seen.largest, bytes.length);
    const out = this.#edit(direction, bytes, seen.datagrams);
    for (const each of out instanceof Uint8Array ? [out] : out) {
      if (each instanceof Uint8Array) send(each);
      else this.#later(each.ms, () => send(each.bytes));
    }
  }

  #later(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }
}

interface Flow {
  readonly from: RemoteInfo;
  back: Socket;
  readonly ready: Promise<unknown>;
}

async function bind(host: string): Promise<Socket> {
  const socket = createSocket({ type: host.includes(":") ? "udp6" : "udp4", recvBufferSize: 4 << 20 });
  await new Promise<void>((done, failed) => socket.once("error", failed).bind(0, host, done));
  return socket;
}

/** Chance that is the same in every run: numbers from 0 to 1. */
export function dice(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Loses each datagram with this chance. */
export function losing(chance: number, seed: number): UdpEdit {
  const next = dice(seed);
  return (_, bytes) => (next() < chance ? [] : bytes);
}

/** Changes one byte of each datagram with this chance. */
export function corrupting(chance: number, seed: number): UdpEdit {
  const next = dice(seed);
  return (_, bytes) => {
    if (next() >= chance) return bytes;
    const wrong = Uint8Array.from(bytes);
    const at = Math.floor(next() * wrong.length);
    wrong[at] = wrong[at]! ^ (1 + Math.floor(next() * 255));
    return wrong;
  };
}

/** Drops what is larger than the path's MTU. */
export function narrow(payloadMax: number): UdpEdit {
  return (_, bytes) => (bytes.length > payloadMax ? [] : bytes);
}

import { addressFamily } from "../bytes/index.js";
import {
  type DatagramPort,
  type DatagramSink,
  type Ecn,
  type Failure,
  type Network,
  networkFailure,
  type OuterFlow,
  type SocketAddress,
  type StreamPort,
  type StreamSink,
} from "../contract/index.js";
import { overStream } from "../mechanisms/framed-port.js";

/** Somewhere to be connected to, by UDP or by TCP with every packet behind its length. */
export interface RemoteEnd {
  readonly host: string;
  readonly port: number;
  readonly transport: "udp" | "tcp";
  readonly family: 4 | 6 | undefined;
}

/**
 * One port for a client that goes from server to server: what is below it changes, a UDP port or a TCP connection, and the
 * driver above keeps what it bound. While nothing is below, what is sent is dropped.
 */
export class RemotePort implements DatagramPort, Pick<Network, "bindDatagrams"> {
  readonly #outside: Network;
  readonly #from: { readonly address: string | undefined; port: number };
  readonly #lost: (failure: Failure | undefined) => void;
  readonly #announce: ((flow: OuterFlow) => Promise<void>) | undefined;
  /** What names were when they were last found: while the tunnel is down, nobody may be there to ask. */
  readonly #known = new Map<string, readonly string[]>();
  #sink: DatagramSink | undefined;
  #below: DatagramPort | undefined;
  #remote: (SocketAddress & { readonly transport: "udp" | "tcp" }) | undefined;
  /** Counts connections, so that what an old one tells is not taken for the new one's. */
  #generation = 0;
  #tries = 0;
  #isReferenced = true;
  #isClosed = false;

  /** `lost` is told when what was connected is gone; `announce`, and waited for, before another flow begins. */
  constructor(
    outside: Network,
    from: { readonly address: string | undefined; readonly port: number | undefined },
    lost: (failure: Failure | undefined) => void,
    announce?: (flow: OuterFlow) => Promise<void>,
  ) {
    this.#announce = announce;
    this.#outside = outside;
    this.#from = { address: from.address, port: from.port ?? 0 };
    this.#lost = lost;
  }

  async bindDatagrams(_local: SocketAddress, sink: DatagramSink): Promise<DatagramPort> {
    this.#sink = sink;
    return this;
  }

  /** Leaves what is below, and goes to another end. Rejects with the network's failure; answers where it is. */
  async connect(end: RemoteEnd): Promise<SocketAddress> {
    this.#leave();
    const generation = ++this.#generation;
    const family = end.family ?? (this.#from.address === undefined ? undefined : addressFamily(this.#from.address));
    const found = await this.#resolve(end.host, family);
    // A name's addresses take turns: one that does not answer is not asked twice in a row.
    const address = found[this.#tries++ % found.length];
    if (address === undefined) throw networkFailure("name-not-found", `${end.host} has no address`);
    const remote = { address, port: end.port, transport: end.transport };
    await this.#open(remote, generation);
    return { address, port: end.port };
  }

  async #resolve(host: string, family: 4 | 6 | undefined): Promise<readonly string[]> {
    const key = `${host} ${family}`;
    try {
      const found = await this.#outside.resolve(host, family === undefined ? {} : { family });
      if (found.length > 0) this.#known.set(key, found);
      return found;
    } catch (failure) {
      const known = this.#known.get(key);
      if (known === undefined) throw failure;
      return known;
    }
  }

  /** Goes on from another local port, to the same end: what a change of network looks like. UDP alone. */
  async rebind(): Promise<SocketAddress> {
    const remote = this.#remote;
    if (remote?.transport !== "udp") throw networkFailure("not-supported", "a TCP connection cannot move");
    const before = this.#below;
    await this.#open(remote, ++this.#generation, 0);
    before?.close();
    return this.local;
  }

  async #open(remote: NonNullable<typeof this.remote>, generation: number, port = this.#from.port): Promise<void> {
    if (remote.transport === "tcp") await this.#announce?.({ transport: "tcp", to: remote });
    const below =
      remote.transport === "udp" ? await this.#udp(remote, generation, port) : await this.#tcp(remote, generation);
    if (remote.transport === "udp") await this.#announce?.({ transport: "udp", port: below.local.port });
    if (this.#isClosed || generation !== this.#generation) {
      below.close();
      throw networkFailure("aborted", "another end is wanted by now");
    }
    this.#below = below;
    this.#remote = remote;
    // The same port again, when it goes elsewhere: rules of routing may go by it.
    if (remote.transport === "udp") this.#from.port = below.local.port;
    if (!this.#isReferenced) below.unref();
  }

  #udp(remote: SocketAddress, generation: number, port: number): Promise<DatagramPort> {
    const any = remote.address.includes(":") ? "::" : "0.0.0.0";
    return this.#outside.bindDatagrams(
      { address: this.#from.address ?? any, port },
      {
        datagrams: (bytes, from, segmentSize, ecn) => {
          if (generation === this.#generation) this.#sink?.datagrams(bytes, from, segmentSize, ecn);
        },
        writable: () => this.#sink?.writable?.(),
        softError: (failure) => this.#sink?.softError?.(failure),
        closed: (failure) => this.#gone(generation, failure),
      },
    );
  }

  #tcp(remote: SocketAddress, generation: number): Promise<DatagramPort> {
    const flow = overStream({
      datagrams: (bytes, from, segmentSize, ecn) => {
        if (generation === this.#generation) this.#sink?.datagrams(bytes, from, segmentSize, ecn);
      },
      writable: () => this.#sink?.writable?.(),
      closed: (failure) => this.#gone(generation, failure),
    });
    return new Promise((resolve, reject) => {
      const { lower } = flow;
      let isOpen = false;
      const sink: StreamSink = {
        opened: () => {
          isOpen = true;
          resolve(flow.port);
        },
        bytes: (bytes) => lower.bytes(bytes),
        ended: () => lower.ended(),
        drained: () => lower.drained(),
        softError: (failure) => lower.softError?.(failure),
        closed: (failure) => {
          if (isOpen) lower.closed(failure);
          else reject(failure ?? networkFailure("refused-connection", "the connection was closed"));
        },
      };
      const from = this.#from.address;
      const stream: StreamPort = this.#outside.connectStream(remote, sink, {
        noDelay: true,
        ...(from !== undefined && { local: { address: from } }),
      });
      flow.attach(stream);
    });
  }

  #gone(generation: number, failure: Failure | undefined): void {
    if (generation !== this.#generation || this.#isClosed) return;
    this.#below = undefined;
    this.#lost(failure);
  }

  #leave(): void {
    this.#generation++;
    this.#below?.close();
    this.#below = undefined;
    this.#remote = undefined;
  }

  // ── the port that the driver sees ──────────────────────────────────────────────────────────────────────────────

  get remote(): (SocketAddress & { readonly transport: "udp" | "tcp" }) | undefined {
    return this.#remote;
  }

  get local(): SocketAddress {
    return this.#below?.local ?? { address: this.#from.address ?? "0.0.0.0", port: this.#from.port };
  }

  get blocked(): boolean {
    return this.#below?.blocked ?? false;
  }

  send(bytes: Uint8Array, to?: SocketAddress, segmentSize?: number, ecn?: Ecn): void {
    this.#below?.send(bytes, to, segmentSize, ecn);
  }

  set(option: "dscp" | "hopLimit" | "dontFragment", value: number): boolean {
    return this.#below?.set(option, value) ?? false;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#leave();
    this.#sink?.closed();
  }

  ref(): void {
    this.#isReferenced = true;
    this.#below?.ref();
  }

  unref(): void {
    this.#isReferenced = false;
    this.#below?.unref();
  }
}

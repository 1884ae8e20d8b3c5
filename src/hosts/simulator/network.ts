import { parseAddress } from "../../bytes/index.js";
import { deferred } from "../../contract/deferred.js";
import {
  type DatagramOptions,
  type DatagramPort,
  type DatagramSink,
  type Ecn,
  Failure,
  type ListenOptions,
  type Network,
  type NetworkInterface,
  type NetworkReason,
  networkFailure,
  type PortListener,
  type ResolveOptions,
  type ServiceRecord,
  type SocketAddress,
  type StreamOptions,
  type StreamPort,
  type StreamSink,
} from "../../contract/index.js";
import type { SimulatedHost } from "./host.js";
import { halfOpenMax } from "./limits.js";
import { covers, type Packet, type Segment, showAddress, wildcards } from "./packet.js";
import type { Random } from "./random.js";
import { SimulatedStream } from "./stream.js";

/** What a simulated host can reach, by the rules of `Network`. */
export class SimulatedNetwork implements Network {
  readonly name: string;
  readonly host: SimulatedHost;
  readonly random: Random;
  readonly #datagrams = new Set<SimulatedDatagrams>();
  readonly #listeners = new Set<Listener>();
  readonly #streams = new Map<string, SimulatedStream>();
  #ephemeral: number;
  #halfOpen = 0;

  constructor(host: SimulatedHost, random: Random) {
    this.name = `simulated ${host.name}`;
    this.host = host;
    this.random = random;
    this.#ephemeral = 49_152 + random.below(8192);
  }

  async resolveService(name: string): Promise<readonly ServiceRecord[]> {
    const found = this.host.surroundings.services(name);
    if (found === undefined) throw networkFailure("name-not-found", `${name} has no records`, { at: name });
    return found;
  }

  async resolve(name: string, { family, signal }: ResolveOptions = {}): Promise<readonly string[]> {
    signal?.throwIfAborted();
    const asked = this.host.surroundings.resolve(name, family);
    if (signal === undefined) return asked;
    return await new Promise((resolve, reject) => {
      const abort = (): void => reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      asked.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    });
  }

  interfaces(): readonly NetworkInterface[] {
    return this.host.interfaces();
  }

  connectStream(remote: SocketAddress, sink: StreamSink, options: StreamOptions = {}): StreamPort {
    const bound = this.#boundTo(
      { address: options.local?.address ?? "::", port: options.local?.port ?? 0 },
      options.interface,
      remote.address,
    );
    const isNone = parseAddress(remote.address) === undefined || remote.port < 1 || remote.port > 65_535;
    const source = isNone
      ? networkFailure("not-an-address", `${showAddress(remote)} is no address and port`, {
          hint: "resolve names first",
        })
      : bound instanceof Failure
        ? bound
        : this.host.source(bound.address, remote.address);
    if (source instanceof Failure || bound instanceof Failure) {
      const stream = new SimulatedStream(this, { address: "::", port: 0 }, remote, sink, options);
      stream.fail(source instanceof Failure ? source : (bound as Failure<NetworkReason>));
      return stream;
    }
    const local = { address: source, port: bound.port || this.#freePort() };
    const stream = new SimulatedStream(this, local, remote, sink, options);
    this.#streams.set(streamKey(local, remote), stream);
    stream.connect();
    return stream;
  }

  async listenStreams(
    local: SocketAddress,
    accept: (port: StreamPort) => StreamSink,
    options: ListenOptions = {},
  ): Promise<PortListener> {
    const bound = this.#bind(local, options.interface, (port, address) =>
      [...this.#listeners].some((other) => other.local.port === port && overlap(other.local.address, address)),
    );
    const listener = new Listener(bound, accept, options, () => void this.#listeners.delete(listener));
    this.#listeners.add(listener);
    return listener;
  }

  /** What is bound to the port is bound no more, as when the kernel closes a socket: its owners are told why. */
  failPort(port: number, failure: Failure): void {
    for (const each of [...this.#listeners]) if (each.local.port === port) each.fail(failure);
    for (const each of [...this.#datagrams]) if (each.local.port === port) each.close(failure);
  }

  async bindDatagrams(local: SocketAddress, sink: DatagramSink, options: DatagramOptions = {}): Promise<DatagramPort> {
    if (options.multicast) throw networkFailure("not-supported", "the simulated network has no multicast");
    const bound = this.#bind(local, options.interface, (port, address) =>
      [...this.#datagrams].some(
        (other) =>
          !(options.reuseAddress && other.options.reuseAddress) &&
          other.local.port === port &&
          overlap(other.local.address, address),
      ),
    );
    const port = new SimulatedDatagrams(this.host, bound, sink, options, () => void this.#datagrams.delete(port));
    this.#datagrams.add(port);
    return port;
  }

  arrived(packet: Packet): void {
    if (packet.protocol === "tcp") this.#arrivedStream(packet);
    else {
      const { to, from } = packet;
      // A port with a fixed peer goes before one that hears everybody.
      let found: SimulatedDatagrams | undefined;
      for (const port of this.#datagrams) {
        if (port.hears(to, from) && (found === undefined || port.options.remote !== undefined)) found = port;
      }
      if (found !== undefined) found.arrived(packet);
      else packet.bounce(networkFailure("refused-connection", `nobody listens at ${showAddress(to)}`), packet);
    }
  }

  forget(stream: SimulatedStream): void {
    this.#streams.delete(streamKey(stream.local, stream.remote));
  }

  #arrivedStream(packet: Packet): void {
    const { to, from, segment } = packet;
    if (segment === undefined) return;
    const stream = this.#streams.get(streamKey(to, from));
    if (stream !== undefined) stream.arrived(packet);
    else if (!segment.rst) this.#arrivedUnknown(packet, segment);
  }

  /** Of no connection that is: the start of one, or the rest of one that was. */
  #arrivedUnknown(packet: Packet, segment: Segment): void {
    const { to, from } = packet;
    const listener =
      segment.syn && !segment.ack
        ? [...this.#listeners].find(
            ({ local, options }) =>
              local.port === to.port && covers(local.address, to.address, options.ipv6Only ?? false),
          )
        : undefined;
    if (listener !== undefined && this.#halfOpen < halfOpenMax) {
      this.#halfOpen++;
      const accepted = new SimulatedStream(this, to, from, undefined, {});
      this.#streams.set(streamKey(to, from), accepted);
      accepted.listen(listener.accept, () => void this.#halfOpen--);
      accepted.arrived(packet);
    } else if (listener === undefined) {
      // What stands at the very end of a closed connection is acknowledged, as from TIME-WAIT; all else is reset.
      const next = segment.sequence + packet.bytes.length + (segment.fin ? 1 : 0);
      this.host.send({
        ...packet,
        from: to,
        to: from,
        bytes: new Uint8Array(),
        segment: {
          sequence: segment.acknowledgment,
          acknowledgment: segment.syn ? 1 : next,
          window: 0,
          ack: true,
          rst: !segment.fin,
        },
        sentAt: this.host.surroundings.timeline.now(),
        hops: 0,
        bounce: () => {},
      });
    }
  }

  #bind(
    local: SocketAddress,
    on: string | undefined,
    isTaken: (port: number, address: string) => boolean,
  ): SocketAddress {
    const bound = this.#boundTo(local, on, local.address);
    if (bound instanceof Failure) throw bound;
    if (bound.port !== 0 && isTaken(bound.port, bound.address)) {
      throw networkFailure("address-in-use", `${showAddress(bound)} is taken`);
    }
    let { port } = bound;
    while (port === 0 || isTaken(port, bound.address)) port = this.#freePort();
    return { address: bound.address, port };
  }

  #boundTo(local: SocketAddress, on: string | undefined, like: string): SocketAddress | Failure<NetworkReason> {
    if (parseAddress(local.address) === undefined) {
      return networkFailure("not-an-address", `"${local.address}" is no IP address`);
    }
    if (on !== undefined) {
      if (!this.interfaces().some(({ name }) => name === on)) {
        return networkFailure("no-such-interface", `there is no interface "${on}"`);
      }
      // The IPv6 wildcard hears IPv4 too.
      const address =
        this.host.addressOn(on, like.includes(":") ? 6 : 4) ?? (like === "::" ? this.host.addressOn(on, 4) : undefined);
      if (address === undefined) return networkFailure("address-not-available", `"${on}" has no such address`);
      return { address, port: local.port };
    }
    if (!wildcards.has(local.address) && !this.host.owns(local.address)) {
      return networkFailure("address-not-available", `${this.host.name} does not have ${local.address}`);
    }
    return local;
  }

  #freePort(): number {
    this.#ephemeral = this.#ephemeral >= 65_535 ? 49_152 : this.#ephemeral + 1;
    return this.#ephemeral;
  }
}

const overlap = (a: string, b: string): boolean => a === b || wildcards.has(a) || wildcards.has(b);

const streamKey = (local: SocketAddress, remote: SocketAddress): string =>
  `${showAddress(local)} ${showAddress(remote)}`;

class Listener implements PortListener {
  readonly local: SocketAddress;
  readonly accept: (port: StreamPort) => StreamSink;
  readonly options: ListenOptions;
  readonly #forget: () => void;
  readonly #whenClosed = deferred<Failure | undefined>();

  constructor(
    local: SocketAddress,
    accept: (port: StreamPort) => StreamSink,
    options: ListenOptions,
    forget: () => void,
  ) {
    this.local = local;
    this.accept = accept;
    this.options = options;
    this.#forget = forget;
  }

  get closed(): Promise<Failure | undefined> {
    return this.#whenClosed.promise;
  }

  async close(): Promise<void> {
    this.fail(undefined);
  }

  fail(failure: Failure | undefined): void {
    this.#forget();
    this.#whenClosed.resolve(failure);
  }

  ref(): void {}
  unref(): void {}
}

class SimulatedDatagrams implements DatagramPort {
  readonly local: SocketAddress;
  readonly options: DatagramOptions;
  readonly blocked = false;
  readonly #host: SimulatedHost;
  readonly #sink: DatagramSink;
  readonly #forget: () => void;
  #isOpen = true;

  constructor(
    host: SimulatedHost,
    bound: SocketAddress,
    sink: DatagramSink,
    options: DatagramOptions,
    forget: () => void,
  ) {
    this.#host = host;
    this.#sink = sink;
    this.options = options;
    this.#forget = forget;
    const source = options.remote && host.source(bound.address, options.remote.address);
    if (source instanceof Failure) throw source;
    this.local = source === undefined ? bound : { address: source, port: bound.port };
  }

  hears(to: SocketAddress, from: SocketAddress): boolean {
    const { remote, ipv6Only = false } = this.options;
    if (to.port !== this.local.port || !covers(this.local.address, to.address, ipv6Only)) return false;
    return remote === undefined || (remote.port === from.port && remote.address === from.address);
  }

  arrived({ bytes, from, ecn }: Packet): void {
    if (this.#isOpen) this.#sink.datagrams(bytes, from, bytes.length, ecn);
  }

  send(bytes: Uint8Array, to = this.options.remote, segmentSize = bytes.length, ecn: Ecn = 0): void {
    if (!this.#isOpen || to === undefined) return;
    const source = this.#host.source(this.local.address, to.address);
    if (source instanceof Failure) {
      this.#later(0, () => this.#sink.softError?.(source));
      return;
    }
    const from = { address: source, port: this.local.port };
    const sentAt = this.#host.surroundings.timeline.now();
    for (let at = 0; at < bytes.length || at === 0; at += segmentSize || 1) {
      const one = bytes.slice(at, at + segmentSize);
      this.#host.send({ protocol: "udp", from, to, bytes: one, ecn, sentAt, hops: 0, bounce: this.#bounced });
    }
  }

  set(option: "dscp" | "hopLimit" | "dontFragment"): boolean {
    return option === "dontFragment";
  }

  close(failure?: Failure): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#forget();
    this.#later(0, () => this.#sink.closed(failure));
  }

  ref(): void {}
  unref(): void {}

  /** The error takes as long to come back as the packet took to where it happened. */
  readonly #bounced: Packet["bounce"] = (failure, { sentAt }) => {
    if (this.options.remote === undefined && failure.reason !== "no-route") return;
    this.#later(this.#host.surroundings.timeline.now() - sentAt, () => {
      if (this.#isOpen) this.#sink.softError?.(failure);
    });
  };

  #later(ms: number, call: () => void): void {
    const { timeline } = this.#host.surroundings;
    timeline.at(timeline.now() + ms, call);
  }
}

import {
  type AskOf,
  type Failure,
  type Host,
  type Network,
  networkFailure,
  type SocketAddress,
} from "../contract/index.js";
import { DatagramDriver } from "../mechanisms/driver/index.js";
import type { Stack } from "../stack/index.js";
import { Echoes } from "./echoes.js";
import {
  type PacketProtocol,
  type PacketTap,
  PacketTunnel,
  type PacketTunnelEvent,
  type StackTouched,
  stackTouched,
} from "./packet-tunnel.js";
import { type Resolve, type StackDriver, StackNetwork } from "./stack-network.js";

export interface TunnelHandlers<Event> {
  /** What the protocol tells, questions aside. */
  event?(event: Exclude<Event, { readonly kind: "question" }>): void;
  answer?(question: AskOf<PacketTunnelEvent<Event>>, signal: AbortSignal): unknown;
  softError?(failure: Failure): void;
  /** Sees the packets inside; the protocol pulls those that go out through `tapped`. */
  tap?: PacketTap | undefined;
}

/**
 * A packet protocol, its stack and its UDP port, running on a host: the inside is a `Network`. It keeps the process
 * alive only while something inside does.
 */
export class Tunnel<Input extends { readonly kind: string }, Event extends { readonly kind: string }>
  implements StackDriver
{
  readonly host: Host;
  readonly stack: Stack;
  readonly network: StackNetwork;
  readonly #driver: DatagramDriver<Input | StackTouched, PacketTunnelEvent<Event>>;
  readonly #echoes: Echoes;
  #touched = false;
  #holds = 0;
  #closed = false;

  constructor(
    host: Host,
    name: string,
    protocol: PacketProtocol<Input, Event>,
    stack: Stack,
    resolve: (network: StackNetwork) => Resolve,
    handlers: TunnelHandlers<Event> = {},
  ) {
    this.host = host;
    this.stack = stack;
    this.#echoes = new Echoes(host);
    this.network = new StackNetwork(name, this, (text, options) => resolve(this.network)(text, options));
    this.#driver = new DatagramDriver<Input | StackTouched, PacketTunnelEvent<Event>>(
      host,
      new PacketTunnel<Input, Event>(protocol, stack, handlers.tap),
      {
        event: (event) => {
          if (event.kind === "protocol") handlers.event?.(event.event);
          else if (event.kind === "stack" && event.event.kind === "echo-reply") {
            this.#echoes.answered(event.event.word);
          } else if (event.kind === "stack") this.network.event(event.event);
        },
        ...(handlers.answer && { answer: handlers.answer }),
        softError: (failure) => handlers.softError?.(failure),
        closed: (failure) => this.#ended(failure),
      },
    );
  }

  /** Binds the UDP port outside. Rejects with the network's failure. */
  async open(outside: Pick<Network, "bindDatagrams">, local: SocketAddress): Promise<SocketAddress> {
    const port = await this.#driver.bind(outside, local);
    if (this.#holds === 0) port.unref();
    return port.local;
  }

  /** Moves to another port; the one before stays just long enough that nothing falls between them. */
  async rebind(outside: Network, local: SocketAddress): Promise<SocketAddress> {
    const before = [...this.#driver.ports];
    const address = await this.open(outside, local);
    for (const port of before) port.close();
    return address;
  }

  /** Milliseconds to an echo's answer; rejects with `timed-out` (default after a second), or when the tunnel ends. */
  ping(address: string, { timeoutMs = 1_000 }: { readonly timeoutMs?: number } = {}): Promise<number> {
    return this.#echoes.send(this, address, timeoutMs);
  }

  handle(input: Input): void {
    if (!this.#closed) this.#driver.handle(input);
  }

  touched(): void {
    if (this.#touched || this.#closed) return;
    this.#touched = true;
    this.host.soon(this.#drain);
  }

  hold(by: 1 | -1): void {
    const before = this.#holds;
    this.#holds += by;
    if (before === 0 && this.#holds === 1) for (const port of this.#driver.ports) port.ref();
    if (before === 1 && this.#holds === 0) for (const port of this.#driver.ports) port.unref();
  }

  /** Ends everything inside at once. Whoever wants an orderly end closes what is inside first. */
  close(): void {
    if (this.#closed) return;
    this.#driver.close();
  }

  /** The protocol has given up: everything inside ends with this. */
  end(failure: Failure): void {
    if (this.#closed) return;
    this.#ended(failure);
    this.#driver.close();
  }

  #ended(failure: Failure | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#echoes.end(failure ?? networkFailure("aborted", "the tunnel was closed"));
    this.network.end(failure ?? "the tunnel was closed");
  }

  readonly #drain = (): void => {
    this.#touched = false;
    this.#driver.handle(stackTouched);
  };
}

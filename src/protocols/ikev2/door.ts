import type { DatagramPort, Failure, Host, Network, SocketAddress } from "../../contract/index.js";
import { DatagramDriver } from "../../mechanisms/driver/index.js";
import { answerIke, type IkeKnowledge } from "./answers.js";
import { type DropCounts, failure } from "./failure.js";
import type { IkeConfig, IkeEvent, IkeInput, IkeStatus } from "./interfaces.js";
import { Ike } from "./machine.js";

export interface IkeOptions extends Pick<IkeConfig, "connections" | "cookies" | "limits"> {
  /** Where it listens and speaks from. Default: any address, port 4500. With several, the last bound speaks first. */
  readonly local?: readonly SocketAddress[];
  /** What answers the questions about a connection: who signs, whom to trust, EAP. Default: nobody. */
  readonly knowledge?: (connection: string) => IkeKnowledge;
  /** Hears of all that happens: above all of `child`, whose keys are its taker's. */
  readonly on?: (event: IkeNotice) => void;
  /** Default: the host's own. */
  readonly network?: Pick<Network, "bindDatagrams">;
}

export type IkeNotice = Exclude<IkeEvent, { readonly kind: "question" }>;
type Established = Extract<IkeNotice, { readonly kind: "established" }>;

/** Binds one end of IKEv2. It keys ESP for whoever takes `child` events, and is done when it is closed. */
export async function bindIke(host: Host, options: IkeOptions): Promise<IkeEndpoint> {
  const endpoint = new IkeEndpoint(host, options);
  for (const local of options.local ?? [{ address: "0.0.0.0", port: 4_500 }]) await endpoint.bind(local);
  return endpoint;
}

/** One end of IKEv2 on its ports, with many peers. */
export class IkeEndpoint implements Disposable {
  readonly #machine: Ike;
  readonly #driver: DatagramDriver<IkeInput, IkeEvent>;
  readonly #network: Pick<Network, "bindDatagrams">;
  readonly #options: IkeOptions;
  readonly #sessions = new Map<number, IkeSession>();
  /** By connection: who waits for it. */
  readonly #waiting = new Map<string, { done: (session: IkeSession) => void; failed: (why: Failure) => void }[]>();

  /** @internal */
  constructor(host: Host, options: IkeOptions) {
    this.#options = options;
    this.#network = options.network ?? host.network;
    const { crypto, entropy, keyLog, trace } = host;
    const { connections, cookies, limits } = options;
    this.#machine = new Ike({
      crypto,
      entropy,
      connections,
      ...(cookies && { cookies }),
      ...(limits && { limits }),
      ...(keyLog && { keyLog }),
      ...(trace && { trace }),
    });
    this.#driver = new DatagramDriver<IkeInput, IkeEvent>(host, this.#machine, {
      event: (event) => this.#event(event),
      answer: (question, signal) =>
        answerIke(question, options.knowledge?.(question.connection) ?? {}, host.now(), signal),
      closed: (why) => this.#end(why ?? failure("closed-locally", "its port was closed")),
    });
  }

  /** One more port: to listen at, or to move to. */
  bind(local: SocketAddress): Promise<DatagramPort> {
    return this.#driver.bind(this.#network, local);
  }

  get ports(): readonly DatagramPort[] {
    return this.#driver.ports;
  }

  /** Counts of everything dropped, by reason. */
  get drops(): DropCounts {
    return this.#machine.drops;
  }

  status(): readonly IkeStatus[] {
    return this.#machine.status();
  }

  /** All that are established, whoever began. */
  get sessions(): readonly IkeSession[] {
    return [...this.#sessions.values()];
  }

  /** Begins an IKE SA. Resolves when both have proved who they are; rejects with the Failure that says whose fault it was. */
  connect(connection: string, remote?: SocketAddress): Promise<IkeSession> {
    return new Promise((done, failed) => {
      this.#waiting.set(connection, [...(this.#waiting.get(connection) ?? []), { done, failed }]);
      this.#driver.give({ kind: "connect", connection, ...(remote && { remote }) });
    });
  }

  /** Says goodbye to all, and closes the ports. */
  close(): void {
    this.#driver.handle({ kind: "close" });
    this.#driver.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #event(event: IkeEvent): void {
    if (event.kind === "question") return;
    if (event.kind === "established") {
      const session = new IkeSession(this.#driver, event);
      this.#sessions.set(event.ike, session);
      if (event.isInitiator) this.#waiting.get(event.connection)?.shift()?.done(session);
    }
    this.#options.on?.(event);
    if (event.kind === "closed" && !this.#sessions.delete(event.ike)) {
      this.#waiting.get(event.connection)?.shift()?.failed(event.failure);
    }
  }

  #end(why: Failure): void {
    for (const waiting of this.#waiting.values()) for (const { failed } of waiting) failed(why);
    this.#waiting.clear();
    this.#sessions.clear();
  }
}

/** One established IKE SA, across its renewals. */
export class IkeSession {
  readonly ike: number;
  readonly established: Established;
  readonly #driver: DatagramDriver<IkeInput, IkeEvent>;

  /** @internal */
  constructor(driver: DatagramDriver<IkeInput, IkeEvent>, established: Established) {
    this.#driver = driver;
    this.ike = established.ike;
    this.established = established;
  }

  /** New keys for the IKE SA (KU). */
  rekey(): void {
    this.#driver.give({ kind: "rekey", ike: this.ike });
  }

  /** New keys for a child, named by the SPI that we receive by. */
  rekeyChild(spiIn: number): void {
    this.#driver.give({ kind: "rekey-child", spiIn });
  }

  /** One more child of the connection's. */
  acquire(child: string): void {
    this.#driver.give({ kind: "acquire", ike: this.ike, child });
  }

  deleteChild(spiIn: number): void {
    this.#driver.give({ kind: "delete-child", spiIn });
  }

  /** We are at another of our ports now, or the peer at another address (ME, RFC 4555). */
  move(to: { readonly local?: SocketAddress; readonly remote?: SocketAddress }): void {
    this.#driver.give({ kind: "move", ike: this.ike, ...to });
  }

  /** Is the peer alive? If not, `closed` will tell. */
  probe(): void {
    this.#driver.give({ kind: "probe", ike: this.ike });
  }

  /** Tells the peer and ends (CT). */
  disconnect(): void {
    this.#driver.give({ kind: "disconnect", ike: this.ike });
  }
}

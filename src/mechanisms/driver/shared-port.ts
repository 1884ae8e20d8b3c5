import { deferred } from "../../contract/deferred.js";
import type { DatagramOptions, DatagramPort, Failure, Host, Network, SocketAddress } from "../../contract/index.js";

/** What binds ports and runs the machine behind them: a `DatagramDriver`. */
interface Driver {
  readonly ports: readonly DatagramPort[];
  bind(network: Pick<Network, "bindDatagrams">, local: SocketAddress, options?: DatagramOptions): Promise<DatagramPort>;
  close(): void;
}

/** A listener's half that is the same for every protocol. */
export interface SharedListener {
  readonly local: SocketAddress;
  readonly closed: Promise<Failure | undefined>;
  stop(): Promise<void>;
  close(): Promise<void>;
  ref(): void;
  unref(): void;
}

/**
 * The sessions of one datagram machine, by number, and the port that they share. A client's port goes with its session, a
 * server's when it is told to.
 */
export class SharedPort<Session> {
  readonly sessions = new Map<number, Session>();
  readonly #host: Pick<Host, "now" | "wakeAt" | "network">;
  readonly #driver: Driver;
  readonly #whenClosed = deferred<Failure | undefined>();
  #next = 1;
  #closesWhenEmpty = false;
  /** A client's: how it goes on from another port, and that it keeps nothing alive when its session is over. */
  #rebind: ((to?: Partial<SocketAddress>) => Promise<void>) | undefined;

  constructor(host: Pick<Host, "now" | "wakeAt" | "network">, driver: Driver) {
    this.#host = host;
    this.#driver = driver;
  }

  /** Resolves when the port is gone, with the failure if it was taken from us. */
  get closed(): Promise<Failure | undefined> {
    return this.#whenClosed.promise;
  }

  /** Numbers of our own sessions are odd: the machine numbers those of strangers. */
  nextNumber(): number {
    const number = this.#next;
    this.#next += 2;
    return number;
  }

  /** The port closes with the last session. */
  closeWhenEmpty(): void {
    this.#closesWhenEmpty = true;
  }

  /** Binds a client's port, which its peer alone is to be heard on if `options` say so. Rejects if none can be had. */
  async bindClient(
    peer: SocketAddress,
    local: Partial<SocketAddress> | undefined,
    network: Network = this.#host.network,
    options: DatagramOptions = {},
  ): Promise<void> {
    const bind = (to: Partial<SocketAddress> = {}) => this.#driver.bind(network, { ...anyPort(peer), ...to }, options);
    this.closeWhenEmpty();
    this.#rebind = async (to) => {
      const old = [...this.#driver.ports];
      await bind(to);
      for (const port of old) port.close();
    };
    await bind(local);
  }

  /** Goes on from another port; undefined where there is no client to go. */
  rebind(to?: Partial<SocketAddress>): Promise<void> | undefined {
    return this.#rebind?.(to);
  }

  /** A session is over, and its peer may still have to hear of it: a client stays for that, but keeps nothing alive. */
  over(): void {
    if (this.#rebind !== undefined) for (const port of this.#driver.ports) port.unref();
  }

  /** A session's peer has heard, or never will. */
  forget(number: number): void {
    if (this.sessions.delete(number) && this.sessions.size === 0 && this.#closesWhenEmpty) this.#driver.close();
  }

  /** The port is gone, and every session with it. */
  lost(failure: Failure | undefined, tell: (session: Session) => void): void {
    for (const session of [...this.sessions.values()]) tell(session);
    this.sessions.clear();
    this.#whenClosed.resolve(failure);
  }

  /**
   * What a listener on this port offers.
   * @param refuseStrangers - from now on nobody new
   * @param endAll - from now on nobody new, and an end to every session; peers are waited for until `waitMs`
   */
  listener(port: DatagramPort, refuseStrangers: () => void, endAll: () => void, waitMs: number): SharedListener {
    let closing: Promise<void> | undefined;
    const whenEmpty = () => {
      this.closeWhenEmpty();
      if (this.sessions.size === 0) this.#driver.close();
    };
    const close = async () => {
      endAll();
      whenEmpty();
      // A peer that is gone answers nothing.
      const alarm = this.#host.wakeAt(this.#host.now() + waitMs, () => this.#driver.close());
      await this.closed;
      alarm.cancel();
    };
    return {
      local: port.local,
      closed: this.closed,
      stop: async () => {
        refuseStrangers();
        whenEmpty();
      },
      close: () => (closing ??= close()),
      ref: () => port.ref(),
      unref: () => port.unref(),
    };
  }
}

const anyPort = ({ address }: SocketAddress): SocketAddress => ({
  address: address.includes(":") ? "::" : "0.0.0.0",
  port: 0,
});

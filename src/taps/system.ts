import type { Host, Network, Trace } from "../contract/index.js";
import { ConnectionCache } from "./cache.js";
import { misuse } from "./failure.js";
import { Policy, type SystemPolicy } from "./policy.js";
import { Preconnection, type PreconnectionInit } from "./preconnection.js";
import type { SecurityMode } from "./security.js";
import type { ProtocolStack } from "./stacks/stack.js";

/** What a Transport Services system works with. */
export interface SystemInit {
  readonly host: Host;
  /** Where its Connections are made; default the host's own network. A tunnel is another. */
  readonly network?: Network;
  readonly stacks: readonly ProtocolStack[];
  /** The host's policy file, as `readSystemPolicy` reads it. */
  readonly policy?: SystemPolicy;
  /** Default the host's. */
  readonly trace?: Trace;
}

/** A Transport Services system: hosts, networks, stacks, policy and caches, from which Preconnections are made. */
export class TransportServices {
  readonly host: Host;
  readonly network: Network;
  readonly stacks: readonly ProtocolStack[];
  readonly policy: Policy;
  readonly cache = new ConnectionCache();
  readonly #trace: Trace | undefined;
  readonly #tunnels = new Set<Network>();

  constructor({ host, network = host.network, stacks, policy, trace }: SystemInit) {
    this.host = host;
    this.network = network;
    this.stacks = stacks;
    this.policy = new Policy(policy);
    this.#trace = trace;
  }

  /**
   * Makes a tunnel's inside a path, for those who ask for it: `interface: { "wg:office": "require" }`. Nobody else's
   * traffic ever goes there. Throws `invalid-configuration` if an interface of the name is there already.
   */
  attach(tunnel: Network): Disposable {
    const names = new Set(
      [this.network, ...this.#tunnels].flatMap((each) => each.interfaces().map(({ name }) => name)),
    );
    const taken = tunnel.interfaces().find(({ name }) => names.has(name));
    if (taken !== undefined)
      throw misuse(`there is an interface ${taken.name} already`, "interface", "give the tunnel another name");
    this.#tunnels.add(tunnel);
    return { [Symbol.dispose]: () => void this.#tunnels.delete(tunnel) };
  }

  /** Networks that are paths where they are asked for. */
  get tunnels(): readonly Network[] {
    return [...this.#tunnels];
  }

  /** The network that an interface leads to; the system's own where the name is nobody's. */
  networkOf(name: string | undefined): Network {
    const leads = (each: Network) => each.interfaces().some((one) => one.name === name);
    return name === undefined || leads(this.network) ? this.network : (this.tunnels.find(leads) ?? this.network);
  }

  get trace(): Trace | undefined {
    return this.#trace ?? this.host.trace;
  }

  /** `NewPreconnection`. Throws `invalid-configuration`. */
  preconnection<Mode extends SecurityMode = "secure">(init: PreconnectionInit<Mode>): Preconnection<Mode> {
    return new Preconnection<Mode>(this, init);
  }
}

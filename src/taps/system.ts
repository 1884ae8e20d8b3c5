import type { Host, Network, Trace } from "../contract/index.js";
import { ConnectionCache } from "./cache.js";
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

  constructor({ host, network = host.network, stacks, policy, trace }: SystemInit) {
    this.host = host;
    this.network = network;
    this.stacks = stacks;
    this.policy = new Policy(policy);
    this.#trace = trace;
  }

  get trace(): Trace | undefined {
    return this.#trace ?? this.host.trace;
  }

  /** `NewPreconnection`. Throws `invalid-configuration`. */
  preconnection<Mode extends SecurityMode = "secure">(init: PreconnectionInit<Mode>): Preconnection<Mode> {
    return new Preconnection<Mode>(this, init);
  }
}

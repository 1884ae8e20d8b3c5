import { equal, type Prefix } from "../bytes/index.js";
import { type AskOf, type Host, type Network, networkFailure, type SocketAddress } from "../contract/index.js";
import {
  type Admission,
  type Applicant,
  answerTls,
  type GuestStatus,
  hasSameKey,
  OpenVpnServer,
  type OpenVpnServerConfig,
  type OpenVpnServerEvent,
  type OpenVpnServerInput,
  type PacketSource,
} from "../protocols/openvpn/index.js";
import { Stack } from "../stack/index.js";
import { AddressPool } from "./address-pool.js";
import { outerPacketSize } from "./limits.js";
import { ListenerPort } from "./listener-port.js";
import { type PacketTap, tapped } from "./packet-tunnel.js";
import { Tunnel } from "./tunnel.js";

export interface OpenVpnServerOptions
  extends Omit<OpenVpnServerConfig, "crypto" | "entropy" | "source" | "addresses" | "mtu" | "batchPackets"> {
  readonly name?: string;
  /** The network outside. Default: the host's own. */
  readonly network?: Network;
  readonly local: SocketAddress;
  /** Default udp. */
  readonly transport?: "udp" | "tcp";
  /** Ours inside, one of each family at the most; clients get the addresses behind them. */
  readonly inside: readonly Prefix[];
  /** The first and the last of the IPv4 addresses that clients get. Default: all. */
  readonly pool?: readonly [Uint8Array, Uint8Array] | undefined;
  /** Pushed to every client beside what makes the tunnel. */
  readonly push?: readonly string[];
  /** Addresses that a client gets in place of the pool's, by who it is. Default: none. */
  readonly fixed?: (applicant: Applicant) => readonly Prefix[];
  /** Sees the packets inside, decrypted. */
  readonly tap?: PacketTap | undefined;
  /** Has the last word about a client; it may give it other addresses. Undefined refuses. Default: who has a certificate. */
  readonly accept?: (
    applicant: Applicant,
    offered: Admission,
    signal: AbortSignal,
  ) => Admission | undefined | Promise<Admission | undefined>;
  readonly on?: (event: Exclude<OpenVpnServerEvent, { readonly kind: "question" | "packets" }>) => void;
}

/** An OpenVPN server that is up, with a network inside on which its clients are. */
export interface OpenVpnListener {
  readonly network: Network;
  readonly stack: Stack;
  readonly local: SocketAddress;
  clients(): readonly GuestStatus[];
  drops(): Readonly<Record<string, number>>;
  exportKey(peerId: number, label: string, length: number, context?: Uint8Array): Uint8Array | undefined;
  handle(input: OpenVpnServerInput): void;
  ping(address: string, options?: { readonly timeoutMs?: number }): Promise<number>;
  close(): void;
}

/** Listens for OpenVPN clients. Rejects with the failure of the network outside, or `misuse` for options that cannot be. */
export async function listenOpenVpn(host: Host, options: OpenVpnServerOptions): Promise<OpenVpnListener> {
  const { inside, local, name = "openvpn", tap } = options;
  const stack = new Stack({ crypto: host.crypto, entropy: host.entropy, addresses: inside, mtu: serverInnerMtu });
  const end = new ServerEnd(host, options, tap === undefined ? stack : tapped(stack, tap));
  const { machine } = end;
  const tunnel: Tunnel<OpenVpnServerInput, OpenVpnServerEvent> = new Tunnel<OpenVpnServerInput, OpenVpnServerEvent>(
    host,
    name,
    machine,
    stack,
    () => (text) => Promise.reject(networkFailure("name-not-found", `${text}: names are not looked up here`)),
    { event: end.told, answer: end.answer, tap },
  );
  const address = await tunnel.open(end.outside, local);
  // Who listens wants to live.
  tunnel.hold(1);
  return {
    network: tunnel.network,
    stack,
    local: address,
    clients: () => machine.clients,
    drops: () => ({ ...machine.drops, ...stack.drops }),
    exportKey: (peerId, label, length, context) => machine.exportKey(peerId, label, length, context),
    handle: (input) => tunnel.handle(input),
    ping: (address, options) => tunnel.ping(address, options),
    close: () => {
      tunnel.handle({ kind: "close" });
      tunnel.close();
    },
  };
}

/** A server with its pool and its port outside, for a stack and for a device alike. */
export class ServerEnd {
  readonly machine: OpenVpnServer;
  /** Where it binds. */
  readonly outside: Pick<Network, "bindDatagrams">;
  readonly #options: OpenVpnServerOptions;
  readonly #pool: AddressPool;
  readonly #tls: OpenVpnServerOptions["tls"];
  readonly #host: Host;

  constructor(host: Host, options: OpenVpnServerOptions, source: PacketSource) {
    const { crypto, entropy } = host;
    const { inside, pool, network = host.network, transport } = options;
    this.#host = host;
    this.#options = options;
    this.#pool = new AddressPool(inside, pool);
    const traced = { ...(host.keyLog && { keyLog: host.keyLog }), ...(host.trace && { trace: host.trace }) };
    this.#tls = { ...options.tls, ...traced };
    const config = {
      ...options,
      ...(host.trace && { trace: host.trace }),
      crypto,
      entropy,
      tls: this.#tls,
      addresses: inside,
      source,
    };
    this.machine = new OpenVpnServer({ ...config, ...(transport === "tcp" && { batchPackets: 1 }) });
    this.outside = transport === "tcp" ? new ListenerPort(network) : network;
  }

  readonly told = (event: Exclude<OpenVpnServerEvent, { readonly kind: "question" }>): void => {
    if (event.kind === "left") this.#pool.give(event.client.addresses);
    if (event.kind === "declined") this.#pool.give(event.admission.addresses);
    if (event.kind !== "packets") this.#options.on?.(event);
  };

  readonly answer = (question: AskOf<OpenVpnServerEvent>, signal: AbortSignal): unknown => {
    if (question.kind === "accept-client") return this.#judge(question, signal);
    return answerTls(this.#tls, this.#host.crypto, question, signal);
  };

  async #judge(applicant: Applicant, signal: AbortSignal): Promise<Admission | undefined> {
    const { push = [], accept, fixed } = this.#options;
    const own = fixed?.(applicant) ?? [];
    const addresses = this.#isAnothers(own, applicant) ? undefined : this.#pool.take(own);
    if (addresses === undefined) return undefined;
    const offered = { addresses, push };
    let admitted: Admission | undefined;
    try {
      admitted = accept === undefined ? applicant.peer && offered : await accept(applicant, offered, signal);
    } finally {
      if (admitted === undefined) this.#pool.give(addresses);
    }
    return admitted;
  }

  /** Has a client with another key one of these addresses? */
  #isAnothers(addresses: readonly Prefix[], { peer }: Applicant): boolean {
    const isOne = (other: Prefix) => addresses.some(({ address }) => equal(address, other.address));
    return this.machine.clients.some((client) => client.addresses.some(isOne) && !hasSameKey(client.peer, peer));
  }
}

/** What every cipher leaves of a packet that any path carries. */
export const serverInnerMtu = outerPacketSize - 120;

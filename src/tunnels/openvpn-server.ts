import { formatAddress, type Prefix } from "../bytes/index.js";
import { type Host, type Network, networkFailure, type SocketAddress } from "../contract/index.js";
import {
  type Admission,
  type Applicant,
  answerTls,
  type GuestStatus,
  OpenVpnServer,
  type OpenVpnServerConfig,
  type OpenVpnServerEvent,
  type OpenVpnServerInput,
} from "../protocols/openvpn/index.js";
import { Stack } from "../stack/index.js";
import { Echoes } from "./echoes.js";
import { outerPacketSize } from "./limits.js";
import { ListenerPort } from "./listener-port.js";
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
  /** Pushed to every client beside what makes the tunnel. */
  readonly push?: readonly string[];
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
  const { inside, local, name = "openvpn", network: outside = host.network, accept, on, ...config } = options;
  const pool = new AddressPool(inside);
  const stack = new Stack({ crypto: host.crypto, entropy: host.entropy, addresses: inside, mtu: innerMtu });
  const tls = { ...options.tls, ...(host.keyLog && { keyLog: host.keyLog }), ...(host.trace && { trace: host.trace }) };
  const { crypto, entropy } = host;
  const machine = new OpenVpnServer({
    ...config,
    crypto,
    entropy,
    tls,
    addresses: inside,
    source: stack,
    ...(options.transport === "tcp" && { batchPackets: 1 }),
  });
  const echoes = new Echoes(host);
  const judge = async (applicant: Applicant, signal: AbortSignal): Promise<Admission | undefined> => {
    const addresses = pool.take();
    if (addresses === undefined) return undefined;
    const offered = { addresses, push: options.push ?? [] };
    const admitted = accept === undefined ? applicant.peer && offered : await accept(applicant, offered, signal);
    if (admitted === undefined) pool.give(addresses);
    return admitted;
  };
  const tunnel: Tunnel<OpenVpnServerInput, OpenVpnServerEvent> = new Tunnel<OpenVpnServerInput, OpenVpnServerEvent>(
    host,
    name,
    machine,
    stack,
    () => (text) => Promise.reject(networkFailure("name-not-found", `${text}: names are not looked up here`)),
    {
      event: (event) => {
        if (event.kind === "left") pool.give(event.client.addresses);
        if (event.kind === "declined") pool.give(event.admission.addresses);
        if (event.kind !== "packets") on?.(event);
      },
      answer: (question, signal) => {
        const asked = question as { readonly kind: string };
        if (asked.kind === "accept-client") return judge(question as Applicant, signal);
        return answerTls(tls, host.crypto, question as never, signal);
      },
      echoReply: (_, word) => echoes.answered(word),
    },
  );
  const address = await tunnel.open(options.transport === "tcp" ? new ListenerPort(outside) : outside, local);
  // Who listens wants to live.
  tunnel.hold(1);
  return {
    network: tunnel.network,
    local: address,
    clients: () => machine.clients,
    drops: () => ({ ...machine.drops, ...stack.drops }),
    exportKey: (peerId, label, length, context) => machine.exportKey(peerId, label, length, context),
    handle: (input) => tunnel.handle(input),
    ping: (to, { timeoutMs = 1_000 } = {}) => echoes.send(tunnel, to, timeoutMs),
    close: () => {
      tunnel.handle({ kind: "close" });
      tunnel.close();
    },
  };
}

/** What every cipher leaves of a packet that any path carries. */
const innerMtu = outerPacketSize - 120;

/** Addresses behind ours, given out one after the other and taken back. */
class AddressPool {
  readonly #networks: readonly Prefix[];
  readonly #taken = new Set<string>();

  constructor(networks: readonly Prefix[]) {
    this.#networks = networks;
  }

  take(): readonly Prefix[] | undefined {
    const addresses = this.#networks.map((network) => this.#next(network));
    return addresses.every((each) => each !== undefined) ? (addresses as Prefix[]) : undefined;
  }

  give(addresses: readonly Prefix[]): void {
    for (const { address } of addresses) this.#taken.delete(formatAddress(address));
  }

  #next({ address, length }: Prefix): Prefix | undefined {
    // Sixteen bits are more clients than a server takes.
    const bits = Math.min(16, 8 * address.length - length);
    const at = address.length - 2;
    const mask = 2 ** bits - 1;
    const own = (address[at]! << 8) | address[at + 1]!;
    for (let host = 1; host < mask; host++) {
      const next = address.slice();
      const value = (own & ~mask) | ((own + host) & mask);
      if ((value & mask) === 0 || (value & mask) === mask) continue;
      next[at] = value >> 8;
      next[at + 1] = value;
      const text = formatAddress(next);
      if (this.#taken.has(text)) continue;
      this.#taken.add(text);
      return { address: next, length };
    }
    return undefined;
  }
}

import { equal, formatAddress, type Prefix, parseAddress } from "../bytes/index.js";
import type { AskOf, Failure, Host, Instant, Network, Secret, SocketAddress } from "../contract/index.js";
import {
  type AssociationPair,
  espSuite,
  innerSize,
  type PairStatus,
  type TrafficSelector,
} from "../protocols/esp/index.js";
import {
  answerIke,
  type IkeEvent,
  type IkeFailure,
  type IkeKnowledge,
  ikeFailure,
  parseSwanctl,
  type ReadNamed,
  type SwanctlFile,
  useSwanctl,
} from "../protocols/ikev2/index.js";
import { Stack } from "../stack/index.js";
import { type IpsecConfig, type IpsecEvent, type IpsecInput, IpsecMachine } from "./ipsec-machine.js";
import { outerPacketSize, reconnectFirstMs, reconnectMaxMs, udpHeadersSize } from "./limits.js";
import type { OpenedTunnel, PeerState, TunnelNotice } from "./opened.js";
import { type PacketTap, tapped } from "./packet-tunnel.js";
import { type DnsCodecSource, Resolver } from "./resolver.js";
import { Tunnel } from "./tunnel.js";

export interface IpsecOptions {
  /** The network outside. Default: the host's own. */
  readonly network?: Network | undefined;
  /** Address outside to bind; the file's `local_addrs`, or any, by default. */
  readonly localAddress?: string | undefined;
  /** Which of the file's connections, if it has several. */
  readonly connection?: string | undefined;
  /** Reads what the file names beside itself: certificates and keys. */
  readonly read?: ReadNamed | undefined;
  /** What unlocks the file's private key, in place of its own secret. */
  readonly passphrase?: Secret | undefined;
  /** An EAP method (RFC 3748), for a file that wants one: handed each packet of the peer's. */
  readonly eap?: IkeKnowledge["eap"] | undefined;
  readonly on?: ((notice: TunnelNotice) => void) | undefined;
}

export interface IpsecTunnelOptions extends IpsecOptions {
  /** Shown as the network's and its interface's name. Default "ipsec". */
  readonly name?: string | undefined;
  readonly dns?: DnsCodecSource | undefined;
  /** Sees the packets inside, decrypted. */
  readonly tap?: PacketTap | undefined;
}

/** What file and gateway made of the inside. */
export interface IpsecInside {
  readonly addresses: readonly Prefix[];
  /** What lies behind the gateway. */
  readonly routes: readonly Prefix[];
  readonly dns: readonly string[];
  readonly searchDomains: readonly string[];
  /** Bytes of the largest packet inside. */
  readonly mtu: number;
}

/** A tunnel of IKEv2 and ESP that is up. */
export interface IpsecTunnel extends OpenedTunnel {
  readonly file: SwanctlFile;
  inside(): IpsecInside;
  /** The pairs of associations that there are now. */
  pairs(): readonly PairStatus[];
  handle(input: IpsecInput): void;
  /** New keys for the IKE SA itself (KU); `handshake` renews those of packets. */
  rekey(): void;
  /** Goes on from another port, as after a change of network: the gateway follows (MOBIKE, RFC 4555). Answers the new address. */
  rebind(local?: SocketAddress): Promise<SocketAddress>;
}

/**
 * Opens a tunnel from strongSwan's swanctl.conf: IKEv2 and ESP in UDP, from the first packet on by the gateway's port 4500.
 * Rejects with what is wrong with the file, what is wrong with the gateway or with us in its eyes, or `unanswered`.
 */
export async function openIpsec(
  host: Host,
  source: string | SwanctlFile,
  options: IpsecTunnelOptions = {},
): Promise<IpsecTunnel> {
  const file = typeof source === "string" ? parseSwanctl(source, options) : source;
  const remote = await whereIs(options.network ?? host.network, file);
  const addresses: Prefix[] = [];
  const stack = new Stack({ crypto: host.crypto, entropy: host.entropy, addresses, mtu: outerPacketSize });
  const end = new IpsecEnd(host, file, remote, options, {
    source: tapped(stack, options.tap),
    handle: (input) => tunnel.handle(input),
    up: (inside) => {
      addresses.splice(0, addresses.length, ...inside.addresses);
      stack.mtu = inside.mtu;
      resolver = new Resolver(host, tunnel.network, inside.dns, inside.searchDomains, options.dns);
    },
    over: (failure) => tunnel.end(failure),
  });
  let resolver: Resolver | undefined;
  const name = options.name ?? "ipsec";
  const tunnel: Tunnel<IpsecInput, IpsecEvent> = new Tunnel<IpsecInput, IpsecEvent>(
    host,
    name,
    end.machine,
    stack,
    () => (text, resolveOptions) => resolver!.resolve(text, resolveOptions),
    {
      event: (event) => end.told(event),
      answer: end.answer,
      tap: options.tap,
    },
  );
  const outside = options.network ?? host.network;
  let local: SocketAddress;
  tunnel.hold(1);
  try {
    local = await tunnel.open(outside, end.bind);
    end.connect();
    await end.opened;
  } catch (failure) {
    end.close();
    tunnel.close();
    throw failure;
  } finally {
    tunnel.hold(-1);
  }
  return {
    ...end.face,
    name,
    network: tunnel.network,
    stack,
    get publicKey() {
      return end.publicKey;
    },
    get local() {
      return local;
    },
    status: () => {
      const { isUp, peers, drops } = end.status();
      return { isUp, peers, drops: { ...drops, ...stack.drops }, mtu: stack.mtu };
    },
    handle: (input) => tunnel.handle(input),
    rebind: async (to) => {
      local = await tunnel.rebind(outside, to ?? end.bind);
      end.moved(local);
      return local;
    },
    ping: (address, options) => tunnel.ping(address, options),
    close: () => {
      end.close();
      tunnel.handle({ kind: "close" });
      tunnel.close();
    },
  };
}

/** The gateway, looked up outside if the file names it. */
export async function whereIs(outside: Network, { remote: { host, port } }: SwanctlFile): Promise<SocketAddress> {
  const address = parseAddress(host) ? host : (await outside.resolve(host))[0]!;
  return { address: formatAddress(parseAddress(address)!), port };
}

/** What an end needs of what carries it. */
interface Carrier {
  readonly source: NonNullable<IpsecConfig["source"]>;
  handle(input: IpsecInput): void;
  /** The gateway has agreed on what the inside is like. */
  up(inside: IpsecInside): void;
  over(failure: Failure): void;
}

/** The initiator of a file, for a stack and for a device alike. It comes back when the gateway was gone. */
export class IpsecEnd {
  readonly machine: IpsecMachine;
  readonly bind: SocketAddress;
  /** Resolves when the tunnel is up for the first time. */
  readonly opened: Promise<void>;
  readonly publicKey: Uint8Array;
  readonly face: Pick<IpsecTunnel, "protocol" | "warnings" | "file" | "inside" | "pairs" | "handshake" | "rekey">;
  readonly answer: (question: AskOf<IkeEvent>, signal: AbortSignal) => unknown;
  readonly #host: Host;
  readonly #file: SwanctlFile;
  readonly #remote: SocketAddress;
  readonly #carrier: Carrier;
  readonly #on: IpsecOptions["on"];
  #settle: { resolve(): void; reject(failure: unknown): void } | undefined;
  #isOpened = false;
  #isClosed = false;
  /** The IKE SA's handle. */
  #ike: number | undefined;
  #configured: Extract<IkeEvent, { kind: "configured" }> | undefined;
  #inside: IpsecInside | undefined;
  #peer: { publicKey: Uint8Array; lastHandshakeAt: Instant | undefined; handshakes: number };
  #pauseMs = reconnectFirstMs;

  constructor(host: Host, file: SwanctlFile, remote: SocketAddress, options: IpsecOptions, carrier: Carrier) {
    const { crypto, entropy, keyLog, trace } = host;
    this.#host = host;
    this.#file = file;
    this.#remote = remote;
    this.#carrier = carrier;
    this.#on = options.on;
    const local = options.localAddress ?? file.localAddress;
    const used = useSwanctl(crypto, file, remote, local, options);
    this.machine = new IpsecMachine({
      crypto,
      entropy,
      connections: [used.connection],
      mtu: outerPacketSize,
      source: carrier.source,
      ...(keyLog && { keyLog }),
      ...(trace && { trace }),
    });
    this.bind = { address: local ?? (remote.address.includes(":") ? "::" : "0.0.0.0"), port: file.localPort };
    this.answer = (question, signal) => answerIke(question, used.knowledge, host.now(), signal);
    this.opened = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    const own = used.identity?.publicKey.spki;
    this.publicKey = own === undefined ? new Uint8Array(0) : crypto.hash("SHA-256").digest(own);
    this.#peer = { publicKey: new Uint8Array(0), lastHandshakeAt: undefined, handshakes: 0 };
    this.face = {
      protocol: "IPsec",
      warnings: file.warnings,
      file,
      inside: () => this.#inside!,
      pairs: () => this.machine.esp.status(),
      handshake: () => {
        const sending = this.machine.esp.status().filter(({ sends }) => sends);
        for (const { spiIn } of sending) carrier.handle({ kind: "rekey-child", spiIn });
      },
      rekey: () => {
        if (this.#ike !== undefined) carrier.handle({ kind: "rekey", ike: this.#ike });
      },
    };
  }

  connect(): void {
    this.#carrier.handle({ kind: "connect", connection: this.#file.name, remote: this.#remote });
  }

  /** The port outside is another. */
  moved(local: SocketAddress): void {
    if (this.#ike !== undefined) this.#carrier.handle({ kind: "move", ike: this.#ike, local });
  }

  /** Nothing is tried any more. */
  close(): void {
    this.#isClosed = true;
  }

  status() {
    const pairs = this.machine.esp.status();
    const total = (of: (pair: (typeof pairs)[number]) => number): number =>
      pairs.reduce((all, pair) => all + of(pair), 0);
    const peer: PeerState = {
      ...this.#peer,
      endpoint: pairs[0]?.peer ?? this.#remote,
      bytesSent: total(({ bytesSent }) => bytesSent),
      bytesReceived: total(({ bytesReceived }) => bytesReceived),
      packetsSent: total(({ packetsSent }) => packetsSent),
      packetsReceived: total(({ packetsReceived }) => packetsReceived),
    };
    return { isUp: this.machine.esp.canSend, peers: [peer], drops: this.machine.drops };
  }

  told(event: Exclude<IpsecEvent, { readonly kind: "question" }>): void {
    const { publicKey } = this.#peer;
    switch (event.kind) {
      case "established": {
        this.#ike = event.ike;
        const { peer } = event;
        if (peer.kind === "certificate") {
          this.#peer.publicKey = this.#host.crypto.hash("SHA-256").digest(peer.publicKey.spki);
        }
        break;
      }
      case "configured":
        this.#configured = event;
        break;
      case "child":
        this.#child(event.pair);
        break;
      case "child-failed":
        if (!this.#isOpened) this.#fail(event.failure);
        break;
      case "child-deleted":
        if (this.#isOpened && !this.machine.esp.canSend) this.#again(() => this.#acquire(event.name));
        break;
      case "moved":
        this.#on?.({ kind: "moved", publicKey, from: event.from, to: event.to });
        break;
      case "expired":
        this.#on?.({ kind: "expired", publicKey });
        break;
      case "closed":
        this.#ended(event.failure);
        break;
    }
  }

  #child(pair: AssociationPair): void {
    this.#peer.lastHandshakeAt = this.#host.now();
    this.#peer.handshakes++;
    this.#pauseMs = reconnectFirstMs;
    if (pair.replaces === undefined) {
      const inside = this.#insideOf(pair);
      if (inside === undefined) {
        const hint = "local_ts with one address of ours, or vips to be given one";
        this.#fail(
          ikeFailure("bad-configuration", "local_ts leaves open which address is ours", { at: "local_ts", hint }),
        );
        return;
      }
      this.#inside = inside;
      this.#carrier.up(inside);
      this.#isOpened = true;
      this.#settle?.resolve();
    }
    this.#on?.({ kind: "session", publicKey: this.#peer.publicKey, initiator: true });
  }

  #insideOf({ local, remote, algorithms }: AssociationPair): IpsecInside | undefined {
    const given = this.#configured?.addresses ?? [];
    const own = local.flatMap(({ start, end }) =>
      equal(start, end) ? [{ address: start, length: 8 * start.length }] : [],
    );
    const addresses = given.length > 0 ? given : own;
    if (addresses.length === 0) return undefined;
    return {
      addresses,
      routes: remote.map(covering),
      dns: this.#configured?.dns ?? [],
      searchDomains: this.#configured?.domains ?? [],
      mtu: innerSize(espSuite(algorithms)!, outerPacketSize - udpHeadersSize),
    };
  }

  #acquire(child: string): void {
    if (this.#ike !== undefined && !this.machine.esp.canSend) {
      this.#carrier.handle({ kind: "acquire", ike: this.#ike, child });
    }
  }

  /** The IKE SA is gone. Who was there once is asked again; who refuses us is not. */
  #ended(failure: IkeFailure): void {
    this.#ike = undefined;
    const isFinal = this.#isClosed || !this.#isOpened || final.has(failure.fault);
    if (isFinal && failure.reason !== "closed-by-peer") this.#fail(failure);
    else if (!this.#isOpened) this.#fail(failure);
    else this.#again(() => this.connect(), failure);
  }

  #again(what: () => void, failure?: Failure): void {
    if (this.#isClosed) return;
    this.#on?.({ kind: "retrying", publicKey: this.#peer.publicKey, ...(failure && { failure }) });
    const pause = this.#pauseMs;
    this.#pauseMs = Math.min(2 * pause, reconnectMaxMs);
    const alarm = this.#host.wakeAt(this.#host.now() + pause, () => {
      if (!this.#isClosed) what();
    });
    alarm.unref();
  }

  #fail(failure: Failure): void {
    if (this.#isClosed) return;
    this.close();
    this.#settle?.reject(failure);
    if (!this.#isOpened) return;
    this.#on?.({ kind: "failed", failure });
    this.#carrier.over(failure);
  }
}

const final: ReadonlySet<string> = new Set(["authentication", "refused", "incompatible", "misuse"]);

/** The prefix that holds a range. What it holds beyond that ESP does not let out. */
function covering({ start, end }: TrafficSelector): Prefix {
  let length = 0;
  const bit = (bytes: Uint8Array): number => (bytes[length >> 3]! >> (7 - (length & 7))) & 1;
  while (length < 8 * start.length && bit(start) === bit(end)) length++;
  return { address: start, length };
}

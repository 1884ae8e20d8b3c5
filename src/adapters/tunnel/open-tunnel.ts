import { EventEmitter } from "node:events";
import type { Agent, AgentOptions } from "node:http";
import type { Duplex } from "node:stream";
import { type Prefix, parsePrefix, toBase64 } from "../../bytes/index.js";
import {
  type Failure,
  type Host,
  type Network,
  networkFailure,
  type Secret,
  type SocketAddress,
} from "../../contract/index.js";
import type { Capture } from "../../hosts/node/capture.js";
import { hostWith } from "../../mechanisms/host-with.js";
import {
  type Connection,
  type DialOptions,
  dial,
  disabled,
  type Preconnection,
  type PreconnectionInit,
  type SecurityInit,
  type SecurityMode,
  type TransportServices,
} from "../../taps/index.js";
import {
  type FileWarning,
  type OpenedTunnel,
  openWireGuard,
  type TunnelNotice,
  type WireGuardTunnelOptions,
} from "../../tunnels/index.js";
import { type Dialer, dialer } from "../dialer.js";
import { httpAgent } from "../http-agent.js";
import { ConnectionSocket, type OpenConnection } from "../socket.js";
import { systemServices } from "../system.js";
import { undiciConnector } from "../undici.js";
import { type DatagramSocketOptions, TunnelDatagramSocket } from "./datagram-socket.js";
import { builtInAgent, type DispatcherClass, type FetchInit } from "./fetch.js";
import { drainMsDefault, echoesKept } from "./limits.js";
import { type ConnectionHandler, TunnelServer } from "./server.js";
import {
  type KeySource,
  looksLikeOvpn,
  looksLikeOvpnServer,
  looksLikeSwanctl,
  readKeySource,
  readSecretText,
  readTunnelFile,
  type TunnelFile,
} from "./source.js";
import { dropsThatHappened, peerStatuses, type TunnelStatus } from "./status.js";

export interface TunnelOptions {
  /** The tunnel's interface is `wg:`, `ovpn:` or `ipsec:` and this name. Default: the file's, without its suffix; "tunnel" for a text. */
  readonly name?: string;
  /** In place of the file's `PrivateKey`: a Secret, or the file or environment variable that holds it in base64. */
  readonly privateKey?: KeySource;
  /** The network outside. Default the host's own; another tunnel's `network` nests one in the other. */
  readonly network?: Network;
  /** Address outside to bind; any by default. */
  readonly localAddress?: string;
  /**
   * A file, made with mode 0600, for what passes: the packets outside, those inside, decrypted, and the secrets by which
   * Wireshark decrypts the former too. Whoever has it can read everything.
   */
  readonly pcapng?: string;
  /**
   * Lets in peers that the file does not name (IV), each with its addresses inside, such as `["10.0.0.7/32"]`; undefined
   * refuses. Without it, unknown peers are refused. An answer that takes longer than five seconds counts for the peer's next
   * try.
   */
  readonly acceptPeer?: (
    peer: { readonly publicKey: string; readonly from: SocketAddress },
    signal: AbortSignal,
  ) => AcceptedAddresses | Promise<AcceptedAddresses>;
  /** User and password for an OpenVPN server, in place of the file's `auth-user-pass`. */
  readonly credentials?: {
    readonly user: string;
    readonly password: KeySource;
    /** The answer to the file's `static-challenge`. */
    readonly response?: KeySource;
  };
  /**
   * Answers what an OpenVPN server asks of people, such as a one-time code; `isEchoed` says that it may be seen. Without it, or with
   * undefined, the tunnel fails.
   */
  readonly challenge?: (
    challenge: { readonly text: string; readonly isEchoed: boolean },
    signal: AbortSignal,
  ) => Secret | undefined | Promise<Secret | undefined>;
  /**
   * For an OpenVPN server's file: is this the user's password? Without it, whoever shows a certificate that the file trusts is
   * let in, and nobody else.
   */
  readonly acceptUser?: (user: string, password: Secret) => boolean | Promise<boolean>;
  /** What unlocks the private key of an OpenVPN file or a swanctl.conf. */
  readonly passphrase?: KeySource;
  /** For what is dialled securely inside: trust, identity, verify. */
  readonly security?: SecurityInit;
}

/** Addresses inside with their prefix lengths, or undefined. */
export type AcceptedAddresses = readonly string[] | undefined;

/** What happens to a tunnel, most of it with the peer's key as `TunnelPeerStatus` has it. */
export interface TunnelEvents {
  handshake: [{ readonly peer: string; readonly isInitiator: boolean }];
  moved: [{ readonly peer: string; readonly from: SocketAddress; readonly to: SocketAddress }];
  /** A handshake goes unanswered and is tried again; names of endpoints are looked up anew. */
  retrying: [{ readonly peer: string; readonly failure?: Failure }];
  /** Ninety seconds without an answer. The next packet inside begins anew. */
  unanswered: [{ readonly peer: string }];
  expired: [{ readonly peer: string }];
  /** Something that a server says to people. */
  notice: [{ readonly text: string }];
  /** The tunnel has given up, and everything inside ended with this. */
  failed: [{ readonly failure: Failure }];
  closed: [];
}

/** Opens a tunnel on a host, by what its file is. `tunnel` of the root door does so on this one. */
export async function openTunnel(host: Host, source: string | URL, options: TunnelOptions = {}): Promise<OpenTunnel> {
  const file = readTunnelFile(source);
  const kind = kindOf(file.text);
  const name = `${kind.prefix}:${options.name ?? file.name}`;
  const outside = options.network && { network: options.network };
  const capture =
    options.pcapng === undefined
      ? undefined
      : (await import("../../hosts/node/capture.js")).captureToFile(host, options.pcapng, { ...outside, inside: name });
  const events: { tell: (notice: TunnelNotice) => void } = { tell: () => {} };
  const opening = kind.open(capture?.host ?? host, file, options, {
    name,
    dns: async () => (await import("./dns-codec.js")).dnsCodec,
    on: (notice) => events.tell(notice),
    ...(capture ? { tap: capture.inside } : outside),
    ...(options.localAddress !== undefined && { localAddress: options.localAddress }),
  });
  const below = await opening.catch(async (failure: unknown) => {
    await capture?.close();
    throw failure;
  });
  const open = new OpenTunnel(host, below, options.security, capture);
  events.tell = (notice) => open.told(notice);
  return open;
}

type Common = Pick<WireGuardTunnelOptions, "name" | "dns" | "network" | "localAddress" | "tap"> & {
  readonly on: (notice: TunnelNotice) => void;
};

interface Kind {
  readonly prefix: string;
  open(host: Host, file: TunnelFile, options: TunnelOptions, common: Common): Promise<OpenedTunnel>;
}

/** One row a protocol whose files make a tunnel. */
const kinds = {
  wg: {
    prefix: "wg",
    open: async (host, { text }, { acceptPeer, privateKey }, common) =>
      openWireGuard(host, text, {
        ...common,
        on: (event) => {
          if (event.kind !== "packets") common.on(event);
        },
        ...(acceptPeer && { acceptPeer: acceptedBy(acceptPeer) }),
        ...(privateKey && { privateKey: readKeySource(privateKey) }),
      }),
  },
  ovpn: {
    prefix: "ovpn",
    // Most tunnels are not: what it needs is loaded for those that are.
    open: async (host, { text, read }, options, common) =>
      (await import("../../tunnels/openvpn.js")).openOpenVpn(host, text, {
        ...common,
        read,
        challenge: options.challenge,
        ...openVpnSecrets(options),
      }),
  },
  ovpnServer: {
    prefix: "ovpn",
    open: async (host, { text, read }, { acceptUser, passphrase }, common) =>
      (await import("../../tunnels/openvpn-server-file.js")).serveOpenVpn(host, text, {
        ...common,
        read,
        acceptUser,
        ...(passphrase && { passphrase: readSecretText(passphrase) }),
      }),
  },
  swanctl: {
    prefix: "ipsec",
    open: async (host, { text, read }, { passphrase }, common) =>
      (await import("../../tunnels/ipsec.js")).openIpsec(host, text, {
        ...common,
        read,
        ...(passphrase && { passphrase: readSecretText(passphrase) }),
      }),
  },
} as const satisfies Readonly<Record<string, Kind>>;

function kindOf(text: string): Kind {
  if (looksLikeSwanctl(text)) return kinds.swanctl;
  return looksLikeOvpnServer(text) ? kinds.ovpnServer : looksLikeOvpn(text) ? kinds.ovpn : kinds.wg;
}

/** What an OpenVPN file may lack, read from where it is. */
export function openVpnSecrets({ credentials, passphrase }: Pick<TunnelOptions, "credentials" | "passphrase">): {
  readonly credentials?: { readonly user: string; readonly password: Secret; readonly response?: Secret };
  readonly passphrase?: Secret;
} {
  return {
    ...(credentials && {
      credentials: {
        user: credentials.user,
        password: readSecretText(credentials.password),
        ...(credentials.response && { response: readSecretText(credentials.response) }),
      },
    }),
    ...(passphrase && { passphrase: readSecretText(passphrase) }),
  };
}

function acceptedBy(
  accept: NonNullable<TunnelOptions["acceptPeer"]>,
): NonNullable<WireGuardTunnelOptions["acceptPeer"]> {
  return async ({ publicKey, from }, signal) => {
    const addresses = await accept({ publicKey: toBase64(publicKey), from }, signal);
    return addresses && { allowedIps: addresses.map(prefixOf) };
  };
}

function prefixOf(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw networkFailure("not-an-address", `${text} is not an address with a prefix length`);
  return prefix;
}

/**
 * A tunnel that is open, with a face for every library: sockets, datagrams, servers, agents, `fetch`, Connections. It
 * shakes hands when something inside wants out, reconnects by itself, and keeps the process alive only while something
 * inside does.
 */
export class OpenTunnel extends EventEmitter<TunnelEvents> implements AsyncDisposable {
  /**
   * The host on the network inside, for whatever takes a Host: HTTP/3, SRTP, another tunnel. With `pcapng`, secrets of what stands
   * on it go into the capture.
   */
  readonly host: Host;
  /** Transport Services on the network inside. */
  readonly system: TransportServices;
  readonly #below: OpenedTunnel;
  readonly #security: SecurityInit | undefined;
  readonly #capture: Capture | undefined;
  readonly #connections = new Set<Connection>();
  readonly #servers = new Set<TunnelServer>();
  readonly #agents = new Set<Agent>();
  readonly #echoes: (number | undefined)[] = [];
  #fetcher: { close(): Promise<void> } | undefined;
  #closing: Promise<void> | undefined;
  #isClosed = false;
  #drained = (): void => {};

  constructor(host: Host, below: OpenedTunnel, security?: SecurityInit, capture?: Capture) {
    super();
    this.#capture = capture;
    this.host = hostWith(capture?.host ?? host, { network: below.network });
    this.#below = below;
    this.#security = security;
    this.system = systemServices({ host: this.host });
  }

  get name(): string {
    return this.#below.name;
  }

  /** The network inside: another tunnel, or anything else that wants one, can stand on it. */
  get network(): Network {
    return this.#below.network;
  }

  /** What the file says that has no effect here, by line. */
  get warnings(): readonly FileWarning[] {
    return this.#below.warnings;
  }

  /** The protocol's name. */
  get protocol(): string {
    return this.#below.protocol;
  }

  /** The address outside. */
  get local(): SocketAddress {
    return this.#below.local;
  }

  /** Our key as `TunnelPeerStatus` has it, in base64; empty if we have none. */
  get publicKey(): string {
    return toBase64(this.#below.publicKey);
  }

  /** A socket that is connecting: it emits `connect` or `error`, and what is written meanwhile waits. */
  connect(
    to: { readonly host: string; readonly port: number; readonly allowHalfOpen?: boolean },
    listener?: () => void,
  ): ConnectionSocket {
    const socket = this.socket({ allowHalfOpen: to.allowHalfOpen ?? false });
    return listener === undefined ? socket.connect(to) : socket.connect(to, listener);
  }

  /** A socket that a library will connect, such as the `stream` of pg or the `socket` of others. */
  socket(options: { readonly allowHalfOpen?: boolean } = {}): ConnectionSocket {
    const open: OpenConnection = ({ host, port }, signal) => this.#dial({ host, port, isSecure: false }, { signal });
    return new ConnectionSocket(open, options);
  }

  /** A UDP socket, bound, with the face of a `dgram.Socket`. */
  datagram(options: DatagramSocketOptions = {}): Promise<TunnelDatagramSocket> {
    return TunnelDatagramSocket.open(this.network, options);
  }

  /**
   * Listens inside. The handler is a function, or a server of `node:http` or the like, which is given each socket by its
   * `connection` event.
   */
  async listen(port: number, handler?: ConnectionHandler): Promise<TunnelServer> {
    const listener = await this.preconnection({ local: { port }, security: disabled() }).listen();
    const server = new TunnelServer(listener, handler, (connection) => this.#keep(connection));
    this.#servers.add(server);
    server.once("close", () => this.#servers.delete(server));
    return server;
  }

  /** For `http.request`, and with `isSecure` for `https.request`. */
  agent(options: AgentOptions & { readonly isSecure?: boolean } = {}): Agent {
    const agent = httpAgent(this.#dial, options);
    this.#agents.add(agent);
    return agent;
  }

  /** An undici dispatcher, made of the `Agent` class that you import from undici. */
  dispatcher<D>(Agent: DispatcherClass<D>): D {
    return new Agent({ connect: undiciConnector(this.#dial) });
  }

  /** As the platform's own `fetch`, through the tunnel. */
  async fetch(url: string | URL, init: FetchInit = {}): Promise<Response> {
    this.#fetcher ??= this.dispatcher(builtInAgent());
    return fetch(url, { ...init, dispatcher: this.#fetcher } as RequestInit);
  }

  /** A Connection inside, by URL: `tls://db.internal:5432` is TLS over TCP over WireGuard. */
  async dial(url: string | URL, options: DialOptions = {}): Promise<Connection> {
    return this.#keep(await dial(this.system, url, { ...this.#security, ...options }));
  }

  /** A Preconnection on the network inside. */
  preconnection<Mode extends SecurityMode = "secure">(init: PreconnectionInit<Mode>): Preconnection<Mode> {
    return this.system.preconnection(init);
  }

  /** Addresses of a name, as the name servers inside know it. */
  resolve(
    name: string,
    options?: { readonly family?: 4 | 6; readonly signal?: AbortSignal },
  ): Promise<readonly string[]> {
    return this.network.resolve(name, options);
  }

  /** Milliseconds to an echo's answer. Rejects with `timed-out`. */
  async ping(target: string, { timeoutMs = 1_000 }: { readonly timeoutMs?: number } = {}): Promise<number> {
    const [address] = await this.resolve(target);
    try {
      const rttMs = await this.#below.ping(address!, { timeoutMs });
      this.#echo(rttMs);
      return rttMs;
    } catch (error) {
      this.#echo(undefined);
      throw error;
    }
  }

  /** Shakes hands with every peer whose endpoint is known, without waiting for traffic. */
  handshake(): void {
    this.#below.handshake();
  }

  status(): TunnelStatus {
    const { isUp, peers, drops, mtu } = this.#below.status();
    const last = Math.max(0, ...peers.map(({ lastHandshakeAt }) => lastHandshakeAt ?? 0));
    const lost = this.#echoes.filter((each) => each === undefined).length;
    return {
      name: this.name,
      isUp: !this.#isClosed && isUp,
      mtu,
      addresses: this.network.interfaces().flatMap(({ addresses }) => addresses.map(({ address }) => address)),
      peers: peerStatuses(peers),
      lastHandshakeAt: last || undefined,
      rttMs: this.#echoes.findLast((each) => each !== undefined),
      lossRatio: this.#echoes.length === 0 ? undefined : lost / this.#echoes.length,
      connections: this.#connections.size,
      drops: dropsThatHappened(drops),
    };
  }

  /**
   * Stops listening, lets what is open inside come to its end, for `drainMs` at the most (default 5,000), and takes the
   * tunnel down.
   */
  close({ drainMs = drainMsDefault }: { readonly drainMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What the protocol tells, as events. */
  told(notice: TunnelNotice): void {
    if (notice.kind === "notice") this.emit("notice", { text: notice.text });
    else if (notice.kind === "failed") this.emit("failed", { failure: notice.failure });
    else {
      const peer = toBase64(notice.publicKey);
      if (notice.kind === "session") this.emit("handshake", { peer, isInitiator: notice.initiator });
      else if (notice.kind === "moved") this.emit("moved", { peer, from: notice.from, to: notice.to });
      else if (notice.kind === "retrying" && notice.failure !== undefined) {
        this.emit("retrying", { peer, failure: notice.failure });
      } else this.emit(notice.kind, { peer });
    }
  }

  readonly #dial: Dialer = async (to, options) =>
    this.#keep(await dialer(this.system, this.#security && { security: this.#security })(to, options));

  #keep(connection: Connection): Connection {
    if (connection.state === "closed") return connection;
    this.#connections.add(connection);
    connection.on("stateChange", (state) => {
      if (state !== "closed" || !this.#connections.delete(connection)) return;
      if (this.#connections.size === 0) this.#drained();
    });
    return connection;
  }

  #echo(rttMs: number | undefined): void {
    this.#echoes.push(rttMs);
    if (this.#echoes.length > echoesKept) this.#echoes.shift();
  }

  async #close(drainMs: number): Promise<void> {
    await Promise.all([...this.#servers].map((server) => server.stop()));
    // Connections that are kept alive for a next request wait for nothing.
    for (const agent of this.#agents) {
      for (const idle of Object.values(agent.freeSockets as Record<string, Duplex[]>).flat()) idle.destroy();
    }
    void this.#fetcher?.close().catch(() => {});
    if (this.#connections.size > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
        this.host.wakeAt(this.host.now() + drainMs, resolve).unref();
      });
    }
    this.#isClosed = true;
    this.#below.close();
    await this.#capture?.close();
    this.emit("closed");
  }
}

import type { Prefix } from "../bytes/index.js";
import {
  type AskOf,
  Failure,
  type Host,
  type Network,
  type OuterFlow,
  type Secret,
  type SocketAddress,
} from "../contract/index.js";
import {
  answerTls,
  type Challenge,
  type Credentials,
  clientTls,
  type Inside,
  OpenVpnClient,
  type OpenVpnClientEvent,
  type OpenVpnClientInput,
  type OvpnFile,
  openVpnFailure,
  outerOverhead,
  parseOvpn,
  type ReadNamed,
} from "../protocols/openvpn/index.js";
import { Stack } from "../stack/index.js";
import { outerPacketSize } from "./limits.js";
import type { OpenedTunnel, PeerState, TunnelNotice } from "./opened.js";
import { type PacketTap, tapped } from "./packet-tunnel.js";
import { type RemoteEnd, RemotePort } from "./remote-port.js";
import { type DnsCodecSource, Resolver } from "./resolver.js";
import { Tunnel } from "./tunnel.js";

export interface OpenVpnOptions {
  /** The network outside. Default: the host's own. */
  readonly network?: Network | undefined;
  /** Address outside to bind; the file's `local`, or any, by default. */
  readonly localAddress?: string | undefined;
  /** Reads what the file names beside itself. */
  readonly read?: ReadNamed | undefined;
  /** In place of the file's `auth-user-pass`. */
  readonly credentials?: Credentials | undefined;
  /** Answers what a server asks of people, such as a one-time code (CR_TEXT, CRV1). Without it, or undefined, the tunnel fails. */
  readonly challenge?: AnswerChallenge | undefined;
  /** What unlocks the file's private key. */
  readonly passphrase?: Secret | undefined;
  /** Bits of IV_PROTO that are announced; less makes servers treat us as an older client. */
  readonly announce?: number | undefined;
  readonly on?: ((notice: TunnelNotice) => void) | undefined;
  /** Is told, and awaited, before anything is sent outside that was not there before. */
  readonly outside?: ((flow: OuterFlow) => Promise<void>) | undefined;
}

export type AnswerChallenge = (
  challenge: Challenge,
  signal: AbortSignal,
) => Secret | undefined | Promise<Secret | undefined>;

export interface OpenVpnTunnelOptions extends OpenVpnOptions {
  /** Shown as the network's and its interface's name. Default "openvpn". */
  readonly name?: string | undefined;
  readonly dns?: DnsCodecSource | undefined;
  /** Sees the packets inside, decrypted. */
  readonly tap?: PacketTap | undefined;
}

/** An OpenVPN tunnel that is up. */
export interface OpenVpnTunnel extends OpenedTunnel {
  readonly file: OvpnFile;
  /** What the file and the server made of the inside. */
  inside(): Inside;
  /** Keying material bound to the control channel's TLS session (PSKE). Undefined while there is none. */
  exportKey(label: string, length: number, context?: Uint8Array): Uint8Array | undefined;
  handle(input: OpenVpnClientInput): void;
  /** Goes on from another port, as after a change of network. UDP alone. Answers the new address. */
  rebind(): Promise<SocketAddress>;
}

/**
 * Opens a tunnel from an OpenVPN file: shakes hands with the first server that answers and takes what it pushes. Rejects
 * with what is wrong with the file, with the last server's failure when every one was tried, or with `refused/auth-failed`.
 */
export async function openOpenVpn(
  host: Host,
  source: string | OvpnFile,
  options: OpenVpnTunnelOptions = {},
): Promise<OpenVpnTunnel> {
  const file = typeof source === "string" ? parseOvpn(source, options.read) : source;
  const addresses: Prefix[] = [];
  const most = file.inside.mtu ?? outerPacketSize;
  const stack = new Stack({ crypto: host.crypto, entropy: host.entropy, addresses, mtu: most });
  const end = new ClientEnd(host, file, options, {
    source: options.tap === undefined ? stack : tapped(stack, options.tap),
    mtu: most,
    handle: (input) => tunnel.handle(input),
    up: (inside, overhead) => {
      addresses.splice(0, addresses.length, ...inside.addresses);
      stack.mtu = Math.min(most, inside.mtu ?? most, outerPacketSize - overhead);
      resolver = new Resolver(host, tunnel.network, inside.dns, inside.searchDomains, options.dns);
    },
    over: (failure) => tunnel.end(failure),
  });
  let resolver: Resolver | undefined;
  const tunnel: Tunnel<OpenVpnClientInput, OpenVpnClientEvent> = new Tunnel<OpenVpnClientInput, OpenVpnClientEvent>(
    host,
    options.name ?? "openvpn",
    end.machine,
    stack,
    () => (text, resolveOptions) => resolver!.resolve(text, resolveOptions),
    {
      event: (event) => end.told(event),
      answer: end.answer,
      tap: options.tap,
    },
  );
  tunnel.hold(1);
  try {
    await tunnel.open(end.port, end.port.local);
    await end.opened;
  } catch (failure) {
    tunnel.close();
    throw failure;
  } finally {
    tunnel.hold(-1);
  }
  return {
    ...end.face,
    name: options.name ?? "openvpn",
    network: tunnel.network,
    stack,
    get local() {
      return end.port.local;
    },
    status: () => {
      const { isUp, peers, drops } = end.status();
      return { isUp, peers, drops: { ...drops, ...stack.drops }, mtu: stack.mtu };
    },
    handle: (input) => tunnel.handle(input),
    handshake: () => tunnel.handle({ kind: "renegotiate" }),
    rebind: () => end.port.rebind(),
    ping: (address, options) => tunnel.ping(address, options),
    close: () => {
      tunnel.handle({ kind: "close" });
      tunnel.close();
    },
  };
}

/** What a client's end needs of what carries it. */
interface Carrier {
  readonly source: NonNullable<ConstructorParameters<typeof OpenVpnClient>[0]["source"]>;
  readonly mtu: number;
  handle(input: OpenVpnClientInput): void;
  /** The server has told what the inside is like. */
  up(inside: Inside, overhead: number): void;
  over(failure: Failure): void;
}

/** The client of a file with its port outside, for a stack and for a device alike. */
export class ClientEnd {
  readonly machine: OpenVpnClient;
  readonly port: RemotePort;
  /** Resolves when the tunnel is up for the first time. */
  readonly opened: Promise<void>;
  readonly face: Pick<OpenVpnTunnel, "protocol" | "publicKey" | "warnings" | "file" | "inside" | "exportKey">;
  readonly answer: (question: AskOf<OpenVpnClientEvent>, signal: AbortSignal) => unknown;
  readonly #host: Host;
  readonly #file: OvpnFile;
  readonly #carrier: Carrier;
  readonly #on: OpenVpnOptions["on"];
  readonly #remotes: readonly RemoteEnd[];
  #inside: Inside | undefined;
  #peerKey: Uint8Array = new Uint8Array(0);
  #settle: { resolve(): void; reject(failure: unknown): void } | undefined;

  constructor(host: Host, file: OvpnFile, options: OpenVpnOptions, carrier: Carrier) {
    const { crypto, entropy } = host;
    this.#host = host;
    this.#file = file;
    this.#carrier = carrier;
    this.#on = options.on;
    this.#remotes = file.remoteRandom ? shuffled(file.remotes, entropy.fill(new Uint8Array(64))) : file.remotes;
    const tls = clientTls(crypto, file, { passphrase: options.passphrase });
    const withLog = { ...tls, ...(host.keyLog && { keyLog: host.keyLog }), ...(host.trace && { trace: host.trace }) };
    const credentials = options.credentials ?? credentialsOf(file);
    this.machine = new OpenVpnClient({
      crypto,
      entropy,
      tls: withLog,
      control: file.control,
      auth: file.auth,
      remotes: file.remotes.length,
      inside: file.inside,
      pullFilters: file.pullFilters,
      peerInfo: file.peerInfo,
      mtu: carrier.mtu,
      source: carrier.source,
      renewal: {
        bytes: file.renewBytes,
        packets: file.renewPackets,
        ...(file.renewAfterMs !== undefined && { afterMs: file.renewAfterMs }),
      },
      ...(host.trace && { trace: host.trace }),
      ...(credentials && { credentials }),
      ...definedOf({
        announce: options.announce,
        dataCiphers: file.dataCiphers,
        replayWindow: file.replayWindow,
        fallbackCipher: file.fallbackCipher,
        handshakeWindowMs: file.handshakeWindowMs,
        transitionWindowMs: file.transitionWindowMs,
        serverPollMs: file.serverPollMs,
        retryMs: file.retryMs,
        retryMaxMs: file.retryMaxMs,
      }),
    });
    this.answer = (question, signal) => {
      if (question.kind === "answer-challenge") return options.challenge?.(question, signal);
      return answerTls(withLog, crypto, question, signal);
    };
    this.port = new RemotePort(
      options.network ?? host.network,
      { address: options.localAddress ?? file.localAddress, port: file.localPort },
      (failure) => carrier.handle({ kind: "lost", failure: lost(failure) }),
      options.outside,
    );
    this.opened = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    const { identity } = tls;
    const own = identity !== undefined && "publicKey" in identity ? identity.publicKey.spki : undefined;
    this.face = {
      protocol: "OpenVPN",
      publicKey: own === undefined ? new Uint8Array(0) : crypto.hash("SHA-256").digest(own),
      warnings: file.warnings,
      file,
      inside: () => this.#inside!,
      exportKey: (label, length, context) => this.machine.exportKey(label, length, context),
    };
  }

  status() {
    const { isUp, remote, lastHandshakeAt, handshakes, ...counts } = this.machine.status;
    const { bytesSent, bytesReceived, packetsSent, packetsReceived } = counts;
    const peer: PeerState = {
      publicKey: this.#peerKey,
      endpoint: remote,
      lastHandshakeAt,
      handshakes,
      bytesSent,
      bytesReceived,
      packetsSent,
      packetsReceived,
    };
    return { isUp, peers: [peer], drops: this.machine.drops };
  }

  told(event: Exclude<OpenVpnClientEvent, { readonly kind: "question" }>): void {
    const publicKey = this.#peerKey;
    switch (event.kind) {
      case "packets":
        break;
      case "connect":
        void this.#connect(event.remote);
        break;
      case "up":
      case "renewed": {
        const { peer } = event.outcome;
        if (peer?.kind === "certificate") {
          this.#peerKey = this.#host.crypto.hash("SHA-256").digest(peer.publicKey.spki);
        }
        if (event.kind === "up") {
          this.#inside = event.inside;
          this.#carrier.up(event.inside, outerOverhead(event.cipher, this.#file.auth));
          this.#settle?.resolve();
        }
        this.#on?.({ kind: "session", publicKey: this.#peerKey, initiator: true });
        break;
      }
      case "restarting":
        this.#on?.({ kind: "retrying", publicKey, failure: event.failure });
        break;
      case "notice":
        this.#on?.(event);
        break;
      case "failed":
        this.#settle?.reject(event.failure);
        this.#on?.(event);
        this.#carrier.over(event.failure);
        break;
    }
  }

  async #connect(index: number): Promise<void> {
    const remote = this.#remotes[index]!;
    try {
      const to = await this.port.connect(remote);
      this.#carrier.handle({ kind: "connected", to, transport: remote.transport });
    } catch (cause) {
      if (cause instanceof Failure && cause.reason === "aborted") return;
      const message = cause instanceof Error ? cause.message : "the network outside failed";
      const failure = openVpnFailure("no-remote", `${remote.host}:${remote.port}: ${message}`, { cause });
      this.#carrier.handle({ kind: "lost", failure });
    }
  }
}

const lost = (cause: Failure | undefined) =>
  openVpnFailure("transport-lost", "the connection to the server is gone", cause === undefined ? {} : { cause });

function credentialsOf({ credentials }: OvpnFile): Credentials | undefined {
  if (credentials === undefined) return undefined;
  if (credentials !== "ask" && credentials.password !== undefined) {
    return { user: credentials.user, password: credentials.password };
  }
  throw openVpnFailure("bad-configuration", "the server wants a user name and a password, and the file has none", {
    at: "auth-user-pass",
    hint: "give them by option, or from a file or the environment",
  });
}

/** In an order that the bytes decide. */
function shuffled<T>(all: readonly T[], bytes: Uint8Array): readonly T[] {
  const rest = [...all];
  return all.map((_, i) => rest.splice(bytes[i % bytes.length]! % rest.length, 1)[0]!);
}

type Defined<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

const definedOf = <T extends object>(all: T): Defined<T> =>
  Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Defined<T>;

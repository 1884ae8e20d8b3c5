import { formatAddress } from "../bytes/index.js";
import type { Failure, Host, Network, PacketPort, PacketSink, Secret, SocketAddress } from "../contract/index.js";
import {
  type Applicant,
  type ClientConfiguration,
  clientName,
  type GuestStatus,
  type OpenVpnServerEvent,
  type OpenVpnServerInput,
  type OvpnServerFile,
  openVpnFailure,
  outerOverhead,
  parseOvpnServer,
  type ReadNamed,
  serverTls,
} from "../protocols/openvpn/index.js";
import { DeviceTunnel } from "./device-tunnel.js";
import type { OpenedDevice, OpenedTunnel, PeerState, TunnelNotice } from "./opened.js";
import { listenOpenVpn, type OpenVpnServerOptions, ServerEnd, serverInnerMtu } from "./openvpn-server.js";
import type { PacketTap } from "./packet-tunnel.js";

export interface OpenVpnFileServerOptions {
  /** The network outside. Default: the host's own. */
  readonly network?: Network | undefined;
  /** Address outside to bind; the file's `local`, or any, by default. */
  readonly localAddress?: string | undefined;
  /** Reads what the file names beside itself. */
  readonly read?: ReadNamed | undefined;
  /** What unlocks the file's private key. */
  readonly passphrase?: Secret | undefined;
  /** Is this the user's password? Without it, whoever shows a certificate that the file trusts is let in, and nobody else. */
  readonly acceptUser?: ((user: string, password: Secret) => boolean | Promise<boolean>) | undefined;
  readonly name?: string | undefined;
  readonly tap?: PacketTap | undefined;
  readonly on?: ((notice: TunnelNotice) => void) | undefined;
}

/** Serves clients by an OpenVPN server's file, on a stack. Rejects with what is wrong with the file, or with the port outside. */
export async function serveOpenVpn(
  host: Host,
  source: string,
  options: OpenVpnFileServerOptions = {},
): Promise<OpenedTunnel> {
  const service = new Service(host, parseOvpnServer(source, options.read), options);
  const listener = await listenOpenVpn(host, service.options);
  service.clients = listener.clients;
  const { network, stack, local, handle, ping, close } = listener;
  return {
    ...service.face,
    name: options.name ?? "openvpn",
    network,
    stack,
    local,
    status: () => ({ ...service.status(), drops: listener.drops(), mtu: stack.mtu }),
    handshake: () => handle({ kind: "renegotiate" }),
    ping,
    close,
  };
}

export interface OpenVpnServerDeviceOptions extends OpenVpnFileServerOptions {
  /** Opens the device, for packets of up to `mtu` bytes. */
  readonly device: (mtu: number, sink: PacketSink) => Promise<PacketPort>;
  readonly ended?: ((failure: Failure | undefined) => void) | undefined;
}

/** The same between a device and the port outside. The device's addresses and routes are not set here. */
export async function serveOpenVpnDevice(
  host: Host,
  source: string,
  options: OpenVpnServerDeviceOptions,
): Promise<OpenedDevice> {
  const file = parseOvpnServer(source, options.read);
  const service = new Service(host, file, options);
  let device: PacketPort | undefined;
  let end: ServerEnd | undefined;
  const tunnel = new DeviceTunnel<OpenVpnServerInput, OpenVpnServerEvent>(
    host,
    (packets) => {
      end = new ServerEnd(host, service.options, packets);
      return end.machine;
    },
    { event: (event) => end!.told(event), answer: (question, signal) => end!.answer(question, signal) },
    (failure) => options.ended?.(failure),
    options.tap,
  );
  const { machine, outside } = end!;
  service.clients = () => machine.clients;
  const mtu = file.mtu === undefined ? serverInnerMtu : Math.min(file.mtu, serverInnerMtu);
  const local = await tunnel.open(
    async (sink) => {
      device = await options.device(mtu, sink);
      return device;
    },
    outside,
    service.options.local,
  );
  return {
    ...service.face,
    local,
    inside: () => ({
      addresses: file.addresses,
      routes: file.routes,
      table: undefined,
      overhead: outerOverhead("AES-256-GCM", file.auth),
      dns: [],
      searchDomains: [],
    }),
    status: () => ({ ...service.status(), drops: { ...machine.drops, ...device!.drops }, mtu }),
    handshake: () => tunnel.handle({ kind: "renegotiate" }),
    close: () => {
      tunnel.handle({ kind: "close" });
      tunnel.close();
    },
  };
}

/** What a file makes of a server: whom it lets in, with what, and what is told of them. */
class Service {
  readonly options: OpenVpnServerOptions;
  readonly face: Pick<OpenedTunnel, "protocol" | "publicKey" | "warnings">;
  /** Set once there is a server. */
  clients: () => readonly GuestStatus[] = () => [];
  readonly #file: OvpnServerFile;
  readonly #own: OpenVpnFileServerOptions;
  readonly #keyOf: (of: Pick<GuestStatus, "peer">) => Uint8Array;

  constructor(host: Host, file: OvpnServerFile, options: OpenVpnFileServerOptions) {
    const { acceptUser, network, localAddress, passphrase, name, tap } = options;
    if (file.clientCertificate !== "require" && acceptUser === undefined) {
      throw openVpnFailure("bad-configuration", "clients without certificates could be anybody", {
        at: "verify-client-cert",
        hint: "say `verify-client-cert require`, or open the server with acceptUser",
      });
    }
    this.#file = file;
    this.#own = options;
    const sha256 = host.crypto.hash("SHA-256");
    this.#keyOf = ({ peer }) => (peer?.kind === "certificate" ? sha256.digest(peer.publicKey.spki) : new Uint8Array(0));
    const tls = serverTls(host.crypto, file, passphrase);
    const { identity } = tls;
    const own = identity !== undefined && "publicKey" in identity ? sha256.digest(identity.publicKey.spki) : undefined;
    this.face = { protocol: "OpenVPN", publicKey: own ?? new Uint8Array(0), warnings: file.warnings };
    const any = file.family === 6 ? "::" : "0.0.0.0";
    this.options = {
      tls,
      local: { address: localAddress ?? file.localAddress ?? any, port: file.port },
      transport: file.transport,
      inside: file.addresses,
      pool: file.pool,
      control: file.control,
      auth: file.auth,
      clientToClient: file.clientToClient,
      oneOfAKey: !file.duplicateNames,
      renewal: file.renewal,
      push: file.push,
      fixed: (applicant) => this.#configurationOf(applicant)?.addresses ?? [],
      accept: (applicant, offered) => this.#accept(applicant, offered),
      on: (event) => this.#told(event),
      tap,
      ...(name !== undefined && { name }),
      ...(network && { network }),
      ...(file.replayWindow !== undefined && { replayWindow: file.replayWindow }),
      ...(file.dataCiphers && { dataCiphers: file.dataCiphers }),
      ...(file.clientsMax !== undefined && { clientsMax: file.clientsMax }),
      ...(file.pingMs !== undefined && { pingMs: file.pingMs }),
      ...(file.pingRestartMs !== undefined && { pingRestartMs: file.pingRestartMs }),
      ...(file.handshakeWindowMs !== undefined && { handshakeWindowMs: file.handshakeWindowMs }),
      ...(file.transitionWindowMs !== undefined && { transitionWindowMs: file.transitionWindowMs }),
    };
  }

  status() {
    const peers = this.clients().map((client): PeerState => {
      const { address: endpoint, lastHandshakeAt, handshakes } = client;
      const { bytesSent, bytesReceived, packetsSent, packetsReceived } = client;
      const counts = { bytesSent, bytesReceived, packetsSent, packetsReceived };
      return { publicKey: this.#keyOf(client), endpoint, lastHandshakeAt, handshakes, ...counts };
    });
    return { isUp: peers.length > 0, peers };
  }

  async #accept(applicant: Applicant, offered: { readonly addresses: GuestStatus["addresses"] }) {
    const { user, password, peer } = applicant;
    const { acceptUser } = this.#own;
    if (acceptUser !== undefined) {
      if (user === undefined || password === undefined || !(await acceptUser(user, password))) return undefined;
    } else if (peer === undefined) return undefined;
    const said = this.#configurationOf(applicant);
    if (said?.isDisabled || (said === undefined && this.#file.isExclusive)) return undefined;
    const { addresses } = offered;
    if (said === undefined) return { addresses, push: this.#file.push };
    return { addresses, routes: said.routes, push: [...(said.isReset ? [] : this.#file.push), ...said.push] };
  }

  #configurationOf(applicant: Applicant): ClientConfiguration | undefined {
    const name = clientName(applicant);
    return name === undefined ? undefined : this.#file.configurationOf(name);
  }

  #told(event: Parameters<NonNullable<OpenVpnServerOptions["on"]>>[0]): void {
    const on = this.#own.on;
    if (on === undefined || event.kind === "declined") return;
    if (event.kind === "moved") {
      const client = this.clients().find(({ peerId }) => peerId === event.peerId);
      if (client !== undefined) on({ kind: "moved", publicKey: this.#keyOf(client), from: event.from, to: event.to });
      return;
    }
    const publicKey = this.#keyOf(event.client);
    if (event.kind === "left") on({ kind: "expired", publicKey });
    else on({ kind: "session", publicKey, initiator: false });
    if (event.kind !== "renewed") on({ kind: "notice", text: about(event.kind, event.client) });
  }
}

function about(kind: "joined" | "left", client: GuestStatus): string {
  const inside = client.addresses.map(({ address }) => formatAddress(address)).join(", ");
  return `${clientName(client) ?? "a client"} ${kind}: ${inside}, from ${addressText(client.address)}`;
}

const addressText = ({ address, port }: SocketAddress): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

import { formatAddress, formatPrefix, toBase64 } from "../../bytes/index.js";
import type { Failure, Host, OuterFlow, Secret, SocketAddress } from "../../contract/index.js";
import { type ConfiguredDevice, configureDevice } from "../../hosts/node/device.js";
import { setNameServers } from "../../hosts/node/name-servers.js";
import { openTun } from "../../hosts/node/tun.js";
import {
  type FileWarning,
  type OpenedDevice,
  type OpenVpnDeviceOptions,
  openWireGuardDevice,
  type TunnelNotice,
} from "../../tunnels/index.js";
import { openVpnSecrets, type TunnelOptions } from "./open-tunnel.js";
import { looksLikeOvpn, looksLikeOvpnServer, looksLikeSwanctl, readKeySource, readTunnelFile } from "./source.js";
import { dropsThatHappened, peerStatuses, type TunnelStatus } from "./status.js";

export interface DeviceTunnelOptions
  extends Pick<TunnelOptions, "privateKey" | "credentials" | "passphrase" | "challenge" | "acceptUser"> {
  /** What the device is called: up to 15 letters and digits. */
  readonly device: string;
  /** A file for what passes, as `TunnelOptions` has it. */
  readonly pcapng?: string;
  readonly on?: (notice: TunnelNotice) => void;
  /** The device was taken away, or the port outside failed: the tunnel is down. */
  readonly ended?: (failure: Failure | undefined) => void;
}

/**
 * Opens a tunnel that is a device of the operating system, so that every program here goes through it, with the addresses,
 * MTU, routes and name servers of its file; `close` takes it down. Needs root, Linux, and iproute2. Rejects with `not-permitted`,
 * `not-supported`, `address-in-use` (the name), or what the file and the network outside make of it.
 */
export async function openDeviceTunnel(
  host: Host,
  source: string | URL,
  options: DeviceTunnelOptions,
): Promise<DeviceTunnel> {
  const { text, read } = readTunnelFile(source);
  const { device, on, ended, privateKey } = options;
  const capture =
    options.pcapng === undefined
      ? undefined
      : (await import("../../hosts/node/capture.js")).captureToFile(host, options.pcapng, { inside: device });
  let routing: ConfiguredDevice | undefined;
  const flows: OuterFlow[] = [];
  const opening = openBelow(capture?.host ?? host, text, {
    device: (mtu, sink) => openTun(device, mtu, sink),
    read,
    on,
    ended,
    challenge: options.challenge,
    acceptUser: options.acceptUser,
    tap: capture?.inside,
    outside: async (flow) => {
      flows.push(flow);
      await routing?.alsoOutside(flow);
    },
    privateKey: privateKey && readKeySource(privateKey),
    ...openVpnSecrets(options),
  });
  const below = await opening.catch(async (failure: unknown) => {
    await capture?.close();
    throw failure;
  });
  const { addresses, routes, table, overhead, dns, searchDomains } = below.inside();
  const undo: (() => Promise<void>)[] = [async () => below.close(), async () => capture?.close()];
  try {
    routing = await configureDevice({
      name: device,
      mtu: below.status().mtu,
      addresses: addresses.map(formatPrefix),
      routes: routes.map(networkOf),
      outside: flows.length > 0 ? [...flows] : [{ transport: "udp", port: below.local.port }],
      overhead,
      table,
    });
    undo.unshift(routing.takeBack);
    const told = dns.length > 0 ? await setNameServers({ device, servers: dns, searchDomains }) : undefined;
    if (told !== undefined) undo.unshift(told.takeBack);
    return new DeviceTunnel(device, below, told?.by, undo);
  } catch (error) {
    for (const each of undo) await each();
    throw error;
  }
}

type Below = OpenVpnDeviceOptions & {
  readonly acceptUser: TunnelOptions["acceptUser"] | undefined;
  readonly privateKey: Secret | undefined;
};

/** By what the file is. */
async function openBelow(host: Host, text: string, { privateKey, ...options }: Below): Promise<OpenedDevice> {
  if (looksLikeSwanctl(text)) {
    return (await import("../../tunnels/ipsec-device.js")).openIpsecDevice(host, text, options);
  }
  if (looksLikeOvpnServer(text)) {
    return (await import("../../tunnels/openvpn-server-file.js")).serveOpenVpnDevice(host, text, options);
  }
  if (looksLikeOvpn(text)) {
    return (await import("../../tunnels/openvpn-device.js")).openOpenVpnDevice(host, text, options);
  }
  const { device, on, ended, tap } = options;
  return openWireGuardDevice(host, text, {
    device,
    on: (event) => {
      if (event.kind !== "packets") on?.(event);
    },
    ...(tap && { tap }),
    ...(privateKey && { privateKey }),
    ...(ended && { ended }),
  });
}

/** A tunnel that is a device. */
export class DeviceTunnel implements AsyncDisposable {
  readonly device: string;
  readonly #below: OpenedDevice;
  /** By what the system was told of the file's name servers; undefined if it has none, or nothing could be told. */
  readonly nameServersBy: string | undefined;
  readonly #undo: readonly (() => Promise<void>)[];
  #closing: Promise<void> | undefined;

  constructor(
    device: string,
    below: OpenedDevice,
    nameServersBy: string | undefined,
    undo: readonly (() => Promise<void>)[],
  ) {
    this.device = device;
    this.#below = below;
    this.nameServersBy = nameServersBy;
    this.#undo = undo;
  }

  /** Our key as `TunnelPeerStatus` has it, in base64; empty if we have none. */
  get publicKey(): string {
    return toBase64(this.#below.publicKey);
  }

  /** The address outside. */
  get local(): SocketAddress {
    return this.#below.local;
  }

  get warnings(): readonly FileWarning[] {
    return this.#below.warnings;
  }

  /** Shakes hands with every peer whose endpoint is known, without waiting for traffic. */
  handshake(): void {
    this.#below.handshake();
  }

  /** What a device cannot know is left out: connections, round trips, loss. */
  status(): TunnelStatus {
    const { isUp, peers, drops, mtu } = this.#below.status();
    const last = Math.max(0, ...peers.map(({ lastHandshakeAt }) => lastHandshakeAt ?? 0));
    return {
      name: this.device,
      isUp: this.#closing === undefined && isUp,
      mtu,
      addresses: this.#below.inside().addresses.map(({ address }) => formatAddress(address)),
      peers: peerStatuses(peers),
      lastHandshakeAt: last || undefined,
      rttMs: undefined,
      lossRatio: undefined,
      connections: 0,
      drops: dropsThatHappened(drops),
    };
  }

  /** The name servers inside, by the file or by what a server pushed. */
  get nameServers(): readonly string[] {
    return this.#below.inside().dns;
  }

  /** Takes the device down, what it left in the rules of routing, and what the system was told of name servers. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    for (const each of this.#undo) await each();
  }
}

/** A prefix with its host bits at zero, as routes want it. */
function networkOf({ address, length }: { readonly address: Uint8Array; readonly length: number }): string {
  const network = address.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, length - 8 * i))) & 0xff);
  return formatPrefix({ address: network, length });
}

import { formatAddress, formatPrefix, toBase64 } from "../../bytes/index.js";
import type { Failure, Host, SocketAddress } from "../../contract/index.js";
import { configureDevice } from "../../hosts/node/device.js";
import { setNameServers } from "../../hosts/node/name-servers.js";
import { openTun } from "../../hosts/node/tun.js";
import { transportOverhead, type WgQuickWarning, type WireGuardEvent } from "../../protocols/wireguard/index.js";
import { openWireGuardDevice, type WireGuardDevice } from "../../tunnels/index.js";
import { sessionLifetimeMs } from "./limits.js";
import { type KeySource, readKeySource, readTunnelFile } from "./source.js";
import { dropsThatHappened, peerStatuses, type TunnelStatus } from "./status.js";

export interface DeviceTunnelOptions {
  /** What the device is called: up to 15 letters and digits. */
  readonly device: string;
  /** As `TunnelOptions` has it. */
  readonly privateKey?: KeySource;
  /** A file for what passes, as `TunnelOptions` has it. */
  readonly pcapng?: string;
  readonly on?: (event: Exclude<WireGuardEvent, { readonly kind: "question" }>) => void;
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
  const { text } = readTunnelFile(source);
  const privateKey = options.privateKey && readKeySource(options.privateKey);
  const capture =
    options.pcapng === undefined
      ? undefined
      : (await import("../../hosts/node/capture.js")).captureToFile(host, options.pcapng, { inside: options.device });
  const opening = openWireGuardDevice(capture?.host ?? host, text, {
    device: (mtu, sink) => openTun(options.device, mtu, sink),
    ...(capture && { tap: capture.inside }),
    ...(privateKey && { privateKey }),
    ...(options.on && { on: options.on }),
    ...(options.ended && { ended: options.ended }),
  });
  const below = await opening.catch(async (failure: unknown) => {
    await capture?.close();
    throw failure;
  });
  const { addresses, table, mtu, dns, searchDomains } = below.file.interface;
  const { device } = options;
  const undo: (() => Promise<void>)[] = [async () => below.close(), async () => capture?.close()];
  try {
    const routing = await configureDevice({
      name: device,
      mtu: mtu ?? below.status().mtu,
      addresses: addresses.map(formatPrefix),
      routes: below.file.peers.flatMap(({ allowedIps }) => allowedIps.map(networkOf)),
      port: below.local.port,
      overhead: transportOverhead,
      table,
    });
    undo.unshift(routing);
    const told = dns.length > 0 ? await setNameServers({ device, servers: dns, searchDomains }) : undefined;
    if (told !== undefined) undo.unshift(told.takeBack);
    return new DeviceTunnel(host, device, below, told?.by, undo);
  } catch (error) {
    for (const each of undo) await each();
    throw error;
  }
}

/** A tunnel that is a device. */
export class DeviceTunnel implements AsyncDisposable {
  readonly device: string;
  readonly #host: Host;
  readonly #below: WireGuardDevice;
  /** By what the system was told of the file's name servers; undefined if it has none, or nothing could be told. */
  readonly nameServersBy: string | undefined;
  readonly #undo: readonly (() => Promise<void>)[];
  #closing: Promise<void> | undefined;

  constructor(
    host: Host,
    device: string,
    below: WireGuardDevice,
    nameServersBy: string | undefined,
    undo: readonly (() => Promise<void>)[],
  ) {
    this.#host = host;
    this.device = device;
    this.#below = below;
    this.nameServersBy = nameServersBy;
    this.#undo = undo;
  }

  /** Our public key, in base64. */
  get publicKey(): string {
    return toBase64(this.#below.publicKey);
  }

  /** The UDP address outside. */
  get local(): SocketAddress {
    return this.#below.local;
  }

  get warnings(): readonly WgQuickWarning[] {
    return this.#below.file.warnings;
  }

  /** Shakes hands with every peer whose endpoint is known, without waiting for traffic. */
  handshake(): void {
    for (const { publicKey } of this.#below.file.peers) this.#below.handle({ kind: "initiate", publicKey });
  }

  /** What a device cannot know is left out: connections, round trips, loss. */
  status(): TunnelStatus {
    const { peers, drops, mtu } = this.#below.status();
    const last = Math.max(0, ...peers.map(({ lastHandshakeAt }) => lastHandshakeAt ?? 0));
    return {
      name: this.device,
      isUp: this.#closing === undefined && last > 0 && this.#host.now() - last < sessionLifetimeMs,
      mtu,
      addresses: this.#below.file.interface.addresses.map(({ address }) => formatAddress(address)),
      peers: peerStatuses(peers),
      lastHandshakeAt: last || undefined,
      rttMs: undefined,
      lossRatio: undefined,
      connections: 0,
      drops: dropsThatHappened(drops),
    };
  }

  /** The name servers of the file. */
  get nameServers(): readonly string[] {
    return this.#below.file.interface.dns;
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

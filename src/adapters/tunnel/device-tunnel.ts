import { formatAddress, formatPrefix, toBase64 } from "../../bytes/index.js";
import type { Failure, Host, SocketAddress } from "../../contract/index.js";
import { configureDevice } from "../../hosts/node/device.js";
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
  readonly on?: (event: Exclude<WireGuardEvent, { readonly kind: "question" }>) => void;
  /** The device was taken away, or the port outside failed: the tunnel is down. */
  readonly ended?: (failure: Failure | undefined) => void;
}

/**
 * Opens a tunnel that is a device of the operating system, so that every program here goes through it, with the addresses,
 * MTU and routes of its file; `close` takes it down. Needs root, Linux, and iproute2. Rejects with `not-permitted`,
 * `not-supported`, `address-in-use` (the name), or what the file and the network outside make of it.
 */
export async function openDeviceTunnel(
  host: Host,
  source: string | URL,
  options: DeviceTunnelOptions,
): Promise<DeviceTunnel> {
  const { text } = readTunnelFile(source);
  const privateKey = options.privateKey && readKeySource(options.privateKey);
  const below = await openWireGuardDevice(host, text, {
    device: (mtu, sink) => openTun(options.device, mtu, sink),
    ...(privateKey && { privateKey }),
    ...(options.on && { on: options.on }),
    ...(options.ended && { ended: options.ended }),
  });
  const { addresses, table, mtu } = below.file.interface;
  try {
    const takeBack = await configureDevice({
      name: options.device,
      mtu: mtu ?? below.status().mtu,
      addresses: addresses.map(formatPrefix),
      routes: below.file.peers.flatMap(({ allowedIps }) => allowedIps.map(networkOf)),
      port: below.local.port,
      overhead: transportOverhead,
      table,
    });
    return new DeviceTunnel(host, options.device, below, takeBack);
  } catch (error) {
    below.close();
    throw error;
  }
}

/** A tunnel that is a device. */
export class DeviceTunnel implements AsyncDisposable {
  readonly device: string;
  readonly #host: Host;
  readonly #below: WireGuardDevice;
  readonly #takeBack: () => Promise<void>;
  #closing: Promise<void> | undefined;

  constructor(host: Host, device: string, below: WireGuardDevice, takeBack: () => Promise<void>) {
    this.#host = host;
    this.device = device;
    this.#below = below;
    this.#takeBack = takeBack;
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

  /** Takes the device down, and what it left in the rules of routing. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#below.close();
    await this.#takeBack();
  }
}

/** A prefix with its host bits at zero, as routes want it. */
function networkOf({ address, length }: { readonly address: Uint8Array; readonly length: number }): string {
  const network = address.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, length - 8 * i))) & 0xff);
  return formatPrefix({ address: network, length });
}

import { type Failure, type Host, networkFailure, type PacketPort, type PacketSink } from "../contract/index.js";
import {
  parseWgQuick,
  transportOverhead,
  type WgQuickFile,
  WireGuard,
  type WireGuardEvent,
  type WireGuardInput,
} from "../protocols/wireguard/index.js";
import { DeviceTunnel } from "./device-tunnel.js";
import { EndpointNames, outsideFamily, withEndpoint } from "./endpoints.js";
import { mtuDefault } from "./limits.js";
import type { OpenedDevice } from "./opened.js";
import { isUp, type WireGuardTunnelOptions } from "./wireguard.js";

export interface WireGuardDeviceOptions
  extends Pick<WireGuardTunnelOptions, "network" | "localAddress" | "privateKey" | "acceptPeer" | "on" | "tap"> {
  /** Opens the device, for packets of up to `mtu` bytes. */
  readonly device: (mtu: number, sink: PacketSink) => Promise<PacketPort>;
  /** The device or the port outside is gone, and the tunnel with it. */
  readonly ended?: (failure: Failure | undefined) => void;
}

/** A WireGuard tunnel whose inside is a device of the operating system. */
export interface WireGuardDevice extends OpenedDevice {
  readonly file: WgQuickFile;
  handle(input: WireGuardInput): void;
}

/**
 * Brings up a tunnel from a wg-quick file between a device and a UDP port. The device's addresses and routes are not set
 * here. Rejects with `misuse/bad-configuration`, the device's refusal, or the outer network's failure.
 */
export async function openWireGuardDevice(
  host: Host,
  source: string | WgQuickFile,
  options: WireGuardDeviceOptions,
): Promise<WireGuardDevice> {
  const file = typeof source === "string" ? parseWgQuick(source) : source;
  const outside = options.network ?? host.network;
  const privateKey = options.privateKey ?? file.interface.privateKey;
  if (privateKey === undefined) {
    throw networkFailure("not-supported", "the file has no PrivateKey and none was given", {
      hint: "give the key by option, file or environment",
    });
  }
  const peers = await Promise.all(file.peers.map((peer) => withEndpoint(outside, peer)));
  const mtu = file.interface.mtu ?? mtuDefault;
  let machine: WireGuard | undefined;
  let device: PacketPort | undefined;
  const names = new EndpointNames(outside, file, (input) => tunnel.handle(input));
  const tunnel: DeviceTunnel<WireGuardInput, WireGuardEvent> = new DeviceTunnel<WireGuardInput, WireGuardEvent>(
    host,
    (packets) => {
      machine = new WireGuard(
        {
          crypto: host.crypto,
          entropy: host.entropy,
          privateKey,
          peers,
          mtu,
          source: packets,
          acceptUnknownPeers: options.acceptPeer !== undefined,
          ...(host.keyLog && { keyLog: host.keyLog }),
        },
        host.now(),
      );
      return machine;
    },
    {
      event: (event) => {
        if (event.kind === "retrying") names.lookUpAgain(event.publicKey);
        options.on?.(event);
      },
      ...(options.acceptPeer && {
        answer: (question, signal) => options.acceptPeer!(question, signal),
      }),
    },
    (failure) => options.ended?.(failure),
    options.tap,
  );
  const local = await tunnel.open(
    async (sink) => {
      device = await options.device(mtu, sink);
      return device;
    },
    outside,
    { address: options.localAddress ?? outsideFamily(peers), port: file.interface.listenPort ?? 0 },
  );
  return {
    publicKey: machine!.publicKey,
    local,
    file,
    protocol: "WireGuard",
    warnings: file.warnings,
    inside: () => ({
      addresses: file.interface.addresses,
      routes: file.peers.flatMap(({ allowedIps }) => allowedIps),
      table: file.interface.table,
      overhead: transportOverhead,
      dns: file.interface.dns,
      searchDomains: file.interface.searchDomains,
    }),
    status: () => {
      const peers = machine!.status();
      return { isUp: isUp(peers, host.now()), peers, drops: { ...machine!.drops, ...device!.drops }, mtu };
    },
    handshake: () => {
      for (const { publicKey } of file.peers) tunnel.handle({ kind: "initiate", publicKey });
    },
    handle: (input) => tunnel.handle(input),
    close: () => {
      tunnel.handle({ kind: "close" });
      tunnel.close();
    },
  };
}

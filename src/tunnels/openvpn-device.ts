import type { Failure, Host, PacketPort, PacketSink } from "../contract/index.js";
import {
  type OpenVpnClientEvent,
  type OpenVpnClientInput,
  type OvpnFile,
  parseOvpn,
} from "../protocols/openvpn/index.js";
import { DeviceTunnel } from "./device-tunnel.js";
import { outerPacketSize } from "./limits.js";
import type { OpenedDevice } from "./opened.js";
import { ClientEnd, type OpenVpnOptions } from "./openvpn.js";
import type { PacketTap } from "./packet-tunnel.js";

export interface OpenVpnDeviceOptions extends OpenVpnOptions {
  /** Opens the device, for packets of up to `mtu` bytes. */
  readonly device: (mtu: number, sink: PacketSink) => Promise<PacketPort>;
  /** Sees the packets inside, decrypted. */
  readonly tap?: PacketTap | undefined;
  /** The device is gone, or the tunnel has given up. */
  readonly ended?: ((failure: Failure | undefined) => void) | undefined;
}

/**
 * Opens a tunnel from an OpenVPN file between a device and the port outside, and answers when the server has told what the
 * inside is like. The device's addresses and routes are not set here. Rejects as `openOpenVpn`, and with the device's refusal.
 */
export async function openOpenVpnDevice(
  host: Host,
  source: string | OvpnFile,
  options: OpenVpnDeviceOptions,
): Promise<OpenedDevice> {
  const file = typeof source === "string" ? parseOvpn(source, options.read) : source;
  let device: PacketPort | undefined;
  let overhead = 0;
  let mtu = file.inside.mtu ?? outerPacketSize;
  let end: ClientEnd | undefined;
  const tunnel: DeviceTunnel<OpenVpnClientInput, OpenVpnClientEvent> = new DeviceTunnel<
    OpenVpnClientInput,
    OpenVpnClientEvent
  >(
    host,
    (packets) => {
      end = new ClientEnd(host, file, options, {
        source: packets,
        mtu,
        handle: (input) => tunnel.handle(input),
        up: (inside, around) => {
          overhead = around;
          mtu = Math.min(mtu, inside.mtu ?? mtu, outerPacketSize - around);
        },
        over: (failure) => {
          options.ended?.(failure);
          tunnel.close();
        },
      });
      return end.machine;
    },
    { event: (event) => end!.told(event), answer: (question, signal) => end!.answer(question, signal) },
    (failure) => options.ended?.(failure),
    options.tap,
  );
  const client = end!;
  try {
    await tunnel.open(
      async (sink) => {
        device = await options.device(mtu, sink);
        return device;
      },
      client.port,
      client.port.local,
    );
    await client.opened;
  } catch (failure) {
    tunnel.close();
    throw failure;
  }
  return {
    ...client.face,
    get local() {
      return client.port.local;
    },
    inside: () => {
      const { addresses, routes, redirect4, redirect6, dns, searchDomains } = client.face.inside();
      const everything = [...(redirect4 ? [any4] : []), ...(redirect6 ? [any6] : [])];
      return { addresses, routes: [...routes, ...everything], table: undefined, overhead, dns, searchDomains };
    },
    status: () => {
      const { isUp, peers, drops } = client.status();
      return { isUp, peers, drops: { ...drops, ...device!.drops }, mtu };
    },
    handshake: () => tunnel.handle({ kind: "renegotiate" }),
    close: () => {
      tunnel.handle({ kind: "close" });
      tunnel.close();
    },
  };
}

const any4 = { address: new Uint8Array(4), length: 0 };
const any6 = { address: new Uint8Array(16), length: 0 };

import type { Failure, Host, PacketPort, PacketSink, SocketAddress } from "../contract/index.js";
import { parseSwanctl, type SwanctlFile } from "../protocols/ikev2/index.js";
import { DeviceTunnel } from "./device-tunnel.js";
import { IpsecEnd, type IpsecOptions, whereIs } from "./ipsec.js";
import type { IpsecEvent, IpsecInput } from "./ipsec-machine.js";
import { outerPacketSize } from "./limits.js";
import type { OpenedDevice } from "./opened.js";
import type { PacketTap } from "./packet-tunnel.js";

export interface IpsecDeviceOptions extends IpsecOptions {
  /** Opens the device, for packets of up to `mtu` bytes. */
  readonly device: (mtu: number, sink: PacketSink) => Promise<PacketPort>;
  /** Sees the packets inside, decrypted. */
  readonly tap?: PacketTap | undefined;
  /** The device is gone, or the tunnel has given up. */
  readonly ended?: ((failure: Failure | undefined) => void) | undefined;
}

/**
 * Opens a tunnel from a swanctl.conf between a device and the port outside, and answers when the gateway has agreed on what the
 * inside is like. The device's addresses and routes are not set here. Rejects as `openIpsec`, and with the device's refusal.
 */
export async function openIpsecDevice(
  host: Host,
  source: string | SwanctlFile,
  options: IpsecDeviceOptions,
): Promise<OpenedDevice> {
  const file = typeof source === "string" ? parseSwanctl(source, options) : source;
  const outside = options.network ?? host.network;
  const remote = await whereIs(outside, file);
  let device: PacketPort | undefined;
  let mtu = outerPacketSize;
  let made: IpsecEnd | undefined;
  const tunnel: DeviceTunnel<IpsecInput, IpsecEvent> = new DeviceTunnel<IpsecInput, IpsecEvent>(
    host,
    (packets) => {
      made = new IpsecEnd(host, file, remote, options, {
        source: packets,
        handle: (input) => tunnel.handle(input),
        up: (inside) => {
          mtu = inside.mtu;
        },
        over: (failure) => {
          options.ended?.(failure);
          tunnel.close();
        },
      });
      return made.machine;
    },
    { event: (event) => made!.told(event), answer: (question, signal) => made!.answer(question, signal) },
    (failure) => options.ended?.(failure),
    options.tap,
  );
  const end = made!;
  let local: SocketAddress;
  try {
    local = await tunnel.open(
      async (sink) => {
        device = await options.device(mtu, sink);
        return device;
      },
      outside,
      end.bind,
    );
    end.connect();
    await end.opened;
  } catch (failure) {
    end.close();
    tunnel.close();
    throw failure;
  }
  return {
    ...end.face,
    publicKey: end.publicKey,
    local,
    inside: () => {
      const { addresses, routes, dns, searchDomains } = end.face.inside();
      return { addresses, routes, table: undefined, overhead: outerPacketSize - mtu, dns, searchDomains };
    },
    status: () => {
      const { isUp, peers, drops } = end.status();
      return { isUp, peers, drops: { ...drops, ...device!.drops }, mtu };
    },
    close: () => {
      end.close();
      tunnel.handle({ kind: "close" });
      tunnel.close();
    },
  };
}

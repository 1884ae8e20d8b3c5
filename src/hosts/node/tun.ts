import { networkFailure, type PacketPort, type PacketSink } from "../../contract/index.js";
import { chooseDatagrams } from "./datagram-path.js";
import { openNativeTun } from "./native/tun.js";

/**
 * Opens a TUN device. It carries packets when it is up and has addresses: `configureDevice` does that. Rejects with
 * `not-permitted` without root, with `not-supported` where the native path is not to be had.
 */
export async function openTun(name: string, mtu: number, sink: PacketSink): Promise<PacketPort> {
  const { native, reason } = await chooseDatagrams();
  if (native === undefined) {
    throw networkFailure("not-supported", `a TUN device needs the native path: ${reason}`, {
      hint: "it needs Linux on x64 or arm64, and the optional package koffi",
    });
  }
  return openNativeTun(native, name, mtu, sink);
}

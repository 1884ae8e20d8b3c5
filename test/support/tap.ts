import type { PacketPort, PacketSink } from "../../src/contract/index.js";
import { chooseDatagrams } from "../../src/hosts/node/datagram-path.js";
import { linux, systemError } from "../../src/hosts/node/native/libc.js";
import { Scratch } from "../../src/hosts/node/native/memory.js";

const IFF_TAP = 2;
const ethernetHeaderSize = 14;
const frameAt = 64;

/** A TAP device of the kernel's: what a TUN device is for packets, for Ethernet frames. Gone when it is closed. */
export async function openTap(name: string, mtu: number, sink: PacketSink): Promise<PacketPort> {
  const { native, reason } = await chooseDatagrams();
  if (native === undefined) throw new Error(`a TAP device needs the native path: ${reason}`);
  const { libc } = native;
  const { call, memory } = libc;
  const descriptor = libc.open("/dev/net/tun", linux.O_RDWR | linux.O_NONBLOCK | linux.O_CLOEXEC);
  if (descriptor < 0) throw systemError(libc.errno(), "/dev/net/tun");
  const request = new Scratch(memory, 40); // struct ifreq
  request.bytes.set(new TextEncoder().encode(name));
  const flags = IFF_TAP | linux.IFF_NO_PI;
  request.bytes.set([flags & 255, flags >> 8], 16);
  if (call.ioctl(descriptor, linux.TUNSETIFF, request.address) < 0) throw systemError(libc.errno(), "TUNSETIFF");

  const arrived = new Scratch(memory, mtu + ethernetHeaderSize);
  // One piece of a `writev`, and behind it the frame.
  const leaving = new Scratch(memory, frameAt + mtu + ethernetHeaderSize);
  const piece = new DataView(leaving.bytes.buffer, leaving.bytes.byteOffset);
  const drops = { "not-taken": 0 };
  const watch = native.watch(descriptor, () => sink.readable());
  return {
    name,
    mtu,
    drops,
    pull: (into, at) => {
      const size = call.read(descriptor, arrived.address, arrived.bytes.length);
      if (size <= 0) return 0;
      into.set(arrived.bytes.subarray(0, size), at);
      return size;
    },
    send: (bytes, ranges, count) => {
      for (let i = 0; i < count; i++) {
        const frame = bytes.subarray(ranges[2 * i], ranges[2 * i + 1]);
        leaving.bytes.set(frame, frameAt);
        piece.setBigUint64(0, BigInt(leaving.address + frameAt), true);
        piece.setBigUint64(8, BigInt(frame.length), true);
        if (call.writev(descriptor, leaving.address, 1) < 0) drops["not-taken"]++;
      }
    },
    close: () => {
      watch.close();
      call.close(descriptor);
    },
    ref: () => watch.ref(),
    unref: () => watch.unref(),
  };
}

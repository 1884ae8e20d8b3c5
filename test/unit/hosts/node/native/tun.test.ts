import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { readdirSync } from "node:fs";
import { after, test } from "node:test";
import type { Failure, PacketPort, PacketSink } from "../../../../../src/contract/index.js";
import { configureDevice } from "../../../../../src/hosts/node/device.js";
import { openTun } from "../../../../../src/hosts/node/tun.js";

/** Devices of this machine, for which the tests run as root. Nothing but what is sent here goes into them. */
let count = 0;
const open: PacketPort[] = [];
after(() => {
  for (const each of open) each.close();
});

class Heard implements PacketSink {
  readable(): void {
    this.told++;
    this.onReadable();
  }
  closed(failure?: Failure): void {
    this.ends.push(failure);
  }
  told = 0;
  readonly ends: (Failure | undefined)[] = [];
  onReadable = (): void => {};
}

async function device(mtu = 1_420) {
  const id = process.pid % 100_000;
  const name = `spu${id}x${count}`;
  const net = (id + 17 * count++) % 250;
  const heard = new Heard();
  const port = await openTun(name, mtu, heard);
  open.push(port);
  // A kernel greets every new link.
  heard.onReadable = () => void pullAll(port);
  const [kernel, far] = [`10.203.${net}.1`, `10.203.${net}.2`];
  await configureDevice({ name, mtu, addresses: [`${kernel}/24`], routes: [], outside: [], overhead: 0 });
  return { port, heard, name, kernel, far };
}

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2));
};

/** Sends a datagram of so many bytes from the kernel into the device. */
function send(to: string, size: number): Promise<void> {
  const socket = createSocket("udp4");
  return new Promise((resolve, reject) => {
    socket.send(new Uint8Array(size).fill(7), 9, to, (error) => {
      socket.close();
      if (error) reject(error);
      else resolve();
    });
  });
}

/** UDP packets to port 9 among those that wait. */
function pullAll(port: PacketPort, into = new Uint8Array(65_536)): Uint8Array[] {
  const pulled: Uint8Array[] = [];
  for (let size = port.pull(into, 16); size > 0; size = port.pull(into, 16)) pulled.push(into.slice(16, 16 + size));
  return pulled.filter((packet) => packet[0] === 0x45 && packet[9] === 17 && packet[23] === 9);
}

test("what the kernel sends is pulled, and an answer reaches its socket", async () => {
  const { port, heard, kernel, far } = await device();
  const got: Uint8Array[] = [];
  heard.onReadable = () => void got.push(...pullAll(port));
  const socket = createSocket("udp4");
  const answered = new Promise<Buffer>((resolve) => socket.once("message", resolve));
  await new Promise<void>((resolve) => socket.bind(0, kernel, resolve));
  socket.send("hello", 9, far);
  await until(() => got.length > 0);
  const packet = got[0]!;
  // Addresses and ports change places, which leaves both checksums as they are.
  const [source, destination] = [packet.slice(12, 16), packet.slice(16, 20)];
  const [from, to] = [packet.slice(20, 22), packet.slice(22, 24)];
  packet.set(destination, 12);
  packet.set(source, 16);
  packet.set(to, 20);
  packet.set(from, 22);
  port.send(packet, Uint32Array.of(0, packet.length), 1);
  assert.equal((await answered).toString(), "hello");
  socket.close();
});

test("while nobody pulls the loop is not told again and again, and nothing is lost", async () => {
  const { port, heard, far } = await device();
  heard.onReadable = () => {};
  const before = heard.told;
  await send(far, 100);
  await until(() => heard.told > before);
  const { told } = heard;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(heard.told <= told + 1, `told ${heard.told - told} times more`);
  await send(far, 100);
  assert.equal(pullAll(port).length, 2);
  const pulled: Uint8Array[] = [];
  heard.onReadable = () => void pulled.push(...pullAll(port));
  await send(far, 100);
  await until(() => pulled.length > 0);
});

test("a packet beyond the MTU that was agreed on, or beyond the room, is dropped and counted", async () => {
  const { port, heard, name, far } = await device();
  const pulled: Uint8Array[] = [];
  heard.onReadable = () => void pulled.push(...pullAll(port));
  execFileSync("ip", ["link", "set", name, "mtu", "3000"]);
  await send(far, 2_000);
  await until(() => port.drops["too-big"]! > 0);
  await send(far, 1_000);
  await until(() => pulled.length > 0);
  heard.onReadable = () => void pullAll(port, new Uint8Array(600));
  await send(far, 1_000);
  await until(() => port.drops["too-big"]! > 1);
  assert.equal(pulled.length, 1);
});

test("a range outside of its memory is refused before the kernel sees it", async () => {
  const { port } = await device();
  const bytes = new Uint8Array(100);
  bytes.set([0x45, 0, 0, 100]);
  assert.throws(() => port.send(bytes, Uint32Array.of(0, 101), 1), RangeError);
  assert.throws(() => port.send(bytes, Uint32Array.of(50, 50), 1), RangeError);
  assert.throws(() => port.send(bytes.subarray(0, 0), Uint32Array.of(0, 20), 1), RangeError);
  const moved = new Uint8Array(100);
  structuredClone(moved, { transfer: [moved.buffer] });
  assert.throws(() => port.send(moved, Uint32Array.of(0, 40), 1), RangeError);
  // What is no IP packet the kernel refuses; nothing else comes of it.
  port.send(new Uint8Array(100), Uint32Array.of(0, 40), 1);
  assert.equal(port.drops["not-taken"], 1);
});

test("a device that somebody takes away ends with a failure; one that is closed with none, once, and is gone", async () => {
  const taken = await device();
  taken.heard.onReadable = () => void pullAll(taken.port);
  execFileSync("ip", ["link", "del", taken.name]);
  await until(() => taken.heard.ends.length > 0);
  assert.ok(taken.heard.ends[0] !== undefined);
  const before = readdirSync("/proc/self/fd").length;
  const closed = await device();
  closed.port.close();
  closed.port.close();
  await until(() => closed.heard.ends.length > 0);
  assert.deepEqual(closed.heard.ends, [undefined]);
  assert.throws(() => execFileSync("ip", ["link", "show", closed.name], { stdio: "ignore" }));
  assert.equal(readdirSync("/proc/self/fd").length, before);
  // Afterwards there is only silence.
  assert.equal(closed.port.pull(new Uint8Array(2_000), 0), 0);
  closed.port.send(new Uint8Array(40), Uint32Array.of(0, 40), 1);
});

test("a device that is taken down for a while goes on when it is up again", async () => {
  const { port, heard, name, far } = await device();
  const pulled: Uint8Array[] = [];
  heard.onReadable = () => void pulled.push(...pullAll(port));
  execFileSync("ip", ["link", "set", name, "down"]);
  const packet = new Uint8Array(40);
  packet.set([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17]);
  port.send(packet, Uint32Array.of(0, 40), 1);
  assert.equal(port.drops["not-taken"], 1);
  execFileSync("ip", ["link", "set", name, "up"]);
  await send(far, 100);
  await until(() => pulled.length > 0);
  assert.deepEqual(heard.ends, []);
});

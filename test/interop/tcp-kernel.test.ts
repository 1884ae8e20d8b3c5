import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { after, test } from "node:test";
import { promisify } from "node:util";
import type { StreamPort, StreamSink } from "../../src/contract/index.js";
import { configureDevice } from "../../src/hosts/node/device.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import type { TcpListener } from "../../src/stack/index.js";
import { halfOpenMax } from "../../src/stack/limits.js";
import { DeviceStack, type Impairment } from "../support/device-stack.js";
import { forge, Syn } from "../support/packets.js";

/** Our TCP judged by the Linux kernel's, directly: the kernel is one end of a TUN device, our stack the other. */
const host = nodeHost();
let devices = 0;
const open: DeviceStack[] = [];
after(() => {
  for (const each of open) each.close();
});

interface Place {
  readonly behind: DeviceStack;
  readonly kernel: { readonly 4: string; readonly 6: string };
  readonly ours: { readonly 4: string; readonly 6: string };
}

async function place(impairment: Impairment): Promise<Place> {
  const id = process.pid % 100_000;
  const net = `${(id + 31 * devices) % 250}`;
  const name = `spk${id}x${devices++}`;
  const kernel = { 4: `10.202.${net}.1`, 6: `fd02:${net}::1` };
  const ours = { 4: `10.202.${net}.2`, 6: `fd02:${net}::2` };
  const behind = await DeviceStack.open(host, name, [`${ours[4]}/24`, `${ours[6]}/64`], impairment);
  open.push(behind);
  const addresses = [`${kernel[4]}/24`, `${kernel[6]}/64`];
  await configureDevice({ name, mtu: 1_420, addresses, routes: [], outside: [], overhead: 0 });
  return { behind, kernel, ours };
}

const pattern = host.entropy.fill(new Uint8Array(1 << 16));
const hashOf = (size: number): string => {
  const hash = createHash("sha256");
  for (let left = size; left > 0; left -= pattern.length)
    hash.update(pattern.subarray(0, Math.min(left, pattern.length)));
  return hash.digest("hex");
};

/** Our end: hears to the end, and sends `size` bytes. */
class OurEnd implements StreamSink {
  readonly #hash = createHash("sha256");
  #port: StreamPort | undefined;
  #left: number;
  readonly heard: Promise<string>;
  readonly over: Promise<void>;
  #settle: (digest: string) => void = () => {};
  #close: { resolve: () => void; reject: (reason: unknown) => void } | undefined;

  constructor(size: number) {
    this.#left = size;
    this.heard = new Promise((resolve) => (this.#settle = resolve));
    this.over = new Promise((resolve, reject) => (this.#close = { resolve, reject }));
  }

  attach(port: StreamPort): this {
    this.#port = port;
    return this;
  }

  opened(): void {
    this.drained();
  }

  bytes(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  ended(): void {
    this.#settle(this.#hash.digest("hex"));
  }

  drained(): void {
    for (let goesOn = true; goesOn && this.#left > 0; ) {
      const size = Math.min(this.#left, pattern.length);
      this.#left -= size;
      goesOn = this.#port!.write(pattern.subarray(0, size));
    }
    if (this.#left === 0) {
      this.#left = -1;
      this.#port!.finish();
    }
  }

  closed(failure?: Error): void {
    if (failure) this.#close!.reject(failure);
    else this.#close!.resolve();
  }
}

/** The kernel's end: the same. */
async function kernelEnd(socket: Socket, size: number): Promise<string> {
  const hash = createHash("sha256");
  socket.on("data", (bytes) => hash.update(bytes));
  const ended = new Promise<string>((resolve, reject) => {
    socket.once("error", reject).once("end", () => resolve(hash.digest("hex")));
  });
  for (let left = size; left > 0; left -= pattern.length) {
    const isRoomy = socket.write(pattern.subarray(0, Math.min(left, pattern.length)));
    if (!isRoomy) await new Promise((resolve) => socket.once("drain", resolve));
  }
  socket.end();
  return ended;
}

/** One connection; both ends send their part, half-close, and hear the other's. */
async function converse(
  at: Place,
  family: 4 | 6,
  opener: "we" | "the kernel",
  up: number,
  down: number,
): Promise<void> {
  const end = new OurEnd(up);
  let told: Promise<string>;
  if (opener === "we") {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, at.kernel[family], resolve));
    const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
    const { port } = server.address() as AddressInfo;
    end.attach(at.behind.network.connectStream({ address: at.kernel[family], port }, end));
    told = kernelEnd(await accepted, down);
    server.close();
  } else {
    const listener = await at.behind.network.listenStreams({ address: at.ours[family], port: 0 }, (port) =>
      end.attach(port),
    );
    const socket = connect({ host: at.ours[family], port: listener.local.port, allowHalfOpen: true });
    told = kernelEnd(socket, down);
    await Promise.race([end.heard, told]);
    await listener.close();
  }
  assert.equal(await told, hashOf(up), "what the kernel heard");
  assert.equal(await end.heard, hashOf(down), "what we heard");
  await end.over;
}

const impairments: Readonly<Record<string, Impairment>> = {
  "an even link": {},
  "1 % loss": { loss: 0.01 },
  reordering: { late: 0.05, lateMs: 3, delayMs: 1 },
  duplication: { duplicate: 0.05 },
  "20 ms, with loss, reordering and duplication": { delayMs: 10, loss: 0.005, late: 0.02, lateMs: 8, duplicate: 0.01 },
};

for (const [title, impairment] of Object.entries(impairments)) {
  const size = title === "an even link" ? 64 << 20 : 3 << 20;
  test(`our TCP and the kernel's carry data both ways, in both roles, over IPv4 and IPv6: ${title}`, async () => {
    const at = await place(impairment);
    await converse(at, 4, "we", size, 0);
    await converse(at, 6, "we", 0, size);
    await converse(at, 6, "the kernel", size, 0);
    await converse(at, 4, "the kernel", 0, size);
    await converse(at, 4, "we", size / 2, size / 2);
    assert.equal(at.behind.stack.drops["bad-checksum"], 0);
    assert.equal(at.behind.stack.drops.malformed, 0);
  });
}

test("a connection of the kernel's, made by a SYN cookie under a flood, has window scale, SACK and timestamps", async (t) => {
  const at = await place({ loss: 0.01 });
  const { behind, ours, kernel } = at;
  const { stack, network } = behind;
  let listener: TcpListener | undefined;
  const listen = stack.listen.bind(stack);
  stack.listen = (...args) => (listener = listen(...args));
  const size = 3 << 20;
  const end = new OurEnd(size);
  const { local, close } = await network.listenStreams({ address: ours[4], port: 0 }, (port) => end.attach(port));
  const base = kernel[4].slice(0, kernel[4].lastIndexOf("."));
  for (let i = 0; i < halfOpenMax; i++) {
    const from = `${base}.${100 + (i & 63)}`;
    const bytes = forge({
      from,
      to: ours[4],
      sourcePort: 2_000 + i,
      destinationPort: local.port,
      sequence: i,
      flags: Syn,
    });
    stack.handle({ kind: "packets", bytes, ranges: Uint32Array.of(0, bytes.length), count: 1 }, host.now());
  }
  behind.touched();
  assert.ok(listener?.isCrowded);
  const socket = connect({ host: ours[4], port: local.port, allowHalfOpen: true });
  t.after(() => socket.destroy());
  await once(socket, "connect");
  const { stdout } = await promisify(execFile)("ss", ["-tinoH", "dst", `${ours[4]}:${local.port}`]);
  assert.match(stdout, /\bts sack\b.* wscale:7,\d/);
  assert.ok(listener.isCrowded, "the strangers are still half open");
  const told = kernelEnd(socket, size);
  assert.equal(await told, hashOf(size), "what the kernel heard");
  assert.equal(await end.heard, hashOf(size), "what we heard");
  await end.over;
  await close();
});

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from "node:net";
import { after, test } from "node:test";
import { type OpenDeviceNetwork, openDeviceNetwork } from "../../src/adapters/tunnel/index.js";
import { toHex } from "../../src/bytes/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { connect, listen, type TcpcryptFailure, type TcpcryptSession } from "../../src/protocols/tcpcrypt/index.js";
import { Ear, pattern } from "../support/tcpcrypt-pair.js";

/** tcpcrypt on real IP: our stack behind a TUN device, and on its other side the Linux kernel, as a peer and as a router. */
const host = nodeHost();
let devices = 0;
const open: OpenDeviceNetwork[] = [];
after(async () => {
  for (const each of open) await each.close();
});

interface Place {
  readonly device: string;
  readonly behind: OpenDeviceNetwork;
  readonly kernel: string;
  readonly ours: string;
}

async function place(): Promise<Place> {
  const id = process.pid % 100_000;
  const net = `10.203.${(id + 31 * devices) % 250}`;
  const device = `spc${id}x${devices++}`;
  const [kernel, ours] = [`${net}.1`, `${net}.2`];
  const behind = await openDeviceNetwork(host, {
    device,
    addresses: [`${ours}/24`],
    kernelAddresses: [`${kernel}/24`],
  });
  open.push(behind);
  return { device, behind, kernel, ours };
}

/** Polls: what is waited for has no event. */
async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    assert.ok(tries < 3_000, "it never came to pass");
    await new Promise((again) => setTimeout(again, 10));
  }
}

const size = 300_000;

/** The kernel's end: gives back what it hears. */
function echo(socket: Socket): void {
  socket.on("error", () => {}).pipe(socket);
}

test("a kernel that has never heard of option 69 is a plain peer for who is opportunistic, and refused otherwise", async () => {
  const { behind, kernel } = await place();
  const sockets: Socket[] = [];
  let heard = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on("data", (bytes) => (heard += bytes.length));
    echo(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, kernel, resolve));
  const remote = { address: kernel, port: (server.address() as AddressInfo).port };
  const plain = new Ear();
  const session = connect(host, remote, { opportunistic: true }, plain, { network: behind.network });
  for (let at = 0; at < size; at += 10_000) session.write(pattern(10_000, at));
  session.finish();
  await until(() => plain.isOver);
  assert.deepEqual(plain.outcome, { encrypted: false, reason: "no-option", peerAware: false });
  assert.deepEqual([plain.failure, plain.received, plain.isRight, heard], [undefined, size, true, size]);
  const strict = new Ear();
  connect(host, remote, {}, strict, { network: behind.network }).write(pattern(100));
  await until(() => strict.isOver);
  const { reason, at } = strict.failure as TcpcryptFailure;
  assert.deepEqual([reason, at], ["not-negotiated", "no-option"]);
  await until(() => sockets.every(({ destroyed }) => destroyed));
  assert.equal(heard, size, "the kernel heard no byte of who was refused");
  server.close();
});

test("a kernel dials: plain where that is welcome, a reset where it is not", async () => {
  const { behind, ours } = await place();
  for (const opportunistic of [true, false]) {
    const ear = new Ear(true);
    const accept = (session: TcpcryptSession) => {
      ear.session = session;
      return ear;
    };
    const local = { address: ours, port: 0 };
    const listener = await listen(host, local, { opportunistic }, accept, { network: behind.network });
    const socket = connectTcp({ host: ours, port: listener.local.port, allowHalfOpen: true });
    let heard = 0;
    socket.on("data", (bytes) => (heard += bytes.length));
    const ended = once(socket, opportunistic ? "end" : "error");
    socket.end(pattern(5_000));
    const [error] = await ended;
    await until(() => ear.isOver);
    if (opportunistic) assert.deepEqual([heard, ear.received, ear.isRight], [5_000, 5_000, true]);
    else {
      assert.match(String(error), /ECONNRESET|EPIPE/);
      assert.deepEqual([(ear.failure as TcpcryptFailure).reason, ear.received, heard], ["not-negotiated", 0, 0]);
    }
    await listener.close();
  }
});

test("two of our stacks behind two devices: the kernel routes between them, and reads none of it", async () => {
  const [a, b] = [await place(), await place()];
  for (const { device } of [a, b]) {
    execFileSync("sysctl", ["-qw", `net.ipv4.conf.${device}.forwarding=1`, `net.ipv4.conf.${device}.rp_filter=0`]);
  }
  const ears = [new Ear(), new Ear(true)] as const;
  const listener = await listen(
    host,
    { address: b.ours, port: 0 },
    {},
    (session) => {
      ears[1].session = session;
      return ears[1];
    },
    { network: b.behind.network },
  );
  const remote = { address: b.ours, port: listener.local.port };
  const session = connect(host, remote, {}, ears[0], { network: a.behind.network });
  for (let at = 0; at < size; at += 10_000) session.write(pattern(10_000, at));
  await until(() => ears[0].outcome !== undefined);
  session.updateKeys();
  session.finish();
  await until(() => ears[0].isOver && ears[1].isOver);
  assert.deepEqual([ears[0].failure, ears[1].failure], [undefined, undefined]);
  assert.deepEqual([ears[0].received, ears[1].received, ears[0].isRight], [size, size, true]);
  assert.equal(toHex(session.sessionId), toHex(ears[1].session!.sessionId));
  await listener.close();
});

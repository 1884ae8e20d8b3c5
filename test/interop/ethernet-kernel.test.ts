import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { formatAddress, parseAddress } from "../../src/bytes/index.js";
import { Failure, type Host, type StreamPort } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { DeviceStack } from "../support/device-stack.js";
import { ip, listening, Namespaces } from "./peers/namespaces.js";

/**
 * Our stack over Ethernet judged by the Linux kernel, directly: a TAP device in a namespace, whose other side is our link. The
 * kernel asks for us by ARP and Neighbour Discovery, and we for it.
 */
const real = nodeHost();
const hardware = Uint8Array.of(2, 0x5e, 0xa1, 0, 0, 7);
const size = 16 << 20;

/** The host, and how far its clock is put forward. */
class Time {
  ahead = 0;
  readonly host: Host = {
    ...real,
    now: () => real.now() + this.ahead,
    wakeAt: (at, call) => real.wakeAt(at - this.ahead, call),
  };
}

let devices = 0;

class Place implements Disposable {
  readonly wires = new Namespaces();
  readonly time = new Time();
  behind!: DeviceStack;
  /** What we know of our addresses. */
  readonly told: string[] = [];

  /** @param isTested - our addresses are tested before they are used; the kernel has `kernels` already */
  static async open(isTested = false, kernels: readonly string[] = []): Promise<Place> {
    const place = new Place();
    try {
      const name = `spe${process.pid % 100_000}x${devices++}`;
      const addresses = ["10.203.0.2/24", "fd03::2/64"];
      place.behind = await DeviceStack.openTap(place.time.host, name, addresses, hardware, isTested);
      place.behind.addressTold = ({ address, state }) => void place.told.push(`${formatAddress(address)} ${state}`);
      ip("link", "set", name, "netns", place.wires.a, "name", "tap0");
      ip("-n", place.wires.a, "link", "set", "tap0", "mtu", "1420", "up");
      ip("-n", place.wires.a, "addr", "add", "10.203.0.1/24", "dev", "tap0");
      ip("-n", place.wires.a, "addr", "add", "fd03::1/64", "dev", "tap0", "nodad");
      for (const each of kernels) ip("-n", place.wires.a, "addr", "add", ...each.split(" "), "dev", "tap0");
      // From now on the other side is there.
      place.behind.touched();
      return place;
    } catch (error) {
      place[Symbol.dispose]();
      throw error;
    }
  }

  /** Do we hear the kernel answer an echo? It is asked until it does. */
  async echo(address: string): Promise<void> {
    const { behind, time } = this;
    await new Promise<void>((resolve) => {
      behind.echoed = () => resolve();
      behind.stack.ping(parseAddress(address)!, 1, new Uint8Array(32), time.host.now());
      behind.touched();
    });
  }

  /** What the kernel knows of a neighbour on the link. */
  neighbour(address: string): string {
    return ip("-n", this.wires.a, "neigh", "show", address, "dev", "tap0");
  }

  [Symbol.dispose](): void {
    this.behind?.close();
    this.wires[Symbol.dispose]();
  }
}

const keystream = `head -c ${size} /dev/zero | openssl enc -aes-128-ctr -K ${"0".repeat(32)} -iv ${"0".repeat(32)}`;

/** Gives back what it hears. */
function echo(port: StreamPort) {
  return {
    opened: () => {},
    bytes: (bytes: Uint8Array) => void port.write(bytes.slice()),
    ended: () => port.finish(),
    drained: () => {},
    closed: () => {},
  };
}

describe("our stack and the kernel over Ethernet", { concurrency: true }, () => {
  test("the kernel finds us by ARP and Neighbour Discovery, and pings", async () => {
    using place = await Place.open();
    for (const address of ["10.203.0.2", "fd03::2"]) {
      await using ping = place.wires.run(place.wires.a, "ping", "ping", "-c", "3", "-i", "0.1", "-w", "20", address);
      assert.equal(await ping.ends(), "exited with 0", ping.said);
      assert.match(place.neighbour(address), /lladdr 02:5e:a1:00:00:07/);
    }
    assert.equal(place.behind.link!.drops.malformed, 0);
  });

  test("we find the kernel by ARP and Neighbour Discovery, and ping", async () => {
    using place = await Place.open();
    for (const address of ["10.203.0.1", "fd03::1"]) await place.echo(address);
  });

  for (const [family, ours, kernels] of [
    [4, "10.203.0.2", "10.203.0.1"],
    [6, "fd03::2", "fd03::1"],
  ] as const) {
    test(`TCP of the kernel's and ours carries data both ways over Ethernet and IPv${family}, and comes back the same`, async () => {
      using place = await Place.open();
      const { behind, wires } = place;
      const name = family === 6 ? `[${kernels}]` : kernels;
      // The kernel sends to us and hears what comes back; we are the echo.
      const listener = await behind.network.listenStreams({ address: ours, port: 0 }, (port) => echo(port));
      const to = `TCP${family}:${family === 6 ? `[${ours}]` : ours}:${listener.local.port}`;
      await using asked = wires.run(
        wires.a,
        "kernel",
        "bash",
        "-c",
        `${keystream} | tee >(sha256sum >&2) | socat -t 20 - ${to} | sha256sum`,
      );
      await asked.says(/([0-9a-f]{64})[\s\S]*([0-9a-f]{64})/);
      const [sent, back] = asked.said.match(/[0-9a-f]{64}/g)!;
      assert.equal(back, sent);
      await listener.close();
      // We connect to the kernel and hear what it sends.
      await using _ = wires.run(
        wires.a,
        "source",
        "bash",
        "-c",
        `${keystream} | socat -u STDIN TCP${family}-LISTEN:7001,bind=${name}`,
      );
      await listening(wires.a, 7001);
      const hash = createHash("sha256");
      await new Promise<void>((resolve, reject) => {
        const port = behind.network.connectStream(
          { address: kernels, port: 7001 },
          {
            opened: () => {},
            bytes: (bytes) => void hash.update(bytes),
            ended: () => port.finish(),
            drained: () => {},
            closed: (failure) => (failure ? reject(failure) : resolve()),
          },
        );
      });
      assert.equal(hash.digest("hex"), sent);
    });
  }

  test("a neighbour that is gone is unreachable, for us and for the kernel", async () => {
    using place = await Place.open();
    const { behind, wires, time } = place;
    for (const address of ["10.203.0.1", "fd03::1"]) await place.echo(address);
    ip("-n", wires.a, "addr", "flush", "dev", "tap0");
    ip("-n", wires.a, "addr", "add", "10.203.0.9/24", "dev", "tap0");
    // The kernel meanwhile looks for one that never was: we do not answer for others.
    await using ping = wires.run(wires.a, "ping", "ping", "-c", "1", "-W", "10", "10.203.0.77");
    // What we know of it is no longer fresh: it is asked for, and does not answer.
    time.ahead += 31_000;
    const reasons = await Promise.all(
      ["10.203.0.1", "fd03::1"].map(
        (address) =>
          new Promise((resolve) => {
            behind.network.connectStream(
              { address, port: 80 },
              { opened: () => {}, bytes: () => {}, ended: () => {}, drained: () => {}, closed: resolve },
            );
          }),
      ),
    );
    for (const reason of reasons) assert.ok(reason instanceof Failure && reason.reason === "no-route", String(reason));
    await ping.says(/Host Unreachable/);
    assert.doesNotMatch(place.neighbour("10.203.0.77"), /lladdr/);
  });

  test("addresses that the kernel has are found to be duplicates, and are not used; those that it has not are ours", async () => {
    using taken = await Place.open(true, ["10.203.0.2/24", "fd03::2/64 nodad"]);
    using free = await Place.open(true);
    // Minutes of waiting are minutes of its clock alone.
    const passing = setInterval(() => {
      for (const { time, behind } of [taken, free]) {
        time.ahead += 100;
        behind.touched();
      }
    }, 20);
    try {
      while (taken.told.length < 2 || free.told.length < 2) await new Promise((soon) => setTimeout(soon, 20));
    } finally {
      clearInterval(passing);
    }
    assert.deepEqual(taken.told.toSorted(), ["10.203.0.2 duplicate", "fd03::2 duplicate"]);
    assert.deepEqual(free.told.toSorted(), ["10.203.0.2 ours", "fd03::2 ours"]);
    for (const address of ["10.203.0.1", "fd03::1"]) await free.echo(address);
  });

  test("an address of ours is defended: the kernel finds that it is a duplicate", async () => {
    using place = await Place.open();
    const { wires } = place;
    ip("-n", wires.a, "addr", "add", "fd03::2/64", "dev", "tap0");
    await using waits = wires.run(
      wires.a,
      "ip",
      "sh",
      "-c",
      "until ip -6 addr show dev tap0 dadfailed | grep -q fd03::2; do sleep 0.05; done; echo duplicate",
    );
    await waits.says(/duplicate/);
    // One that nobody has is not.
    ip("-n", wires.a, "addr", "add", "fd03::77/64", "dev", "tap0");
    await using settled = wires.run(
      wires.a,
      "ip",
      "sh",
      "-c",
      "while ip -6 addr show dev tap0 tentative | grep -q fd03::77; do sleep 0.05; done; ip -6 addr show dev tap0; echo settled",
    );
    await settled.says(/settled/);
    assert.match(settled.said, /fd03::77\/64 scope global \n/);
  });
});

import { execFileSync } from "node:child_process";
import { Program } from "./program.js";

let count = 0;

/** A network namespace with nothing in it. */
export class Namespace implements Disposable {
  readonly name = `sealport${process.pid % 100_000}x${count++}`;

  constructor() {
    ip("netns", "add", this.name);
    ip("-n", this.name, "link", "set", "lo", "up");
  }

  /** A program that runs in it. */
  run(name: string, command: string, ...args: readonly string[]): Program {
    return new Program(name, "ip", ["netns", "exec", this.name, command, ...args]);
  }

  [Symbol.dispose](): void {
    ip("netns", "del", this.name);
  }
}

/** Two network namespaces with a wire between: `a` is 10.77.0.1 and fd77::1 on it, `b` is 10.77.0.2 and fd77::2. */
export class Namespaces implements Disposable {
  readonly a: string;
  readonly b: string;

  constructor() {
    const id = `${process.pid % 100_000}x${count++}`;
    this.a = `sealport${id}a`;
    this.b = `sealport${id}b`;
    ip("netns", "add", this.a);
    ip("netns", "add", this.b);
    ip("link", "add", "wire", "netns", this.a, "type", "veth", "peer", "name", "wire", "netns", this.b);
    for (const [namespace, host] of [
      [this.a, 1],
      [this.b, 2],
    ] as const) {
      ip("-n", namespace, "addr", "add", `10.77.0.${host}/24`, "dev", "wire");
      ip("-n", namespace, "addr", "add", `fd77::${host}/64`, "dev", "wire", "nodad");
      ip("-n", namespace, "link", "set", "wire", "up");
      ip("-n", namespace, "link", "set", "lo", "up");
    }
    owns(this.a, "fd77::1");
    owns(this.b, "fd77::2");
  }

  /** A program that runs in one of them. */
  run(namespace: string, name: string, command: string, ...args: readonly string[]): Program {
    return new Program(name, "ip", ["netns", "exec", namespace, command, ...args]);
  }

  [Symbol.dispose](): void {
    ip("netns", "del", this.a);
    ip("netns", "del", this.b);
  }
}

/**
 * Waits until the kernel of a namespace takes packets for an address that was given to a device there. IPv4's is its own at once;
 * IPv6's gets its route from a worker that waits for the lock of all networking, behind every namespace that comes or goes
 * meanwhile: what arrives before is nobody's, and is dropped.
 */
export function owns(namespace: string, ...addresses: readonly string[]): void {
  for (const address of addresses) {
    for (let tries = ownTriesMax; !ip("-n", namespace, "route", "get", address).startsWith("local "); tries--) {
      if (tries === 0) throw new Error(`${address} never became an address of ${namespace}`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ownPauseMs);
    }
  }
}

const ownTriesMax = 1_500;
const ownPauseMs = 20;

/** Runs `ip` and answers what it says. */
export function ip(...args: readonly string[]): string {
  return execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** Waits until something listens on a TCP port of a namespace; of this one if none is named. */
export async function listening(namespace: string | undefined, port: number): Promise<void> {
  const look = ["sh", "-c", `until ss -ltnH 'sport = :${port}' | grep -q .; do sleep 0.05; done; echo up`];
  const [command, ...rest] = namespace === undefined ? look : ["ip", "netns", "exec", namespace, ...look];
  await using probe = new Program("ss", command!, rest);
  await probe.says(/up/);
}

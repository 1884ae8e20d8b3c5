import { setTimeout as delay } from "node:timers/promises";
import type { ConnectOptions, PemIdentity, TlsImplementation } from "./implementation.js";
import { nodeTls } from "./node-tls.js";

/**
 * One end of a TLS benchmark, in a process of its own. It is told what to do by its parent's messages, one at a time, and
 * answers each with one.
 */
export type Order =
  | { readonly kind: "serve"; readonly with: ImplementationName; readonly identity: PemIdentity }
  | { readonly kind: "send"; readonly with: ImplementationName; readonly to: To; readonly bytes: number }
  | {
      readonly kind: "shake";
      readonly with: ImplementationName;
      readonly to: To;
      readonly ms: number;
      readonly atLeast: number;
      readonly resume: boolean;
    }
  | { readonly kind: "hold"; readonly with: ImplementationName; readonly to: To; readonly count: number }
  | { readonly kind: "weigh" }
  | { readonly kind: "cpu" }
  | { readonly kind: "received"; readonly bytes: number };
export type To = { readonly port: number; readonly trust: string };
export type Answer =
  | { readonly port: number }
  | { readonly ms: number; readonly count: number; readonly cpuMs: number }
  | { readonly cpuMs: number }
  | { readonly heapAndExternal: number; readonly rss: number }
  | { readonly error: string };

const implementations = {
  sealport: async () => (await import("./sealport-tls.js")).sealportTls,
  "node:tls": async () => nodeTls,
} satisfies Record<string, () => Promise<TlsImplementation>>;
export type ImplementationName = keyof typeof implementations;

let received = 0;
let firstAt = 0;
let cpuAtFirst = process.cpuUsage();
let wake: (() => void) | undefined;
const held: unknown[] = [];

const orders: { readonly [K in Order["kind"]]: (order: Extract<Order, { kind: K }>) => Promise<Answer> } = {
  async serve({ with: name, identity }) {
    const implementation = await implementations[name]();
    const port = await implementation.serve(identity, (link) => {
      // A client of TLS 1.3 is done before its server; this byte tells it that both are.
      link.write(new Uint8Array(1));
      link.receive((bytes) => {
        if (received === 0) {
          firstAt = performance.now();
          cpuAtFirst = process.cpuUsage();
        }
        received += bytes.length;
        wake?.();
      });
    });
    return { port };
  },

  /** On the receiving end: when all has come, how long it took since the first byte. */
  async received({ bytes }) {
    while (received < bytes) await new Promise<void>((resolve) => (wake = resolve));
    const answer = { ms: performance.now() - firstAt, count: received, cpuMs: cpuMs(cpuAtFirst) };
    received = 0;
    return answer;
  },

  async send({ with: name, to, bytes }) {
    const link = await (await implementations[name]()).connect(to.port, to);
    link.receive(() => {});
    const chunk = new Uint8Array(65_536).fill(7);
    const started = performance.now();
    const cpu = process.cpuUsage();
    for (let sent = 0; sent < bytes; sent += chunk.length) {
      const full = link.write(chunk.subarray(0, Math.min(chunk.length, bytes - sent)));
      if (full !== undefined) await full;
    }
    held.push(link);
    return { ms: performance.now() - started, count: bytes, cpuMs: cpuMs(cpu) };
  },

  /** Handshakes one after the other, four at a time, for so long and until there were so many. */
  async shake({ with: name, to, ms, atLeast, resume }) {
    const implementation = await implementations[name]();
    const started = performance.now();
    const cpu = process.cpuUsage();
    let count = 0;
    const lane = async () => {
      let session: unknown;
      while (count < atLeast || performance.now() - started < ms) {
        const options: ConnectOptions = session === undefined ? to : { ...to, resume: session };
        const link = await implementation.connect(to.port, options);
        await new Promise<void>((heard) => link.receive(() => heard()));
        if (resume) {
          if (session !== undefined && !link.resumed) throw new Error("a session was not resumed");
          session = implementation.name === "sealport" ? await link.resumable() : (session ?? (await link.resumable()));
        }
        link.close();
        count++;
      }
    };
    await Promise.all([lane(), lane(), lane(), lane()]);
    return { ms: performance.now() - started, count, cpuMs: cpuMs(cpu) };
  },

  async hold({ with: name, to, count }) {
    const implementation = await implementations[name]();
    const started = performance.now();
    for (let i = 0; i < count; i++) held.push(await implementation.connect(to.port, to));
    return { ms: performance.now() - started, count, cpuMs: 0 };
  },

  /** Memory in use after collecting what is not. */
  async weigh() {
    for (let i = 0; i < 3; i++) {
      globalThis.gc?.();
      await delay(20);
    }
    const { heapUsed, external, rss } = process.memoryUsage();
    return { heapAndExternal: heapUsed + external, rss };
  },

  /** What this process has used so far. */
  async cpu() {
    const { user, system } = process.cpuUsage();
    return { cpuMs: (user + system) / 1000 };
  },
};

function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}

process.on("message", (order: Order) => {
  const run = orders[order.kind] as (order: Order) => Promise<Answer>;
  run(order)
    .catch(
      (error: unknown): Answer => ({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
    .then((answer) => process.send!(answer));
});

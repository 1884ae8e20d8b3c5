import { setTimeout as delay } from "node:timers/promises";
import type { PemIdentity } from "./implementation.js";
import type { QuicImplementation, QuicLink } from "./quic-implementation.js";

/** One end of a QUIC benchmark, in a process of its own; told what to do by its parent's messages, one at a time. */
export type Order =
  | { readonly kind: "serve"; readonly with: ImplementationName; readonly identity: PemIdentity }
  | { readonly kind: "bulk"; readonly with: ImplementationName; readonly to: To; readonly bytes: number }
  | {
      readonly kind: "streams";
      readonly with: ImplementationName;
      readonly to: To;
      readonly count: number;
      readonly bytes: number;
      readonly atOnce: number;
      readonly before: number;
    }
  | {
      readonly kind: "latency";
      readonly with: ImplementationName;
      readonly to: To;
      readonly count: number;
      readonly before: number;
    }
  | {
      readonly kind: "shake";
      readonly with: ImplementationName;
      readonly to: To;
      readonly ms: number;
      readonly before: number;
    }
  | { readonly kind: "hold"; readonly with: ImplementationName; readonly to: To; readonly count: number }
  | { readonly kind: "weigh" }
  | { readonly kind: "cpu" };
export interface To {
  readonly port: number;
  readonly trust: string;
  readonly alpn?: string;
}
export interface Timed {
  readonly ms: number;
  readonly count: number;
  readonly cpuMs: number;
}
export interface Latencies {
  readonly p50: number;
  readonly p99: number;
}
export interface Weighed {
  readonly rss: number;
}
type Answer = Timed | Latencies | Weighed | { readonly port: number } | { readonly cpuMs: number };

const implementations = {
  sealport: async () => (await import("./sealport-quic.js")).sealportQuic,
  matrixai: async () => (await import("./matrixai-quic.js")).matrixaiQuic,
} satisfies Record<string, () => Promise<QuicImplementation>>;
export type ImplementationName = keyof typeof implementations;

const held: unknown[] = [];
const open = async (order: { readonly with: ImplementationName; readonly to: To }): Promise<QuicLink> =>
  (await implementations[order.with]()).connect(order.to.port, order.to.trust, order.to.alpn);

const orders: { readonly [K in Order["kind"]]: (order: Extract<Order, { kind: K }>) => Promise<Answer> } = {
  async serve({ with: name, identity }) {
    const implementation = await implementations[name]();
    held.push(implementation);
    return { port: await implementation.serve(identity) };
  },

  async bulk(order) {
    const link = await open(order);
    const since = clock();
    await link.ask(order.bytes);
    const timed = since(order.bytes);
    link.close();
    return timed;
  },

  /** Requests on streams of their own, so many under way at a time; so many `before` warm either side. */
  async streams(order) {
    const link = await open(order);
    let left = 0;
    const lane = async () => {
      while (left-- > 0) await link.ask(order.bytes);
    };
    const ask = async (count: number) => {
      left = count;
      await Promise.all(Array.from({ length: order.atOnce }, lane));
    };
    await ask(order.before);
    const since = clock();
    await ask(order.count);
    const timed = since(order.count);
    link.close();
    return timed;
  },

  /** One small request after the other; so many `before` warm either side. */
  async latency(order) {
    const link = await open(order);
    for (let i = 0; i < order.before; i++) await link.ask(100);
    const took: number[] = [];
    for (let i = 0; i < order.count; i++) {
      const started = performance.now();
      await link.ask(100);
      took.push(performance.now() - started);
    }
    link.close();
    took.sort((a, b) => a - b);
    const at = (share: number) => took[Math.floor((took.length - 1) * share)]!;
    return { p50: at(0.5), p99: at(0.99) };
  },

  /** Handshakes, each with a request of a byte, four at a time; so many `before` warm either side. */
  async shake(order) {
    let count = -order.before;
    let since = clock();
    let started = performance.now();
    const lane = async () => {
      while (count < 0 || performance.now() - started < order.ms) {
        const link = await open(order);
        await link.ask(1);
        link.close();
        if (++count === 0) [since, started] = [clock(), performance.now()];
      }
    };
    await Promise.all([lane(), lane(), lane(), lane()]);
    return since(count);
  },

  async hold(order) {
    const since = clock();
    for (let i = 0; i < order.count; i++) held.push(await open(order));
    return since(order.count);
  },

  /** Memory in use after collecting what is not. */
  async weigh() {
    for (let i = 0; i < 3; i++) {
      globalThis.gc?.();
      await delay(20);
    }
    return { rss: process.memoryUsage().rss };
  },

  /** CPU time of this process so far. */
  async cpu() {
    const { user, system } = process.cpuUsage();
    return { cpuMs: (user + system) / 1000 };
  },
};

function clock(): (count: number) => Timed {
  const started = performance.now();
  const cpu = process.cpuUsage();
  return (count) => {
    const { user, system } = process.cpuUsage(cpu);
    return { ms: performance.now() - started, count, cpuMs: (user + system) / 1000 };
  };
}

process.on("message", (order: Order) => {
  const run = orders[order.kind] as (order: Order) => Promise<Answer>;
  run(order)
    .catch((error: unknown) => ({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }))
    .then((answer) => process.send!(answer));
});

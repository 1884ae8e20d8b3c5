import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import { connectionsMax, flowIdleMs, flowsMax, lookupsMax } from "./limits.js";
import { relay, type Way } from "./way.js";

/** `[bind:]port:host:port`, with `/udp` for datagrams, as ssh's -L and -R write it. */
export interface ForwardSpec {
  /** Address to listen on; absent: the loopback for a local forward, the tunnel's addresses for a remote one. */
  readonly bind: string | undefined;
  /** Port to listen on; zero is any free one. */
  readonly port: number;
  readonly to: { readonly host: string; readonly port: number };
  readonly isUdp: boolean;
}

/** Undefined if the text is no forward. Addresses with colons stand in brackets. */
export function parseForward(text: string): ForwardSpec | undefined {
  const name = "(?:\\[([0-9a-fA-F:.]+)\\]|([^\\s:[\\]/]+))";
  const pattern = new RegExp(`^(?:${name}:)?(\\d{1,5}):${name}:(\\d{1,5})(/udp|/tcp)?$`);
  const [, bind6, bind4, port, host6, host4, toPort, suffix] = pattern.exec(text) ?? [];
  const host = host6 ?? host4;
  if (host === undefined || Number(port) > 65_535 || Number(toPort) > 65_535 || Number(toPort) === 0) return undefined;
  return {
    bind: bind6 ?? bind4,
    port: Number(port),
    to: { host, port: Number(toPort) },
    isUdp: suffix === "/udp",
  };
}

/** A forward that runs. */
export interface Forward {
  readonly port: number;
  close(): Promise<void>;
}

/** -L: what arrives here goes out inside the tunnel. */
export function forwardLocal(way: Way, spec: ForwardSpec): Promise<Forward> {
  return spec.isUdp ? localUdp(way, spec) : localTcp(way, spec);
}

/** -R: what arrives inside the tunnel goes out here. */
export function forwardRemote(way: Way, spec: ForwardSpec): Promise<Forward> {
  return spec.isUdp ? remoteUdp(way, spec) : remoteTcp(way, spec);
}

function localTcp(way: Way, { bind = "127.0.0.1", port, to }: ForwardSpec): Promise<Forward> {
  const open = new Set<{ destroy(): unknown }>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    open.add(near);
    near.once("close", () => open.delete(near));
    relay(near, way.connect({ ...to, allowHalfOpen: true }));
  });
  server.maxConnections = connectionsMax;
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(port, bind, () => {
      server.off("error", reject);
      resolve({
        port: (server.address() as { readonly port: number }).port,
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            for (const each of open) each.destroy();
          }),
      });
    });
  });
}

async function remoteTcp(way: Way, { port, to }: ForwardSpec): Promise<Forward> {
  let open = 0;
  const server = await way.listen(port, (far) => {
    if (open >= connectionsMax) return void far.destroy();
    open++;
    far.once("close", () => open--);
    relay(far, connect({ ...to, allowHalfOpen: true, noDelay: true }));
  });
  return { port: server.address()?.port ?? port, close: () => server.stop() };
}

interface FarEnd {
  send(bytes: Uint8Array): void;
  close(): void;
}

/** One far socket for each sender, so that answers find their way back; the idle ones go. */
class Flows {
  readonly #flows = new Map<string, { readonly far: Promise<FarEnd>; lastAt: number; waiting: number }>();
  readonly #sweep = setInterval(() => this.#forgetIdle(), flowIdleMs / 2).unref();

  send(sender: string, bytes: Uint8Array, open: () => Promise<FarEnd>): void {
    let flow = this.#flows.get(sender);
    if (flow === undefined) {
      if (this.#flows.size >= flowsMax) return;
      flow = { far: open(), lastAt: 0, waiting: 0 };
      this.#flows.set(sender, flow);
    }
    flow.lastAt = performance.now();
    // While the far end is looked up, only so many datagrams wait for it.
    if (flow.waiting >= lookupsMax) return;
    flow.waiting++;
    const sent = flow;
    flow.far.then(
      (far) => {
        sent.waiting--;
        far.send(bytes);
      },
      () => this.#flows.delete(sender),
    );
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const { far } of this.#flows.values()) void far.then((each) => each.close()).catch(() => {});
    this.#flows.clear();
  }

  #forgetIdle(): void {
    for (const [sender, { far, lastAt }] of this.#flows) {
      if (performance.now() - lastAt < flowIdleMs) continue;
      this.#flows.delete(sender);
      void far.then((each) => each.close()).catch(() => {});
    }
  }
}

async function localUdp(way: Way, { bind = "127.0.0.1", port, to }: ForwardSpec): Promise<Forward> {
  const near = createSocket(bind.includes(":") ? "udp6" : "udp4");
  await new Promise<void>((resolve, reject) => {
    near.once("error", reject).bind(port, bind, () => {
      near.off("error", reject);
      resolve();
    });
  });
  near.on("error", () => {});
  const flows = new Flows();
  near.on("message", (bytes, from) => {
    flows.send(`${from.address} ${from.port}`, bytes, async () => {
      const far = await way.datagram({ remote: to });
      far.on("error", () => {});
      far.on("message", (answer) => near.send(answer, from.port, from.address));
      return far;
    });
  });
  return {
    port: near.address().port,
    close: () =>
      new Promise((done) => {
        flows.close();
        near.close(done);
      }),
  };
}

async function remoteUdp(way: Way, { port, to }: ForwardSpec): Promise<Forward> {
  const far = await way.datagram({ port });
  far.on("error", () => {});
  const flows = new Flows();
  far.on("message", (bytes, from) => {
    flows.send(`${from.address} ${from.port}`, bytes, async () => {
      const near = createSocket(to.host.includes(":") ? "udp6" : "udp4");
      near.on("error", () => {});
      near.on("message", (answer) => far.send(answer, from.port, from.address));
      await new Promise<void>((resolve) => near.connect(to.port, to.host, resolve));
      return near;
    });
  });
  return {
    port: far.address().port,
    close: async () => {
      flows.close();
      far.close();
    },
  };
}

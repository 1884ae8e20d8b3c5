import assert from "node:assert/strict";
import type { Failure, Network, StreamPort } from "../../src/contract/index.js";
import type { SimulatedHost, World } from "../../src/hosts/simulator/index.js";
import { newKeys, type WireGuardEvent } from "../../src/protocols/wireguard/index.js";
import { openWireGuard, type WireGuardTunnel } from "../../src/tunnels/index.js";

export interface TunnelEnd {
  readonly host: SimulatedHost;
  readonly tunnel: WireGuardTunnel;
  readonly events: WireGuardEvent[];
}

/**
 * A WireGuard tunnel between two hosts that the test has linked: 10.0.0.1 and fd00::1 are the client's, 10.0.0.2 and
 * fd00::2 the server's. Only the client knows where the other is, unless `bothKnow`.
 */
export async function tunnelBetween(
  world: World,
  client: SimulatedHost,
  server: SimulatedHost,
  options: { readonly bothKnow?: boolean; readonly mtu?: number; readonly keepalive?: number } = {},
): Promise<{ readonly client: TunnelEnd; readonly server: TunnelEnd }> {
  const [ours, theirs] = [newKeys(client), newKeys(server)];
  const [here, there] = [client, server].map((host) => host.addressOn("eth0", 4)!);
  const open = async (host: SimulatedHost, file: string): Promise<TunnelEnd> => {
    const events: WireGuardEvent[] = [];
    const tunnel = await world.finish(
      openWireGuard(host, file, {
        on: (event) => {
          if (event.kind !== "packets") events.push(event);
        },
      }),
    );
    return { host, tunnel, events };
  };
  const mtu = options.mtu === undefined ? "" : `MTU = ${options.mtu}`;
  return {
    server: await open(
      server,
      `[Interface]\nPrivateKey = ${theirs.privateKey}\nAddress = 10.0.0.2/24, fd00::2/64\nListenPort = 51820\n${mtu}
       [Peer]\nPublicKey = ${ours.publicKey}\nAllowedIPs = 10.0.0.1/32, fd00::1/128
       ${options.bothKnow ? `Endpoint = ${here}:51820` : ""}`,
    ),
    client: await open(
      client,
      `[Interface]\nPrivateKey = ${ours.privateKey}\nAddress = 10.0.0.1/24, fd00::1/64\nListenPort = 51820\n${mtu}
       [Peer]\nPublicKey = ${theirs.publicKey}\nAllowedIPs = 10.0.0.2/32, fd00::2/128
       Endpoint = ${there}:51820\nPersistentKeepalive = ${options.keepalive ?? 0}`,
    ),
  };
}

/** Byte `at` of the stream that every transfer sends. */
const byteAt = (at: number): number => (Math.imul(at, 2_654_435_761) >>> 13) & 0xff;

/** A stream of known bytes from one network to a listener on another: every byte that arrives is looked at. */
export class Transfer {
  received = 0;
  sent = 0;
  isOver = false;
  failure: Failure | undefined;
  readonly #size: number;
  readonly #piece: number;
  #port: StreamPort | undefined;

  private constructor(size: number, piece: number) {
    this.#size = size;
    this.#piece = piece;
  }

  static async start(from: Network, to: Network, address: string, size: number, port = 7_000): Promise<Transfer> {
    const transfer = new Transfer(size, 65_536);
    await to.listenStreams({ address, port }, (accepted) => ({
      bytes: (bytes) => transfer.#take(bytes),
      ended: () => accepted.finish(),
      drained: () => {},
      closed: (failure) => {
        transfer.failure ??= failure;
      },
    }));
    transfer.#port = from.connectStream(
      { address, port },
      {
        opened: () => transfer.#fill(),
        bytes: () => {},
        ended: () => {},
        drained: () => transfer.#fill(),
        closed: (failure) => {
          transfer.isOver = true;
          transfer.failure ??= failure;
        },
      },
    );
    return transfer;
  }

  /** Runs until both ends have closed, and checks that all arrived. */
  async arrives(world: World, withinMs?: number): Promise<void> {
    await world.until(() => this.isOver, withinMs);
    assert.equal(this.failure, undefined);
    assert.equal(this.received, this.#size);
  }

  #fill(): void {
    const port = this.#port!;
    for (let more = true; more && this.sent < this.#size; ) {
      const bytes = new Uint8Array(Math.min(this.#piece, this.#size - this.sent));
      for (let i = 0; i < bytes.length; i++) bytes[i] = byteAt(this.sent + i);
      this.sent += bytes.length;
      more = port.write(bytes);
      if (this.sent === this.#size) port.finish();
    }
  }

  #take(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== byteAt(this.received + i)) throw new Error(`byte ${this.received + i} is not what was sent`);
    }
    this.received += bytes.length;
  }
}

/** Whatever has a network inside. */
export interface FlowEnd {
  readonly host: SimulatedHost;
  readonly tunnel: { readonly network: Network };
}

/** Numbered datagrams, one every so often, from one end of a tunnel to the other: each that is missing or late is known. */
export class DatagramFlow {
  sent = 0;
  received = 0;
  /** Datagrams that came behind one that was sent after them, or twice. */
  disordered = 0;
  #last = 0;
  #isOn = true;

  static async start(from: FlowEnd, to: FlowEnd, address: string, everyMs: number, port = 9): Promise<DatagramFlow> {
    const flow = new DatagramFlow();
    await to.tunnel.network.bindDatagrams(
      { address, port },
      {
        datagrams: (bytes, _, segmentSize) => {
          const view = new DataView(bytes.buffer, bytes.byteOffset);
          for (let at = 0; at < bytes.length; at += segmentSize) flow.#take(view.getUint32(at));
        },
        closed: () => {},
      },
    );
    const any = address.includes(":") ? "::" : "0.0.0.0";
    const out = await from.tunnel.network.bindDatagrams(
      { address: any, port: 0 },
      { datagrams: () => {}, closed: () => {} },
      { remote: { address, port } },
    );
    const next = (): void => {
      if (!flow.#isOn) return;
      const bytes = new Uint8Array(200);
      new DataView(bytes.buffer).setUint32(0, ++flow.sent);
      out.send(bytes);
      from.host.wakeAt(from.host.now() + everyMs, next);
    };
    next();
    return flow;
  }

  stop(): void {
    this.#isOn = false;
  }

  #take(number: number): void {
    this.received++;
    if (number <= this.#last) this.disordered++;
    this.#last = Math.max(this.#last, number);
  }
}

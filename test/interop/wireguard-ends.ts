import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { fromBase64, toBase64 } from "../../src/bytes/index.js";
import type { Host, Network, SocketAddress, StreamPort, StreamSink } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { CookieKeeper } from "../../src/protocols/wireguard/cookies.js";
import { publicKeyOf as publicKeyFrom, type WireGuardEvent } from "../../src/protocols/wireguard/index.js";
import { Suite } from "../../src/protocols/wireguard/noise.js";
import { openWireGuard, type WireGuardTunnel } from "../../src/tunnels/index.js";

export const host = nodeHost();

export interface Ours {
  readonly tunnel: WireGuardTunnel;
  readonly events: Exclude<WireGuardEvent, { kind: "question" }>[];
}

export interface OpenOptions {
  readonly psk?: Uint8Array | undefined;
  /** More lines of the interface and of the peer. */
  readonly more?: string;
  readonly ofPeer?: string;
  /** Where the peer is; by default on the loopback at its port. */
  readonly endpoint?: string;
  readonly host?: Host;
  /** Hears of each event as it happens. */
  readonly on?: (event: Ours["events"][number]) => void;
}

/** A file as a network team would send it: 10.99.0.2 and fd99::2 are ours. */
export function fileOf(
  { publicKey }: { readonly publicKey: string },
  key: Uint8Array,
  endpoint: string,
  { psk, more = "", ofPeer = "" }: OpenOptions = {},
): string {
  return `
    [Interface]
    PrivateKey = ${toBase64(key)}
    Address = 10.99.0.2/24, fd99::2/64
    ${more}
    [Peer]
    PublicKey = ${publicKey}
    ${psk ? `PresharedKey = ${toBase64(psk)}` : ""}
    AllowedIPs = 10.99.0.0/24, fd99::/64
    Endpoint = ${endpoint}
    ${ofPeer}
  `;
}

/** The tunnel that such a file opens. */
export async function open(
  peer: { readonly publicKey: string; readonly port: number },
  key: Uint8Array,
  options: OpenOptions = {},
): Promise<Ours> {
  const file = fileOf(peer, key, options.endpoint ?? `127.0.0.1:${peer.port}`, options);
  const events: Ours["events"] = [];
  const on = (event: Ours["events"][number]): void => {
    events.push(event);
    options.on?.(event);
  };
  const tunnel = await openWireGuard(options.host ?? host, file, { on });
  return { tunnel, events };
}

export const newKey = (): Uint8Array => host.entropy.fill(new Uint8Array(32));

export const publicKeyOf = (key: Uint8Array): string => toBase64(publicKeyFrom(host.crypto, key));

/** One stream through the tunnel, with promises. */
export function stream(network: Network, remote: SocketAddress) {
  const hash = createHash("sha256");
  const heard = { size: 0, digest: "" };
  let settle: { resolve: () => void; reject: (failure: unknown) => void };
  const closed = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  let drained = (): void => {};
  const sink: StreamSink = {
    bytes: (bytes) => {
      heard.size += bytes.length;
      hash.update(bytes);
    },
    ended: () => {
      heard.digest = hash.digest("hex");
    },
    drained: () => drained(),
    closed: (failure) => (failure ? settle.reject(failure) : settle.resolve()),
  };
  const port: StreamPort = network.connectStream(remote, sink);
  /** Sends the chunk so many times, and answers the hash; `before` may wait at any of them. */
  const send = async (chunk: Uint8Array, times: number, before?: (sent: number) => Promise<void>): Promise<string> => {
    const sent = createHash("sha256");
    for (let i = 0; i < times; i++) {
      await before?.(i);
      sent.update(chunk);
      if (!port.write(chunk)) await Promise.race([new Promise<void>((resolve) => (drained = resolve)), closed]);
    }
    port.finish();
    return sent.digest("hex");
  };
  return { port, heard, closed, send };
}

/** Initiations that know the public key and nothing else. Answers how many cookies came for them meanwhile. */
export async function flood(publicKey: string, port: number, count: number, address = "127.0.0.1"): Promise<number> {
  const suite = new Suite(host.crypto);
  const keeper = new CookieKeeper(suite, fromBase64(publicKey)!);
  const socket = createSocket("udp4");
  let cookies = 0;
  socket.on("message", (message) => (cookies += message[0] === 3 ? 1 : 0));
  await new Promise<void>((resolve) => socket.bind(0, resolve));
  const messages = Array.from({ length: count }, () => {
    const message = host.entropy.fill(new Uint8Array(148));
    message.set([1, 0, 0, 0]);
    keeper.sign(message, 0);
    return message;
  });
  for (const message of messages) socket.send(message, port, address);
  await new Promise<void>((resolve) => socket.send(new Uint8Array(1), port, address, () => resolve()));
  await new Promise((resolve) => setTimeout(resolve, 100));
  socket.close();
  return cookies;
}

/** This host with a clock that can be moved ahead of the world's. */
export function clockAhead(): { readonly host: Host; advance(ms: number, port: StreamPort): Promise<void> } {
  let ahead = 0;
  const moved: Host = {
    ...host,
    now: () => host.now() + ahead,
    wakeAt: (at, call) => host.wakeAt(at - ahead, call),
  };
  return {
    host: moved,
    async advance(ms, port) {
      // What is on its way arrives first: two minutes of silence would be the end of any connection.
      while (port.queued > 0) await new Promise((resolve) => setTimeout(resolve, 20));
      await new Promise((resolve) => setTimeout(resolve, 500));
      ahead += ms;
    },
  };
}

import { toBase64 } from "../../../bytes/index.js";
import type { Host, SocketAddress, StreamPort } from "../../../contract/index.js";
import { publicKeyOf, type WireGuardEvent } from "../../../protocols/wireguard/index.js";
import { openWireGuard, type WireGuardTunnel, type WireGuardTunnelOptions } from "../../../tunnels/index.js";

type Told = Exclude<WireGuardEvent, { readonly kind: "question" }>;

/** One end of a tunnel, and what it told. */
export interface End {
  readonly tunnel: WireGuardTunnel;
  readonly publicKey: Uint8Array;
  readonly told: readonly Told[];
}

export interface MeetOptions {
  readonly keys?: { readonly client: Uint8Array; readonly server: Uint8Array };
  readonly preSharedKeys?: { readonly client: Uint8Array; readonly server: Uint8Array };
  /** Does the server know the client beforehand? Default true. */
  readonly isKnown?: boolean;
  readonly acceptPeer?: NonNullable<WireGuardTunnelOptions["acceptPeer"]>;
}

/** Two tunnels over loopback: the client dials, the server listens. */
export class WireGuardStage {
  readonly host: Host;

  constructor(host: Host) {
    this.host = host;
  }

  newKey(): Uint8Array {
    return this.host.entropy.fill(new Uint8Array(32));
  }

  publicKeyOf(privateKey: Uint8Array): Uint8Array {
    return publicKeyOf(this.host.crypto, privateKey);
  }

  async meet(options: MeetOptions = {}): Promise<{ client: End; server: End } & Disposable> {
    const { client: clientKey, server: serverKey } = options.keys ?? { client: this.newKey(), server: this.newKey() };
    const psk = (key: Uint8Array | undefined): string => (key ? `PresharedKey = ${toBase64(key)}` : "");
    const serverPeer = `
      [Peer]
      PublicKey = ${toBase64(this.publicKeyOf(clientKey))}
      ${psk(options.preSharedKeys?.server)}
      AllowedIPs = ${clientInside}/32`;
    const server = await this.#open(
      `[Interface]
      PrivateKey = ${toBase64(serverKey)}
      Address = ${serverInside}/32
      ${options.isKnown === false ? "" : serverPeer}`,
      options.acceptPeer && { acceptPeer: options.acceptPeer },
    );
    const client = await this.#open(
      `[Interface]
      PrivateKey = ${toBase64(clientKey)}
      Address = ${clientInside}/32
      [Peer]
      PublicKey = ${toBase64(server.publicKey)}
      ${psk(options.preSharedKeys?.client)}
      AllowedIPs = ${serverInside}/32
      Endpoint = 127.0.0.1:${server.tunnel.local.port}`,
    );
    await echo(server);
    return {
      client,
      server,
      [Symbol.dispose]: () => {
        client.tunnel.close();
        server.tunnel.close();
      },
    };
  }

  /** A client's end of a tunnel to a peer that somebody else runs on the loopback. */
  dial(to: {
    readonly own: Uint8Array;
    readonly peerPublicKey: Uint8Array;
    readonly port: number;
    readonly psk: Uint8Array | undefined;
  }): Promise<End> {
    return this.#open(
      `[Interface]
      PrivateKey = ${toBase64(to.own)}
      Address = ${clientInside}/32
      [Peer]
      PublicKey = ${toBase64(to.peerPublicKey)}
      ${to.psk === undefined ? "" : `PresharedKey = ${toBase64(to.psk)}`}
      AllowedIPs = ${serverInside}/32
      Endpoint = 127.0.0.1:${to.port}`,
    );
  }

  async #open(file: string, options: Omit<WireGuardTunnelOptions, "on"> = {}): Promise<End> {
    const told: Told[] = [];
    const tunnel = await openWireGuard(this.host, file, { ...options, on: (event) => void told.push(event) });
    return { tunnel, publicKey: tunnel.publicKey, told };
  }
}

const clientInside = "10.66.0.1";
export const serverInside = "10.66.0.2";
export const echoAddress: SocketAddress = { address: serverInside, port: 7 };

function echo({ tunnel }: End): Promise<unknown> {
  return tunnel.network.listenStreams(echoAddress, (port) => ({
    bytes: (bytes) => void port.write(bytes),
    ended: () => port.finish(),
    drained: () => {},
    closed: () => {},
  }));
}

/** Sends bytes to the echo behind the tunnel and answers how many came back right; fails if they do not. */
export function echoed(
  { tunnel }: End,
  bytes: Uint8Array,
  signal: AbortSignal,
  during?: () => unknown,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let port: StreamPort | undefined;
    let back = 0;
    const stop = (): void => {
      port?.abort();
      reject(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
    const done = (act: () => void): void => {
      signal.removeEventListener("abort", stop);
      act();
    };
    port = tunnel.network.connectStream(echoAddress, {
      bytes: (got) => {
        for (const byte of got)
          if (byte !== bytes[back++]) done(() => reject(new Error(`byte ${back - 1} came back wrong`)));
      },
      ended: () => done(() => (back === bytes.length ? resolve(back) : reject(new Error(`${back} bytes came back`)))),
      drained: () => {},
      closed: (failure) => done(() => reject(failure ?? new Error("closed early"))),
    });
    const half = bytes.length >> 1;
    port.write(bytes.subarray(0, half));
    const second = async (): Promise<void> => {
      await during?.();
      port?.write(bytes.subarray(half));
      port?.finish();
    };
    second().catch((error) => done(() => reject(error)));
  });
}

/** Does no session come about in this time? */
export async function staysOut({ tunnel, told }: End, ms: number): Promise<boolean> {
  await tunnel.ping(serverInside, { timeoutMs: ms }).catch(() => undefined);
  return !told.some(({ kind }) => kind === "session");
}

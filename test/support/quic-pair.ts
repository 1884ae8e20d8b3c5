import { concat } from "../../src/bytes/index.js";
import type { Failure, SessionStreamSink, SocketAddress } from "../../src/contract/index.js";
import type { Link, LinkOptions, SimulatedHost, World } from "../../src/hosts/simulator/index.js";
import {
  connect,
  listen,
  type QuicClientOptions,
  type QuicListener,
  type QuicOutcome,
  type QuicServerOptions,
  type QuicSession,
  type QuicSink,
  type QuicStream,
} from "../../src/protocols/quic/index.js";
import { identityFor, trusting } from "./tls-pair.js";

export { startOfTime } from "./tls-pair.js";

/** A stream with all that it told. */
export class StreamRecorder implements SessionStreamSink {
  readonly told: string[] = [];
  readonly parts: Uint8Array[] = [];
  stream!: QuicStream;
  failure: Failure | undefined;
  resetCode: number | undefined;
  stoppedCode: number | undefined;

  get size(): number {
    return this.parts.reduce((size, part) => size + part.length, 0);
  }

  get isEnded(): boolean {
    return this.told.includes("ended");
  }

  get isClosed(): boolean {
    return this.told.includes("closed");
  }

  all(): Uint8Array {
    return concat(...this.parts);
  }

  opened(): void {
    this.told.push("opened");
  }

  bytes(bytes: Uint8Array): void {
    this.parts.push(bytes);
  }

  ended(): void {
    this.told.push("ended");
  }

  drained(): void {
    this.told.push("drained");
  }

  peerReset(code: number): void {
    this.resetCode = code;
  }

  peerStopped(code: number): void {
    this.stoppedCode = code;
  }

  closed(failure?: Failure): void {
    this.told.push("closed");
    this.failure = failure;
  }
}

/** A session with all that it told. */
export class SessionRecorder implements QuicSink {
  readonly told: string[] = [];
  readonly streams: StreamRecorder[] = [];
  readonly datagrams: Uint8Array[] = [];
  session!: QuicSession;
  outcome: QuicOutcome | undefined;
  failure: Failure | undefined;
  /** Answers each of the peer's streams by sending back what came. */
  echoes = false;

  get isClosed(): boolean {
    return this.told.includes("closed");
  }

  open(options: Parameters<QuicSession["openStream"]>[1] = {}): StreamRecorder {
    const recorder = new StreamRecorder();
    recorder.stream = this.session.openStream(recorder, options);
    return recorder;
  }

  stream(stream: QuicStream): SessionStreamSink {
    const recorder = new StreamRecorder();
    recorder.stream = stream;
    this.streams.push(recorder);
    if (!this.echoes) return recorder;
    return {
      bytes: (bytes) => void stream.write(bytes),
      ended: () => stream.finish(),
      drained: () => undefined,
      closed: () => undefined,
    };
  }

  confirmed(outcome: QuicOutcome): void {
    this.told.push("confirmed");
    this.outcome = outcome;
  }

  earlyData(status: string): void {
    this.told.push(`early data ${status}`);
  }

  ticket(): void {
    this.told.push("ticket");
  }

  moved(): void {
    this.told.push("moved");
  }

  keyUpdated(direction: string, byPeer: boolean): void {
    if (direction === "write") this.told.push(`keys updated by ${byPeer ? "peer" : "us"}`);
  }

  keyExpiring(): void {
    this.told.push("keys expiring");
  }

  datagram(bytes: Uint8Array): void {
    this.datagrams.push(bytes);
  }

  closed(failure?: Failure): void {
    this.told.push("closed");
    this.failure = failure;
  }
}

export interface QuicPair {
  readonly near: SimulatedHost;
  readonly far: SimulatedHost;
  readonly link: Link;
  readonly listener: QuicListener;
  readonly client: SessionRecorder;
  readonly servers: SessionRecorder[];
  /** The server's side of the first connection, once it is there. */
  readonly server: SessionRecorder;
  /** One more connection from the same client. */
  connect(options?: QuicClientOptions): SessionRecorder;
  /** Another server in the place of one that is gone. */
  listenAgain(options?: QuicServerOptions): Promise<QuicListener>;
}

export interface QuicPairOptions {
  readonly client?: QuicClientOptions;
  readonly server?: QuicServerOptions;
  readonly link?: LinkOptions;
  readonly echoes?: boolean;
  /** Addresses of version 6 on both ends. */
  readonly isIpv6?: boolean;
  /** What lies between the two; default one link. Answers the link to be tampered with. */
  readonly between?: (near: SimulatedHost, far: SimulatedHost) => Link;
}

export const ipv4ServerAddress: SocketAddress = { address: "198.51.100.1", port: 443 };
const identity = identityFor("Ed25519");

/** A client and a server on one link, and a connection that has been begun. */
export async function quicPair(world: World, options: QuicPairOptions = {}): Promise<QuicPair> {
  const near = world.host("client", { addresses: [options.isIpv6 ? "2001:db8:1::1" : "192.0.2.1"] });
  const serverAddress = options.isIpv6 ? { address: "2001:db8:2::1", port: 443 } : ipv4ServerAddress;
  const far = world.host("server", { addresses: [serverAddress.address] });
  const link = options.between?.(near, far) ?? world.link(near, far, { delayMs: 10, ...options.link });
  const servers: SessionRecorder[] = [];
  const listenAgain = (more: QuicServerOptions = {}): Promise<QuicListener> => {
    const server = { identity, alpn: ["test"], verify: trusting, ...options.server, ...more };
    return listen(far, serverAddress, server, (session) => {
      const recorder = new SessionRecorder();
      recorder.session = session;
      recorder.echoes = options.echoes ?? false;
      servers.push(recorder);
      return recorder;
    });
  };
  const listener = await listenAgain();
  const begin = (more: QuicClientOptions = {}): SessionRecorder => {
    const recorder = new SessionRecorder();
    const client = { serverName: "server.test", alpn: ["test"], verify: trusting, ...options.client, ...more };
    recorder.session = connect(near, serverAddress, client, recorder);
    return recorder;
  };
  return {
    near,
    far,
    link,
    listener,
    servers,
    client: begin(),
    connect: begin,
    listenAgain,
    get server() {
      return servers[0]!;
    },
  };
}

import { concat } from "../../src/bytes/index.js";
import type { Failure, SessionStreamSink, SocketAddress } from "../../src/contract/index.js";
import type { Link, LinkOptions, SimulatedHost, World } from "../../src/hosts/simulator/index.js";
import { isPkiFailure, parseCertificate } from "../../src/pki/index.js";
import {
  connect,
  type GquicClientOptions,
  type GquicListener,
  type GquicOutcome,
  type GquicServerOptions,
  type GquicSession,
  type GquicSink,
  type GquicStream,
  listen,
  type VerifyServer,
} from "../../src/protocols/gquic/index.js";
import { provider } from "./provider.js";
import { identityFor } from "./tls-pair.js";

/** Trusts whoever shows a certificate that parses: its signature of the config is checked all the same. */
export const trustingServer: VerifyServer = ({ chain }) => {
  const leaf = parseCertificate(chain[0]!);
  const publicKey = isPkiFailure(leaf) ? undefined : provider.publicKey(leaf.spki);
  if (publicKey === undefined) return { trusted: false, message: "it has no key" };
  return { trusted: true, peer: { kind: "certificate", chain, publicKey } };
};

export const gquicIdentity = identityFor("P-256");

/** A stream with all that it told. */
export class StreamRecorder implements SessionStreamSink {
  readonly told: string[] = [];
  readonly parts: Uint8Array[] = [];
  stream!: GquicStream;
  failure: Failure | undefined;
  resetCode: number | undefined;

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

  closed(failure?: Failure): void {
    this.told.push("closed");
    this.failure = failure;
  }
}

/** A session with all that it told. */
export class SessionRecorder implements GquicSink {
  readonly told: string[] = [];
  readonly streams: StreamRecorder[] = [];
  readonly datagrams: Uint8Array[] = [];
  session!: GquicSession;
  outcome: GquicOutcome | undefined;
  failure: Failure | undefined;
  /** Answers each of the peer's streams by sending back what came. */
  echoes = false;

  get isClosed(): boolean {
    return this.told.includes("closed");
  }

  open(options: Parameters<GquicSession["openStream"]>[1] = {}): StreamRecorder {
    const recorder = new StreamRecorder();
    recorder.stream = this.session.openStream(recorder, options);
    return recorder;
  }

  stream(stream: GquicStream): SessionStreamSink {
    const recorder = new StreamRecorder();
    recorder.stream = stream;
    this.streams.push(recorder);
    if (!this.echoes) return recorder;
    return {
      bytes: (bytes) => {
        recorder.bytes(bytes);
        stream.write(bytes);
      },
      ended: () => stream.finish(),
      drained: () => undefined,
      closed: () => undefined,
    };
  }

  confirmed(outcome: GquicOutcome): void {
    this.told.push("confirmed");
    this.outcome = outcome;
  }

  earlyData(status: string): void {
    this.told.push(`early data ${status}`);
  }

  moved(): void {
    this.told.push("moved");
  }

  datagram(bytes: Uint8Array): void {
    this.datagrams.push(bytes);
  }

  closed(failure?: Failure): void {
    this.told.push("closed");
    this.failure = failure;
  }
}

export interface GquicPair {
  readonly near: SimulatedHost;
  readonly far: SimulatedHost;
  readonly link: Link;
  readonly listener: GquicListener;
  readonly client: SessionRecorder;
  readonly servers: SessionRecorder[];
  readonly server: SessionRecorder;
  connect(options?: GquicClientOptions): SessionRecorder;
  listenAgain(options?: Partial<GquicServerOptions>): Promise<GquicListener>;
}

export interface GquicPairOptions {
  readonly client?: GquicClientOptions;
  readonly server?: Partial<GquicServerOptions>;
  readonly link?: LinkOptions;
  readonly echoes?: boolean;
  readonly between?: (near: SimulatedHost, far: SimulatedHost) => Link;
}

export const serverAddress: SocketAddress = { address: "198.51.100.1", port: 443 };

/** A client and a server on one link, and a connection that has been begun. */
export async function gquicPair(world: World, options: GquicPairOptions = {}): Promise<GquicPair> {
  const near = world.host("client", { addresses: ["192.0.2.1"] });
  const far = world.host("server", { addresses: [serverAddress.address] });
  const link = options.between?.(near, far) ?? world.link(near, far, { delayMs: 10, ...options.link });
  const servers: SessionRecorder[] = [];
  const listenAgain = (more: Partial<GquicServerOptions> = {}): Promise<GquicListener> =>
    listen(far, serverAddress, { identity: gquicIdentity, ...options.server, ...more }, (session) => {
      const recorder = new SessionRecorder();
      recorder.session = session;
      recorder.echoes = options.echoes ?? false;
      servers.push(recorder);
      return recorder;
    });
  const listener = await listenAgain();
  const begin = (more: GquicClientOptions = {}): SessionRecorder => {
    const recorder = new SessionRecorder();
    const client = { serverName: "server.test", verify: trustingServer, ...options.client, ...more };
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

import { equal } from "../../../bytes/index.js";
import type { Host, Network, SocketAddress } from "../../../contract/index.js";
import { bind, type ZrtpOptions, type ZrtpSession, zidSize } from "../../../protocols/zrtp/index.js";

/** What ZRTP's probes play on; a test puts other options in the place of those that a proof gives. */
export interface Stage {
  readonly host: Host;
  near(options: ZrtpOptions): ZrtpOptions;
  far(options: ZrtpOptions): ZrtpOptions;
  /** What a proof sees of a session. */
  view(session: ZrtpSession): ZrtpSession;
}

export const openStage = (host: Host): Stage => ({
  host,
  near: (options) => options,
  far: (options) => options,
  view: (session) => session,
});

/** One end of a call on the loopback. */
export interface End {
  readonly session: ZrtpSession;
  /** Media that came to it. */
  readonly media: Uint8Array[];
  readonly warnings: string[];
  /** What it sent, as it was on the wire. */
  readonly sent: Uint8Array[];
}

export interface Call extends Disposable {
  readonly near: End;
  readonly far: End;
}

const loopback: SocketAddress = { address: "127.0.0.1", port: 0 };

export const newZid = (host: Host): Uint8Array => host.entropy.fill(new Uint8Array(zidSize));

/** An end that calls `remote`, or without one waits to be called. */
export async function open(stage: Stage, given: ZrtpOptions, remote?: SocketAddress): Promise<End> {
  const { host } = stage;
  const options = remote === undefined ? stage.far(given) : stage.near(given);
  const end = { session: undefined! as ZrtpSession, media: [], warnings: [], sent: [] } as {
    -readonly [K in keyof End]: End[K];
  };
  const session = await bind(
    host,
    { local: loopback, ...(remote && { remote }) },
    options,
    {
      datagrams: (bytes) => void end.media.push(bytes.slice()),
      warning: (warning) => void end.warnings.push(warning),
      closed: () => undefined,
    },
    { network: observed(host.network, end.sent) },
  );
  end.session = stage.view(session);
  return end;
}

/** Two ends that call each other; both are secure unless they cannot be. */
export async function call(stage: Stage, near: ZrtpOptions, far: ZrtpOptions): Promise<Call> {
  const waiting = await open(stage, far);
  const calling = await open(stage, near, waiting.session.local);
  return {
    near: calling,
    far: waiting,
    [Symbol.dispose]: () => [calling, waiting].forEach(({ session }) => void session.abort()),
  };
}

export async function secure(stage: Stage, near: ZrtpOptions, far: ZrtpOptions): Promise<Call> {
  const made = await call(stage, near, far);
  try {
    await Promise.all([made.near.session.confirmed, made.far.session.confirmed]);
    await Promise.all([made.near.session.stored, made.far.session.stored]);
    return made;
  } catch (error) {
    made[Symbol.dispose]();
    throw error;
  }
}

/** The types of the ZRTP messages that an end sent. */
export const typesOf = ({ sent }: End): string[] =>
  sent.flatMap((packet) =>
    packet[0] === 0x10 ? [new TextDecoder("latin1").decode(packet.subarray(16, 24)).trimEnd()] : [],
  );

/** An RTP packet with a little payload. */
export function rtp(sequence: number): Uint8Array {
  const packet = Uint8Array.from({ length: 172 }, (_, i) => i * 7 + sequence);
  packet.set([0x80, 96, sequence >>> 8, sequence, 0, 0, 0, sequence, 0x5e, 0xa1, 0x90, 0x27]);
  return packet;
}

export async function crosses(from: End, to: End, packet: Uint8Array, signal: AbortSignal): Promise<number> {
  from.session.send(packet);
  await until(() => to.media.some((each) => equal(each, packet)), signal);
  return packet.length;
}

export async function until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
  while (!isSo()) {
    signal.throwIfAborted();
    await new Promise((later) => setTimeout(later, 2));
  }
}

/** The host's network, with what is sent noted. */
function observed(network: Network, sent: Uint8Array[]): Pick<Network, "bindDatagrams"> & Network {
  return {
    name: network.name,
    resolve: network.resolve.bind(network),
    connectStream: network.connectStream.bind(network),
    listenStreams: network.listenStreams.bind(network),
    interfaces: network.interfaces.bind(network),
    async bindDatagrams(local, sink, options) {
      const port = await network.bindDatagrams(local, sink, options);
      return {
        get local() {
          return port.local;
        },
        get blocked() {
          return port.blocked;
        },
        send(bytes, to, segmentSize, ecn) {
          sent.push(bytes.slice());
          port.send(bytes, to, segmentSize, ecn);
        },
        set: (option, value) => port.set(option, value),
        close: () => port.close(),
        ref: () => port.ref(),
        unref: () => port.unref(),
      };
    },
  };
}

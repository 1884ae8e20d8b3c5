import type { CryptoProvider, Entropy, Instant, SocketAddress, Trace, Zlib } from "../../../contract/index.js";
import { IdleTimer } from "../../../mechanisms/idle.js";
import { PathMtu } from "../../../mechanisms/pmtu/index.js";
import { ReceivedPackets, Recovery, type SentContents } from "../../../mechanisms/recovery/index.js";
import { Held } from "../contents.js";
import { type DropReason, noDrops } from "../counters.js";
import type { PeerParameters } from "../handshake/parameters.js";
import { ownLimits } from "../handshake/parameters.js";
import type { ServerGround } from "../handshake/server.js";
import { defaults, limits, mtuUsual, udpPayloadMin, udpPayloadUsual } from "../limits.js";
import { MessageQueue } from "../messages-queue.js";
import type { GquicClientOptions, GquicServerOptions } from "../options.js";
import type { Settings } from "../settings.js";
import { Streams } from "../streams/streams.js";
import type { ConnectionEvent, ConnectionNumber } from "../vocabulary.js";
import { Level } from "../wire/header.js";
import type { Version } from "../wire/versions.js";
import { Closing } from "./closing.js";
import { CryptoSender, newReceivers } from "./crypto-stream.js";
import { Keyring } from "./keyring.js";
import { Path } from "./path.js";

/** What connections of one endpoint share. */
export interface Ground {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  readonly zlib: Zlib;
  readonly settings: Settings;
  readonly options: GquicClientOptions | GquicServerOptions;
  /** Server. */
  readonly server: ServerGround | undefined;
  readonly trace: Trace | undefined;
}

/** With what a connection begins. */
export interface Beginning {
  readonly number: ConnectionNumber;
  readonly version: Version;
  readonly cid: Uint8Array;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}

/** The parts of a connection, and the few facts that several of them look at. No behaviour of its own. */
export class Core {
  readonly ground: Ground;
  readonly number: ConnectionNumber;
  readonly isClient: boolean;
  readonly cid: Uint8Array;
  version: Version;
  readonly keyring: Keyring;
  crypto: CryptoSender;
  receivers: ReturnType<typeof newReceivers>;
  /** One number space for all levels. */
  readonly received = new ReceivedPackets(defaults.ackDelayMaxMs);
  readonly recovery: Recovery;
  readonly streams: Streams;
  readonly messages = new MessageQueue(limits.datagramQueueMax);
  path: Path;
  mtu: PathMtu;
  readonly idle: IdleTimer;
  readonly closing = new Closing();

  /** Number of the next packet. */
  next = 1;
  /** The first that was sent under keys: what is in the clear acknowledges nothing from there on. */
  firstKeyed = Number.POSITIVE_INFINITY;
  /** Levels below are accepted no more. */
  readLevel: Level = Level.clear;
  /** Client: the server has answered, so it knows the version. */
  isHeard = false;
  /** There are forward-secure keys; and the peer has shown that it has them, too. */
  isComplete = false;
  isConfirmed = false;
  peer: PeerParameters | undefined;
  pingWanted = false;
  /** Client: what ends a packet of a server that has forgotten us. */
  resetToken: Uint8Array | undefined;
  earlyData: "none" | "offered" | "accepted" | "rejected" = "none";
  /** Streams that came first as early data, and have not been told. */
  readonly earlyStreams = new Set<number>();
  readonly events: ConnectionEvent[] = [];
  #mtuSeen: number = udpPayloadUsual;
  packetsSent = 0;
  packetsReceived = 0;
  bytesSent = 0;
  bytesReceived = 0;
  readonly dropped = noDrops();

  constructor(
    ground: Ground,
    { number, version, cid, local, remote }: Beginning,
    contents: SentContents,
    now: Instant,
  ) {
    const { settings } = ground;
    this.ground = ground;
    this.number = number;
    this.isClient = ground.server === undefined;
    this.cid = cid;
    this.version = version;
    this.keyring = new Keyring(ground.crypto, this.isClient, version, cid);
    this.crypto = new CryptoSender(version.cryptoFrames);
    this.receivers = newReceivers(version.cryptoFrames);
    this.recovery = new Recovery({
      spaces: 1,
      // Whether the server may answer is no question here: it never waits for an unproved address.
      isClient: false,
      packetSize: udpPayloadUsual,
      controller: settings.congestion,
      contents,
      pacing: settings.pacing,
    });
    this.recovery.setKeys(0, true);
    this.recovery.maxAckDelayMs = defaults.ackDelayMaxMs;
    this.streams = new Streams({
      isClient: this.isClient,
      firstClient: version.cryptoFrames ? 1 : 3,
      limits: ownLimits(settings),
      connectionWindowMax: settings.receiveWindowMax,
      streamWindowMax: settings.streamReceiveWindowMax,
      rtt: this.recovery.rtt,
    });
    this.path = new Path(local, remote, this.isClient);
    this.mtu = this.newMtu();
    this.idle = new IdleTimer(settings.idleTimeoutMs, settings.keepAliveMs, now);
  }

  newMtu(): PathMtu {
    const wideMax = this.ground.settings.mtuMax;
    return new PathMtu({
      base: udpPayloadMin,
      start: udpPayloadUsual,
      max: Math.min(mtuUsual, wideMax),
      wideMax,
    });
  }

  /** Another address: what was learned of the old path no longer holds. */
  forgetPath(): void {
    this.mtu = this.newMtu();
    this.recovery.newPath(this.mtu.current);
  }

  /** What acknowledgements and timeouts say about the size of packets that the path carries. */
  followMtu(now: Instant): void {
    const { mtu, recovery } = this;
    if (recovery.missedSizeMax > 0) mtu.missed(recovery.missedSizeMax, now, recovery.rtt.smoothedMs);
    if (mtu.current === this.#mtuSeen) return;
    if (mtu.current < this.#mtuSeen) this.messages.dropLonger(this.datagramMax);
    this.#mtuSeen = mtu.current;
    this.emit({ kind: "mtu", connection: this.number, size: mtu.current });
    recovery.setPacketSize(mtu.current);
  }

  /** Longest message that a MESSAGE frame carries now. */
  get datagramMax(): number {
    if (!this.version.messages || !this.isComplete) return 0;
    return this.mtu.current - messageOverhead;
  }

  get ptoMs(): number {
    return this.recovery.ptoMs(0);
  }

  emit(event: ConnectionEvent): void {
    this.events.push(event);
  }

  drop(reason: DropReason, now: Instant): void {
    this.dropped[reason]++;
    this.trace("packet_dropped", now, { trigger: reason });
  }

  trace(name: string, at: Instant, data: Readonly<Record<string, unknown>>): void {
    this.ground.trace?.({ at, protocol: "gQUIC", name: `gquic:${name}`, data: { connection: this.number, ...data } });
  }
}

/** A short header with id and number, a tag, a MESSAGE frame's type and length. */
const messageOverhead = 1 + 8 + 4 + 16 + 3;

/** Tells each part what became of what it had sent. */
export class Delivery implements SentContents {
  core!: Core;

  acknowledged(_space: number, kind: number, id: number, from: number, to: number): void {
    const { core } = this;
    if (kind === Held.crypto) core.crypto.acknowledged(id, from, to);
    else if (kind === Held.ack) core.received.confirmedBelow(to);
    else if (kind === Held.mtuProbe) core.mtu.acknowledged(to);
    else if (kind === Held.message) core.messages.settled(id, "acknowledged");
    else core.streams.acknowledged(kind, id, from, to);
  }

  lost(_space: number, kind: number, id: number, from: number, to: number): void {
    const { core } = this;
    if (kind === Held.crypto) core.crypto.lost(id, from, to);
    else if (kind === Held.mtuProbe) core.mtu.probeLost(to);
    else if (kind === Held.message) core.messages.settled(id, "lost");
    else if (kind !== Held.ack) core.streams.lost(kind, id, from, to);
  }

  packetLost(_space: number, number: number, now: Instant): void {
    this.core.trace("packet_lost", now, { number });
  }
}

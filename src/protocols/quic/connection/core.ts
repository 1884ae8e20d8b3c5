import type { CryptoProvider, Entropy, Instant, SocketAddress, Trace } from "../../../contract/index.js";
import { EcnValidator } from "../../../mechanisms/ecn.js";
import { IdleTimer } from "../../../mechanisms/idle.js";
import { PathMtu } from "../../../mechanisms/pmtu/index.js";
import { initialRttMsDefault, Recovery, type SentContents } from "../../../mechanisms/recovery/index.js";
import { OwnCids, PeerCids, type ResetTokens } from "../cids/index.js";
import { DatagramQueue } from "../datagrams.js";
import { limits, mtuUsual, udpPayloadMin } from "../limits.js";
import type { ConnectionIdGenerator, QuicClientOptions, QuicServerOptions } from "../options.js";
import { OneRttProtection } from "../protection/one-rtt.js";
import { initialProtection, type Protection } from "../protection/protection.js";
import type { Version } from "../protection/versions.js";
import type { Settings } from "../settings.js";
import { Streams } from "../streams/index.js";
import type { AddressTokens } from "../tokens.js";
import type { ConnectionNumber, QuicEvent } from "../vocabulary.js";
import type { PreferredAddress, TransportParameters } from "../wire/transport-parameters.js";
import { Closing } from "./closing.js";
import { ownParameters, streamLimits } from "./parameters.js";
import { Path } from "./path.js";
import { Paths } from "./paths.js";
import { Space, SpaceId } from "./space.js";
import type { TlsGlue } from "./tls.js";
import { Tracer } from "./tracer.js";

/** A 1-RTT packet's first byte, packet number and tag; a DATAGRAM frame's type and length. */
const oneRttOverhead = 1 + 4 + 16;
const datagramFrameOverhead = 3;

/** Probe timeout of a path of which nothing is known (RFC 9002 §6.2.2). */
const ptoMsInitial = 3 * initialRttMsDefault;

/** What connections of one endpoint share. */
export interface Ground {
  readonly role: "client" | "server";
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  readonly settings: Settings;
  readonly options: QuicClientOptions | QuicServerOptions;
  readonly generator: ConnectionIdGenerator;
  /** Server: stateless reset tokens of its ids, and tokens that prove addresses. */
  readonly resetTokens: ResetTokens | undefined;
  readonly addressTokens: AddressTokens | undefined;
  readonly trace: Trace | undefined;
}

/** With what a connection begins. */
export interface Beginning {
  readonly number: ConnectionNumber;
  readonly version: Version;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /** Of the client's first Initial packet; after a Retry, of the one before it. */
  readonly originalDcid: Uint8Array;
  /** The id in the Initial packets that we begin with: keys follow from it. */
  readonly dcid: Uint8Array;
  /** Our own first id. */
  readonly ownCid: Uint8Array;
  /** The client's first id, on a server. */
  readonly peerCid: Uint8Array;
  readonly retryScid: Uint8Array | undefined;
  /** The peer's address has proved itself already: by a token. */
  readonly isValidated: boolean;
  /** Client: the version with which we began, before a Version Negotiation. */
  readonly refused: Version | undefined;
}

/**
 * The parts of a connection, and the few facts that several of them look at. No behaviour of its own: packets come in by
 * `Inbound`, go out by `Outbound`, and `Connection` does what neither of them can.
 */
export class Core {
  readonly ground: Ground;
  readonly number: ConnectionNumber;
  readonly isClient: boolean;
  readonly beginning: Beginning;
  /** The negotiated version, or the one with which it began. */
  version: Version;
  originalVersion: Version;
  /** Client: a packet of the server's has shown which version it is to be. */
  isVersionKnown: boolean;

  /** Only if somebody listens. */
  readonly tracer: Tracer | undefined;
  readonly spaces: readonly [Space, Space, Space];
  /** Initial packets of the version from before a compatible change (RFC 9369 §4.1), on a server. */
  otherInitialRead: Protection | undefined;
  /** 0-RTT keys stand in the application space; these are for everything after. */
  oneRtt: OneRttProtection;
  readonly recovery: Recovery;
  readonly streams: Streams;
  readonly datagrams = new DatagramQueue(limits.datagramQueueMax);
  readonly ownCids: OwnCids;
  readonly peerCids: PeerCids;
  readonly paths: Paths;
  mtu: PathMtu;
  ecn: EcnValidator;
  readonly idle: IdleTimer;
  readonly closing = new Closing();
  tls!: TlsGlue;

  /** The client's first Destination Connection ID, or the Retry's Source Connection ID. */
  initialDcid: Uint8Array;
  /** The one in the very first packet, which the server must have seen (§7.3). */
  firstDcid: Uint8Array;
  /** Server: where it wants to be spoken to, with an id of its own. */
  ownPreferredAddress: PreferredAddress | undefined;
  /** Token of a Retry or of NEW_TOKEN, in every Initial packet of a client. */
  token: Uint8Array = new Uint8Array(0);
  retryScid: Uint8Array | undefined;
  /** Source Connection ID of the peer's first packet. */
  peerInitialCid: Uint8Array | undefined;
  peer: TransportParameters | undefined;
  own: Partial<TransportParameters> = {};

  /** Any packet of the peer's has been opened. */
  isHeard = false;
  /** What came too early can be looked at again. */
  hasNewReadKeys = false;
  /** TLS is done (RFC 9001 §4.1.1), and both sides know it (§4.1.2). */
  isComplete = false;
  isConfirmed = false;
  handshakeDoneWanted = false;
  pingWanted = false;
  keyUpdateWanted = false;
  /** NEW_TOKEN that is to be sent; and the last one, which is to be sent again if it is lost. */
  newToken: Uint8Array | undefined;
  lastToken: Uint8Array | undefined;
  zeroRtt: "none" | "offered" | "accepted" | "rejected" = "none";
  /** Streams that came first as 0-RTT, and have not been told. */
  earlyStreams: Set<number> | undefined;

  readonly events: QuicEvent[] = [];
  #mtuSeen: number = udpPayloadMin;
  packetsSent = 0;
  packetsReceived = 0;
  packetsDropped = 0;
  bytesSent = 0;
  bytesReceived = 0;

  constructor(ground: Ground, beginning: Beginning, contents: SentContents, now: Instant) {
    const { settings, crypto, entropy } = ground;
    this.ground = ground;
    this.beginning = beginning;
    this.number = beginning.number;
    this.isClient = ground.role === "client";
    this.version = this.originalVersion = beginning.version;
    this.isVersionKnown = !this.isClient;
    this.initialDcid = this.firstDcid = beginning.dcid;
    this.retryScid = beginning.retryScid;
    this.spaces = [
      new Space(SpaceId.initial, 0),
      new Space(SpaceId.handshake, 0),
      new Space(SpaceId.application, settings.ackDelayMaxMs),
    ];
    this.oneRtt = new OneRttProtection(crypto, this.version, settings.packetsPerKeyMax);
    this.recovery = new Recovery({
      spaces: 3,
      isClient: this.isClient,
      packetSize: udpPayloadMin,
      controller: settings.congestion,
      contents,
      pacing: settings.pacing,
    });
    this.streams = new Streams({
      isClient: this.isClient,
      limits: streamLimits(ownParameters(settings, {}, this.version)),
      connectionWindowMax: settings.receiveWindowMax,
      streamWindowMax: settings.streamReceiveWindowMax,
      rtt: this.recovery.rtt,
    });
    this.ownCids = new OwnCids({
      generator: ground.generator,
      entropy,
      tokens: ground.resetTokens,
      initial: beginning.ownCid,
    });
    this.peerCids = new PeerCids({ limit: settings.activeConnectionIds });
    const first = this.isClient ? beginning.dcid : beginning.peerCid;
    this.peerCids.initial(first);
    const state = { isValidated: this.isClient || beginning.isValidated, isLimited: !this.isClient };
    const path = new Path(beginning.local, beginning.remote, state, first, 0);
    this.paths = new Paths(path);
    this.mtu = this.newMtu();
    this.ecn = new EcnValidator(settings.ecn);
    this.idle = new IdleTimer(settings.idleTimeoutMs, settings.keepAliveMs, now);
    this.installInitialKeys();
    if (ground.trace !== undefined) {
      this.tracer = new Tracer(this, ground.trace);
      this.tracer.started(beginning.local, beginning.remote, now);
    }
  }

  /** Another path: what was learned of the old one no longer holds (RFC 9000 §9.4). */
  forgetPath(): void {
    this.mtu = this.newMtu();
    this.ecn = new EcnValidator(this.ground.settings.ecn);
    this.recovery.newPath(this.mtu.current);
  }

  /** What acknowledgements and timeouts say about the size of packets that the path carries. */
  followMtu(now: Instant): void {
    const { mtu, recovery } = this;
    if (recovery.missedSizeMax > 0) mtu.missed(recovery.missedSizeMax, now, recovery.rtt.smoothedMs);
    if (mtu.current < this.#mtuSeen) this.datagrams.dropLonger(this.datagramMax);
    if (mtu.current !== this.#mtuSeen) this.emit({ kind: "mtu", connection: this.number, size: mtu.current });
    this.#mtuSeen = mtu.current;
    recovery.setPacketSize(mtu.current);
  }

  /** Longest message that a DATAGRAM frame carries now: what the peer takes, and what fits into a packet. */
  get datagramMax(): number {
    const max = this.peer?.maxDatagramFrameSize ?? 0;
    if (max === 0) return 0;
    const room = this.mtu.current - oneRttOverhead - this.paths.current.cid.length;
    return Math.max(0, Math.min(max, room) - datagramFrameOverhead);
  }

  newMtu(): PathMtu {
    const wideMax = Math.min(this.ground.settings.mtuMax, this.peer?.maxUdpPayloadSize ?? Number.POSITIVE_INFINITY);
    return new PathMtu({ base: udpPayloadMin, max: Math.min(mtuUsual, wideMax), wideMax });
  }

  /** Keys that follow from the version and an id alone (RFC 9001 §5.2). */
  installInitialKeys(): void {
    const [initial] = this.spaces;
    initial.write?.destroy();
    const { read, write } = initialProtection(this.ground.crypto, this.version, this.initialDcid, this.ground.role);
    initial.read = read;
    initial.write = write;
    this.recovery.setKeys(SpaceId.initial, true);
  }

  /** All keys from here on are of that version; there are none yet but Initial ones. */
  setVersion(version: Version): void {
    if (version === this.version) return;
    this.version = version;
    this.oneRtt = new OneRttProtection(this.ground.crypto, version, this.ground.settings.packetsPerKeyMax);
  }

  /** Probe timeout of the latest space, which other timers are multiples of. */
  get ptoMs(): number {
    return this.recovery.ptoMs(SpaceId.application);
  }

  /** Before a path is given up: it may be a longer one than ours (RFC 9000 §8.2.4). */
  get patienceMs(): number {
    return 3 * Math.max(this.ptoMs, ptoMsInitial);
  }

  emit(event: QuicEvent): void {
    this.events.push(event);
  }
}

import type { Prefix } from "../../bytes/index.js";
import type { Instant, PeerIdentity, Secret, SocketAddress } from "../../contract/index.js";
import type { FramingName } from "./data/framing.js";
import type { Session } from "./session.js";

/** What a server gives a client that it lets in. */
export interface Admission {
  /** Its addresses inside, each with its network's length: one of IPv4, one of IPv6, or both. */
  readonly addresses: readonly Prefix[];
  /** Networks behind it. */
  readonly routes?: readonly Prefix[];
  /** Options that are pushed to it beside what makes the tunnel: `route …`, `dhcp-option …`. */
  readonly push?: readonly string[];
}

/** What is known of a client that asks to be let in. */
export interface Applicant {
  readonly from: SocketAddress;
  readonly peer: PeerIdentity | undefined;
  readonly user: string | undefined;
  readonly password: Secret | undefined;
  readonly peerInfo: ReadonlyMap<string, string>;
}

/** One client of a server: its session, where it is, what it was given, its counters. */
export class Guest {
  readonly session: Session;
  readonly peerId: number;
  /** Its session ID in hex: by which it is found. */
  readonly sessionKey: string;
  readonly bornAt: Instant;
  address: SocketAddress;
  admission: Admission | undefined;
  wantsPush = false;
  user: string | undefined;
  password: Secret | undefined;
  peer: PeerIdentity | undefined;
  peerInfo: ReadonlyMap<string, string> = new Map();
  cipher: string | undefined;
  framing: FramingName = "none";
  receivedAt: Instant;
  sentAt: Instant;
  isPingDue = false;
  handshakes = 0;
  lastHandshakeAt: Instant | undefined;
  bytesSent = 0;
  bytesReceived = 0;
  packetsSent = 0;
  packetsReceived = 0;

  constructor(session: Session, peerId: number, address: SocketAddress, sessionKey: string, now: Instant) {
    this.session = session;
    this.peerId = peerId;
    this.address = address;
    this.sessionKey = sessionKey;
    this.bornAt = now;
    this.receivedAt = now;
    this.sentAt = now;
  }

  get isUp(): boolean {
    return this.cipher !== undefined;
  }

  /** `IV_PROTO`: what it can. */
  can(bit: number): boolean {
    return ((Number(this.peerInfo.get("IV_PROTO") ?? 0) >>> 0) & bit) !== 0;
  }

  get status(): GuestStatus {
    const { peerId, address, peer, user, cipher, handshakes, lastHandshakeAt } = this;
    const { bytesSent, bytesReceived, packetsSent, packetsReceived } = this;
    const addresses = this.admission?.addresses ?? [];
    const counts = { bytesSent, bytesReceived, packetsSent, packetsReceived };
    return { peerId, address: { ...address }, peer, user, cipher, addresses, handshakes, lastHandshakeAt, ...counts };
  }

  destroy(): void {
    this.session.destroy();
    this.password?.wipe();
  }
}

export interface GuestStatus {
  readonly peerId: number;
  readonly address: SocketAddress;
  readonly peer: PeerIdentity | undefined;
  readonly user: string | undefined;
  /** Absent until it is let in. */
  readonly cipher: string | undefined;
  readonly addresses: readonly Prefix[];
  readonly handshakes: number;
  readonly lastHandshakeAt: Instant | undefined;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
}

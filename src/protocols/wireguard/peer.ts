import type { Prefix } from "../../bytes/index.js";
import { type Entropy, earliest, type Instant, type Secret, type SocketAddress } from "../../contract/index.js";
import { CookieKeeper } from "./cookies.js";
import type { PeerKeys, SentInitiation } from "./handshake.js";
import {
  keepaliveTimeoutMs,
  rekeyAttemptMs,
  rekeyJitterMaxMs,
  rekeyTimeoutMs,
  stagedPacketsMax,
  wipeAfterMs,
} from "./limits.js";
import type { KeyPair, Suite } from "./noise.js";
import type { Session } from "./session.js";

export interface PeerConfig {
  /** 32 bytes; the peer's whole identity. */
  readonly publicKey: Uint8Array;
  readonly preSharedKey?: Secret;
  /** Inner sources that are believed and destinations that are routed to this peer. */
  readonly allowedIps: readonly Prefix[];
  /** Where the peer was last known to be; learned when it speaks first. */
  readonly endpoint?: SocketAddress;
  /** An empty packet after this much silence, to keep a NAT open. Off by default. */
  readonly persistentKeepaliveMs?: number;
}

export interface PeerStatus {
  readonly publicKey: Uint8Array;
  readonly endpoint: SocketAddress | undefined;
  readonly lastHandshakeAt: Instant | undefined;
  readonly handshakes: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
}

/** Staged in place of a packet: what goes out is then a keepalive (§6.5). */
export const keepaliveOnly = new Uint8Array(0);

/** What became due. */
export type PeerDuty = "send-keepalive" | "initiate" | "retry" | "give-up" | "wipe";

/** One peer: its sessions, its timers (§6), its packets that wait for a handshake, its counters. */
export class Peer implements PeerKeys {
  readonly publicKey: Uint8Array;
  readonly preSharedKey: Secret | undefined;
  readonly cookies: CookieKeeper;
  readonly allowedIps: readonly Prefix[];
  readonly #persistentKeepaliveMs: number;
  readonly #entropy: Entropy;
  #shared: Secret | undefined;

  endpoint: SocketAddress | undefined;
  initiation: SentInitiation | undefined;
  previous: Session | undefined;
  current: Session | undefined;
  /** A responder's new session, not confirmed by the initiator's first packet yet (§6.2). */
  next: Session | undefined;
  /** What was in use before `previous`, oldest first: only for packets that are still on their way. */
  readonly retired: Session[] = [];
  /** Greatest timestamp that this peer has proved (§5.1). */
  timestamp = new Uint8Array(12);
  lastInitiationAt: Instant | undefined;
  readonly staged: Uint8Array[] = [];

  bytesSent = 0;
  bytesReceived = 0;
  packetsSent = 0;
  packetsReceived = 0;
  handshakes = 0;
  lastHandshakeAt: Instant | undefined;

  // The timers, each a moment or nothing.
  #retryAt: Instant | undefined;
  #keepaliveAt: Instant | undefined;
  #newHandshakeAt: Instant | undefined;
  #wipeAt: Instant | undefined;
  #persistentAt: Instant | undefined;
  #anotherKeepalive = false;
  #attemptsSince: Instant | undefined;
  #initiatedAt: Instant | undefined;

  constructor(suite: Suite, config: PeerConfig, entropy: Entropy) {
    this.publicKey = config.publicKey;
    this.preSharedKey = config.preSharedKey;
    this.allowedIps = config.allowedIps;
    this.endpoint = config.endpoint;
    this.cookies = new CookieKeeper(suite, config.publicKey);
    this.#persistentKeepaliveMs = config.persistentKeepaliveMs ?? 0;
    this.#entropy = entropy;
  }

  get status(): PeerStatus {
    const { publicKey, endpoint, lastHandshakeAt, handshakes } = this;
    const { bytesSent, bytesReceived, packetsSent, packetsReceived } = this;
    return { publicKey, endpoint, lastHandshakeAt, handshakes, bytesSent, bytesReceived, packetsSent, packetsReceived };
  }

  /** Worked out once: a fifth of a handshake's key agreements. */
  sharedWith(suite: Suite, own: KeyPair): Secret | undefined {
    this.#shared ??= suite.dh.conclude(own.privateKey, this.publicKey);
    return this.#shared;
  }

  /** The peer is no more. */
  forget(): void {
    this.#shared?.wipe();
    this.#shared = undefined;
  }

  /** Keeps a packet for after the handshake. False if the oldest had to go for it. */
  stage(packet: Uint8Array): boolean {
    this.staged.push(packet);
    if (this.staged.length <= stagedPacketsMax) return true;
    this.staged.shift();
    return false;
  }

  /** May an initiation go out now? One to a peer in five seconds (§6.4). */
  mayInitiate(now: Instant): boolean {
    return this.#initiatedAt === undefined || now - this.#initiatedAt >= rekeyTimeoutMs;
  }

  initiated(now: Instant): void {
    this.#initiatedAt = now;
    this.#attemptsSince ??= now;
    this.#retryAt = now + rekeyTimeoutMs + this.#jitter();
    this.sentAuthenticated(now);
  }

  /** Data went out: an answer of any kind is due. */
  sentData(now: Instant): void {
    this.#newHandshakeAt ??= now + keepaliveTimeoutMs + rekeyTimeoutMs + this.#jitter();
  }

  receivedData(now: Instant): void {
    if (this.#keepaliveAt === undefined) this.#keepaliveAt = now + keepaliveTimeoutMs;
    else this.#anotherKeepalive = true;
  }

  /** Anything that the peer can authenticate went out. */
  sentAuthenticated(now: Instant): void {
    this.#keepaliveAt = undefined;
    this.#armPersistent(now);
  }

  /** Anything authentic came in. */
  receivedAuthenticated(now: Instant): void {
    this.#newHandshakeAt = undefined;
    this.#armPersistent(now);
  }

  derivedSession(now: Instant): void {
    this.#wipeAt = now + wipeAfterMs;
  }

  completedHandshake(now: Instant): void {
    this.#retryAt = undefined;
    this.#attemptsSince = undefined;
    this.lastHandshakeAt = now;
    this.handshakes++;
  }

  deadline(): Instant | undefined {
    return earliest(
      earliest(earliest(this.#retryAt, this.#keepaliveAt), earliest(this.#newHandshakeAt, this.#wipeAt)),
      this.#persistentAt,
    );
  }

  /** Takes the next thing that is due; each is disarmed as it is taken. */
  due(now: Instant): PeerDuty | undefined {
    if (this.#retryAt !== undefined && now >= this.#retryAt) {
      this.#retryAt = undefined;
      if (this.#attemptsSince !== undefined && now - this.#attemptsSince < rekeyAttemptMs) return "retry";
      this.#attemptsSince = undefined;
      this.#keepaliveAt = undefined;
      this.#wipeAt ??= now + wipeAfterMs;
      return "give-up";
    }
    if (this.#keepaliveAt !== undefined && now >= this.#keepaliveAt) {
      this.#keepaliveAt = this.#anotherKeepalive ? now + keepaliveTimeoutMs : undefined;
      this.#anotherKeepalive = false;
      return "send-keepalive";
    }
    if (this.#newHandshakeAt !== undefined && now >= this.#newHandshakeAt) {
      this.#newHandshakeAt = undefined;
      return "initiate";
    }
    if (this.#persistentAt !== undefined && now >= this.#persistentAt) {
      this.#persistentAt = undefined;
      return "send-keepalive";
    }
    if (this.#wipeAt !== undefined && now >= this.#wipeAt) {
      this.#wipeAt = undefined;
      return "wipe";
    }
    return undefined;
  }

  /** Starts the persistent keepalive of a peer that has one. */
  start(now: Instant): void {
    if (this.#persistentKeepaliveMs > 0 && this.endpoint !== undefined) this.#persistentAt = now;
  }

  /** A new attempt by the application or by traffic: the ninety seconds start anew. */
  renewAttempts(now: Instant): void {
    this.#attemptsSince = now;
  }

  #armPersistent(now: Instant): void {
    if (this.#persistentKeepaliveMs > 0) this.#persistentAt = now + this.#persistentKeepaliveMs;
  }

  #jitter(): number {
    const [a, b] = this.#entropy.fill(new Uint8Array(2));
    return (((a! << 8) | b!) / 65_536) * rekeyJitterMaxMs;
  }
}

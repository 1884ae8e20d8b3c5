import type {
  AskOf,
  DatagramPort,
  DatagramSink,
  Ecn,
  Failure,
  Host,
  KeyExpiry,
  PeerIdentity,
  SocketAddress,
} from "../../contract/index.js";
import { demultiplex, type SharedProtocol } from "../../mechanisms/demultiplex.js";
import { DatagramDriver } from "../../mechanisms/driver/index.js";
import {
  type Layered as LayeredSrtp,
  type MasterKey,
  type SrtpProfileName,
  type SrtpSession,
  over as srtpOver,
} from "../srtp/index.js";
import type { Association } from "./association.js";
import { keyOf, type RetainedSecrets } from "./cache.js";
import type { ZrtpEvent, ZrtpInput, ZrtpWarning } from "./events.js";
import { type DropCounts, failure } from "./failure.js";
import type { HelloHash } from "./hello-hash.js";
import { comparingMs } from "./limits.js";
import { Zrtp } from "./machine.js";
import { zidSize } from "./messages/frame.js";
import type { ZrtpOptions } from "./options.js";
import type { ZrtpOutcome } from "./outcome.js";
import type { ZrtpInterfaces } from "./profile.js";
import type { Sas } from "./sas.js";

/**
 * SRTP whose keys come from a ZRTP key agreement on the same flow (RFC 6189). Like plain SRTP it is a `DatagramPort` whose messages
 * are RTP and RTCP packets; before `confirmed` none goes out and none comes in.
 */
export interface ZrtpSession extends DatagramPort, ZrtpInterfaces {
  readonly protocol: "ZRTP";
  /** Where the peer is, as far as it is known. */
  readonly remote: SocketAddress | undefined;
  /** Of the RTP stream that we send; RTP packets are to have it. */
  readonly ssrc: number;
  /** For `a=zrtp-hash` of our signalling: `formatHelloHash` writes the line. */
  readonly helloHash: HelloHash;
  /** What was agreed on; undefined before it is. */
  readonly outcome: ZrtpOutcome | undefined;
  readonly profile: SrtpProfileName | undefined;
  /** The record protocol once it has keys: counts of what was dropped. */
  readonly srtp: SrtpSession | undefined;
  /** Makes other media streams of the call: an option of their sessions. Undefined before this one is secure. */
  readonly association: Association | undefined;
  /** Resolves when both sides have confirmed the keys. */
  readonly confirmed: Promise<ZrtpSession>;
  /** Resolves when the cache has all that was to be retained so far. */
  readonly stored: Promise<unknown>;
  /** IV: what the users found when they compared `outcome.words`. False ends the session. */
  compared(same: boolean): void;
  /** The user trusts the PBX that asked for it (`enrollment`, §7.3.1). */
  enroll(): void;
  /** ZRTP packets that were dropped, by reason. */
  readonly drops: Readonly<DropCounts>;
  /** Media that came before there were keys, and were dropped. */
  readonly early: number;
  /** Forgets the session without a word. */
  abort(): void;
}

/** `datagrams` gives one RTP or RTCP packet at a time. */
export interface ZrtpSink extends DatagramSink {
  confirmed?(session: ZrtpSession): void;
  /** What the user should know. */
  warning?(warning: ZrtpWarning, message: string): void;
  /** A trusted PBX's SAS with the other party, which is what the users compare (§7.3). */
  relayed?(words: Sas): void;
  /** Datagrams of other protocols on the flow (RFC 7983), lent. Without it they are dropped. */
  foreign?(bytes: Uint8Array, from: SocketAddress, protocol: SharedProtocol | undefined): void;
}

/** The parts of a flow: ZRTP's machine, and SRTP once there are keys. */
export class FlowSession implements ZrtpSession, DatagramSink {
  readonly protocol = "ZRTP";
  readonly confirmed: Promise<ZrtpSession>;
  early = 0;
  /** What is under way to the cache. */
  stored: Promise<unknown> = Promise.resolve();
  outcome: ZrtpOutcome | undefined;
  profile: SrtpProfileName | undefined;
  readonly #host: Host;
  readonly #options: ZrtpOptions;
  readonly #sink: ZrtpSink;
  readonly #machine: Zrtp;
  readonly #driver: DatagramDriver<ZrtpInput, ZrtpEvent>;
  readonly #expiring = new Set<(why: KeyExpiry) => void>();
  #inner: DatagramSink | undefined;
  #port: DatagramPort | undefined;
  #srtp: LayeredSrtp | undefined;
  #isConfirmed = false;
  #resolve!: (session: ZrtpSession) => void;
  #reject!: (failure: unknown) => void;
  #closed = false;

  constructor(host: Host, options: ZrtpOptions, remote: SocketAddress | undefined, sink: ZrtpSink) {
    this.#host = host;
    this.#options = options;
    this.#sink = sink;
    const { crypto, entropy } = host;
    const { zid = options.association?.zid ?? entropy.fill(new Uint8Array(zidSize)), verify, cache, ...rest } = options;
    this.#machine = new Zrtp(
      {
        ...rest,
        crypto,
        entropy,
        zid,
        cached: cache !== undefined,
        asksWords: verify !== undefined,
        ...(remote === undefined ? { waits: true } : { remote }),
      },
      host.now(),
    );
    this.#driver = new DatagramDriver<ZrtpInput, ZrtpEvent>(
      host,
      this.#machine,
      {
        event: (event) => this.#told(event),
        answer: (question, signal) => this.#answer(question, signal),
        writable: () => sink.writable?.(),
        softError: (failure) => sink.softError?.(failure),
        closed: (failure) => this.#ended(failure),
      },
      verify === undefined ? {} : { questionTimeoutMs: comparingMs },
    );
    this.confirmed = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.confirmed.catch(() => undefined);
  }

  attach(port: DatagramPort): void {
    if (this.#port !== undefined) throw new TypeError("the session stands on a port already");
    this.#port = port;
    const bindDatagrams = async (_local: SocketAddress, sink: DatagramSink) => {
      this.#inner = sink;
      return this.#carrier(port);
    };
    void this.#driver.bind({ bindDatagrams }, port.local);
  }

  get local(): SocketAddress {
    return this.#port?.local ?? nowhere;
  }

  get remote(): SocketAddress | undefined {
    return this.#srtp?.session.remote ?? this.#machine.remote;
  }

  get ssrc(): number {
    return this.#machine.ssrc;
  }

  get helloHash(): HelloHash {
    return this.#machine.helloHash;
  }

  get srtp(): SrtpSession | undefined {
    return this.#srtp?.session;
  }

  get association(): Association | undefined {
    return this.#machine.association;
  }

  get drops(): Readonly<DropCounts> {
    return this.#machine.drops;
  }

  /** IV: known once its words were compared, now or in a call before, or signalling vouched for its Hello. */
  get peer(): PeerIdentity | undefined {
    const outcome = this.outcome;
    if (outcome === undefined || !(outcome.verified || outcome.signalled)) return undefined;
    return { kind: "zid", zid: outcome.peerZid };
  }

  get blocked(): boolean {
    return !this.#isConfirmed || (this.#srtp?.session.blocked ?? true);
  }

  /** RFC 6189 §4: nothing goes out before the peer has confirmed the keys. */
  send(bytes: Uint8Array, _to?: SocketAddress, segmentSize?: number, ecn?: Ecn): void {
    if (this.#isConfirmed) this.#srtp?.session.send(bytes, this.remote, segmentSize, ecn);
  }

  /** Whose datagram it is, by its first byte (RFC 7983). */
  datagrams(bytes: Uint8Array, from: SocketAddress, segmentSize: number, ecn: Ecn): void {
    if (this.#isConfirmed) return void this.#srtp!.lower.datagrams(bytes, from, segmentSize, ecn);
    const step = segmentSize > 0 ? segmentSize : bytes.length;
    for (let at = 0; at < bytes.length; at += step) {
      const datagram = bytes.subarray(at, Math.min(at + step, bytes.length));
      const protocol = demultiplex(datagram);
      if (protocol !== "rtp" && protocol !== "rtcp") this.#other(datagram, from, protocol);
      else if (this.#srtp === undefined) this.early++;
      else this.#srtp.lower.datagrams(datagram, from, datagram.length, ecn);
    }
  }

  #other(bytes: Uint8Array, from: SocketAddress, protocol: SharedProtocol | undefined): void {
    if (protocol === "zrtp") this.#inner?.datagrams(bytes, from, bytes.length, 0);
    else this.#sink.foreign?.(bytes, from, protocol);
  }

  #media(bytes: Uint8Array, from: SocketAddress, segmentSize: number, ecn: Ecn): void {
    // §4.6: the responder's first media are as good as its Conf2ACK.
    if (!this.#isConfirmed) this.#driver.handle({ kind: "media" });
    this.#sink.datagrams(bytes, from, segmentSize, ecn);
  }

  #told(event: Exclude<ZrtpEvent, { readonly kind: "question" }>): void {
    switch (event.kind) {
      case "keys":
        return void this.#key(event);
      case "confirmed":
        this.outcome = event.outcome;
        this.profile = event.outcome.profile;
        this.#isConfirmed = true;
        this.#sink.confirmed?.(this);
        this.#resolve(this);
        return;
      case "verified":
        this.outcome = { ...this.outcome!, verified: true };
        return;
      case "warning":
        return void this.#sink.warning?.(event.warning, event.message);
      case "relayed":
        return void this.#sink.relayed?.(event.words);
      case "retain":
        return void this.#retain(event.zid, event.secrets);
      case "ending":
        this.#reject(event.failure);
        return void this.#silence();
      case "failed":
        return void this.#ended(event.failure);
      case "ended":
        return void this.#ended();
    }
  }

  /** §4.5.3: each side protects with its own. SRTP follows the peer to wherever its authentic packets come from. */
  #key({ profile, send, receive }: Extract<ZrtpEvent, { readonly kind: "keys" }>): void {
    const { srtp, keyLifetime: lifetime } = this.#options;
    const limited = (key: MasterKey): MasterKey => ({ ...key, ...(lifetime !== undefined && { lifetime }) });
    const layered = srtpOver(
      this.#host,
      { ...srtp, profile, sendKey: limited(send), receiveKey: limited(receive) },
      {
        datagrams: (bytes, from, segmentSize, ecn) => this.#media(bytes, from, segmentSize, ecn),
        foreign: (bytes, from, protocol) => this.#other(bytes, from, protocol),
        closed: () => undefined,
      },
    );
    send.key.wipe();
    receive.key.wipe();
    layered.session.onKeyExpiring((why) => {
      for (const call of [...this.#expiring]) call(why);
    });
    this.#srtp = layered;
    if (this.#port !== undefined) layered.attach(this.#carrier(this.#port));
  }

  /** A store that fails loses continuity, and the user hears of it at the next call. */
  #retain(zid: Uint8Array, secrets: RetainedSecrets | undefined): void {
    const { cache } = this.#options;
    const stored = async () => (secrets === undefined ? cache?.delete(keyOf(zid)) : cache?.set(keyOf(zid), secrets));
    this.stored = this.stored.then(stored).catch((cause: unknown) => {
      this.#sink.softError?.(failure("cache-failed", "the secret of this call could not be retained", { cause }));
    });
  }

  #answer(question: AskOf<ZrtpEvent>, signal: AbortSignal): unknown {
    return question.kind === "secrets"
      ? this.#options.cache?.get(keyOf(question.zid), this.#host.now())
      : this.#options.verify?.(question.words, question.outcome, signal);
  }

  /** The port is shared: neither SRTP nor ZRTP closes it, the session does. */
  #carrier(port: DatagramPort): DatagramPort {
    return {
      get local() {
        return port.local;
      },
      get blocked() {
        return port.blocked;
      },
      send: (bytes, to, segmentSize, ecn) => port.send(bytes, to, segmentSize, ecn),
      set: (option, value) => port.set(option, value),
      close: () => undefined,
      ref: () => port.ref(),
      unref: () => port.unref(),
    };
  }

  #silence(): void {
    this.#isConfirmed = false;
    this.#srtp?.session.close();
  }

  #ended(reason?: Failure): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#silence();
    this.#reject(reason ?? failure("closed", "the session was closed before it had keys"));
    this.#port?.close();
    this.#sink.closed(reason);
  }

  compared(same: boolean): void {
    this.#driver.handle({ kind: "compared", same });
  }

  enroll(): void {
    this.#driver.handle({ kind: "enroll" });
  }

  /**
   * PSKE: a key of at most the negotiated hash's size, derived by ZRTP's KDF from the one that the call exports (§4.5.2); without a
   * context it is bound to all that was said. Throws `no-export` before the call is secure, and in further streams.
   */
  exportKey(label: string, length: number, context?: Uint8Array): Uint8Array {
    const key = this.#machine.exportKey(label, length, context);
    if (key === undefined) {
      throw failure("no-export", "the first stream of a secure call exports a key, of its hash's size at the most");
    }
    return key;
  }

  onKeyExpiring(call: (why: KeyExpiry) => void): Disposable {
    this.#expiring.add(call);
    return { [Symbol.dispose]: () => void this.#expiring.delete(call) };
  }

  writable(): void {
    this.#inner?.writable?.();
  }

  softError(failed: Failure): void {
    this.#inner?.softError?.(failed);
  }

  closed(failed?: Failure): void {
    this.#inner?.closed(failed);
    this.#ended(failed);
  }

  set(option: "dscp" | "hopLimit" | "dontFragment", value: number): boolean {
    return this.#port?.set(option, value) ?? false;
  }

  /** CT: ends the call, or its making, and destroys all keys but what is retained (§4.7.3). */
  close(): void {
    this.#driver.handle({ kind: "close" });
  }

  abort(): void {
    this.#driver.handle({ kind: "abort" });
  }

  ref(): void {
    this.#port?.ref();
  }

  unref(): void {
    this.#port?.unref();
  }
}

const nowhere: SocketAddress = { address: "0.0.0.0", port: 0 };

import type { DatagramPort, DatagramSink, Ecn, Failure, Host, KeyExpiry, SocketAddress } from "../../contract/index.js";
import { demultiplex, type SharedProtocol } from "../../mechanisms/demultiplex.js";
import type { DtlsLayered, DtlsOutcome, DtlsSession, DtlsSink } from "../dtls/index.js";
import {
  type Layered as LayeredSrtp,
  profileById,
  type SrtpProfileName,
  type SrtpSession,
  over as srtpOver,
} from "../srtp/index.js";
import { failure as dtlsSrtpFailure } from "./failure.js";
import { exportedSize, exporterLabel, splitKeys } from "./keys.js";
import type { DtlsSrtpCommon } from "./options.js";

/**
 * SRTP whose keys come from a DTLS handshake on the same flow (RFC 5764). Like plain SRTP it is a `DatagramPort` whose
 * messages are RTP and RTCP packets; before `confirmed` none goes out and none comes in.
 */
export interface DtlsSrtpSession extends DatagramPort {
  readonly protocol: "SRTP";
  readonly role: "client" | "server";
  /** The handshake, its outcome and its interfaces; DTLS's own messages, WebRTC's data channels, go through it. */
  readonly dtls: DtlsSession;
  /** The profile that was negotiated. */
  readonly profile: SrtpProfileName | undefined;
  /** The record protocol once it has keys: counts of what was dropped, and KU for who has a way to agree on keys. */
  readonly srtp: SrtpSession | undefined;
  /** Resolves when both sides have proved themselves and there are keys. */
  readonly confirmed: Promise<DtlsSrtpSession>;
  /** KE: told once, when nine tenths of a key's packets are used up: time for a new handshake. */
  onKeyExpiring(call: (why: KeyExpiry) => void): Disposable;
  /** SRTP packets that came before there were keys, and were dropped. */
  readonly early: number;
  /** Forgets the session without a word. */
  abort(): void;
}

/** `datagrams` gives one RTP or RTCP packet at a time. */
export interface DtlsSrtpSink extends DatagramSink {
  confirmed?(session: DtlsSrtpSession): void;
  /** A message of the DTLS session itself. Without it they are dropped. */
  message?(bytes: Uint8Array): void;
  /** Datagrams of other protocols on the flow (RFC 7983), lent. Without it they are dropped. */
  foreign?(bytes: Uint8Array, from: SocketAddress, protocol: SharedProtocol | undefined): void;
}

/** The parts that a flow with one peer is made of: DTLS below, SRTP beside it. */
export class FlowSession implements DtlsSrtpSession, DatagramSink {
  readonly protocol = "SRTP";
  readonly role: "client" | "server";
  readonly confirmed: Promise<DtlsSrtpSession>;
  early = 0;
  profile: SrtpProfileName | undefined;
  sink: DtlsSrtpSink;
  readonly #host: Pick<Host, "crypto">;
  readonly #options: DtlsSrtpCommon;
  readonly #remote: SocketAddress;
  readonly #expiring = new Set<(why: KeyExpiry) => void>();
  #layered!: Pick<DtlsLayered, "session" | "lower">;
  #srtp: LayeredSrtp | undefined;
  #port: DatagramPort | undefined;
  #resolve!: (session: DtlsSrtpSession) => void;
  #reject!: (failure: unknown) => void;
  #closed = false;

  constructor(
    host: Pick<Host, "crypto">,
    role: "client" | "server",
    options: DtlsSrtpCommon,
    remote: SocketAddress,
    sink: DtlsSrtpSink,
  ) {
    this.#host = host;
    this.role = role;
    this.#options = options;
    this.#remote = remote;
    this.sink = sink;
    this.confirmed = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.confirmed.catch(() => undefined);
  }

  /** What DTLS tells. */
  readonly dtlsSink: DtlsSink = {
    datagrams: (bytes) => this.sink.message?.(bytes),
    confirmed: (outcome, session) => this.#key(outcome, session),
    closed: (failure) => this.#ended(failure),
    softError: (failure) => this.sink.softError?.(failure),
  };

  standsOn(layered: Pick<DtlsLayered, "session" | "lower">): void {
    this.#layered = layered;
  }

  attach(port: DatagramPort): void {
    this.#port = port;
    this.#srtp?.attach(this.#carrier(port));
  }

  get dtls(): DtlsSession {
    return this.#layered.session;
  }

  get srtp(): SrtpSession | undefined {
    return this.#srtp?.session;
  }

  get local(): SocketAddress {
    return this.#port?.local ?? this.dtls.local;
  }

  get blocked(): boolean {
    return this.#srtp?.session.blocked ?? true;
  }

  send(bytes: Uint8Array, _to?: SocketAddress, segmentSize?: number, ecn?: Ecn): void {
    this.#srtp?.session.send(bytes, this.#remote, segmentSize, ecn);
  }

  /** RFC 5764 §5.1.2: whose datagram it is, by its first byte. */
  datagrams(bytes: Uint8Array, from: SocketAddress, segmentSize: number, ecn: Ecn): void {
    if (this.#srtp !== undefined) {
      this.#srtp.lower.datagrams(bytes, from, segmentSize, ecn);
      return;
    }
    const step = segmentSize > 0 ? segmentSize : bytes.length;
    for (let at = 0; at < bytes.length; at += step) {
      const datagram = bytes.subarray(at, Math.min(at + step, bytes.length));
      const protocol = demultiplex(datagram);
      if (protocol === "rtp" || protocol === "rtcp") this.#media(datagram, from, ecn);
      else this.#other(datagram, from, protocol);
    }
  }

  /** The handshake may have ended with this datagram's predecessor. */
  #media(datagram: Uint8Array, from: SocketAddress, ecn: Ecn): void {
    if (this.#srtp === undefined) this.early++;
    else this.#srtp.lower.datagrams(datagram, from, datagram.length, ecn);
  }

  #other(bytes: Uint8Array, from: SocketAddress, protocol: SharedProtocol | undefined): void {
    if (protocol === "dtls") this.#layered.lower.datagrams(bytes, from, bytes.length, 0);
    else this.sink.foreign?.(bytes, from, protocol);
  }

  /** §4.2: the handshake is over, and its exporter gives the keys. */
  #key(outcome: DtlsOutcome, session: DtlsSession): void {
    const { srtp } = outcome;
    const profile = srtp && profileById(srtp.profile);
    if (srtp === undefined || profile === undefined) {
      // `required` makes DTLS fail before this.
      this.#fail(dtlsSrtpFailure("no-common-profile", "the peer negotiated no SRTP profile", { at: "use_srtp" }));
      return;
    }
    const exported = session.exportKey(exporterLabel, exportedSize(profile));
    const keys = splitKeys(profile, exported, this.role, srtp.mki);
    const layered = srtpOver(
      this.#host,
      { ...this.#options.srtp, profile, ...keys },
      {
        datagrams: (bytes, from, segmentSize, ecn) => this.sink.datagrams(bytes, from, segmentSize, ecn),
        foreign: (bytes, from, protocol) => this.#other(bytes, from, protocol),
        closed: () => undefined,
      },
      this.#remote,
    );
    keys.sendKey.key.wipe();
    keys.receiveKey.key.wipe();
    layered.session.onKeyExpiring((why) => {
      for (const call of [...this.#expiring]) call(why);
    });
    this.profile = profile;
    this.#srtp = layered;
    if (this.#port !== undefined) layered.attach(this.#carrier(this.#port));
    this.sink.confirmed?.(this);
    this.#resolve(this);
  }

  /** SRTP may close itself, but the port is also DTLS's. */
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

  #fail(failure: Failure): void {
    this.#reject(failure);
    this.dtls.close();
    this.#ended(failure);
  }

  #ended(failure?: Failure): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#srtp?.session.close();
    this.#reject(failure ?? dtlsSrtpFailure("bad-configuration", "the session was closed before it had keys"));
    this.sink.closed(failure);
  }

  onKeyExpiring(call: (why: KeyExpiry) => void): Disposable {
    this.#expiring.add(call);
    return { [Symbol.dispose]: () => void this.#expiring.delete(call) };
  }

  writable(): void {
    this.#layered.lower.writable?.();
    this.sink.writable?.();
  }

  softError(failure: Failure): void {
    this.#layered.lower.softError?.(failure);
  }

  closed(failure?: Failure): void {
    this.#layered.lower.closed(failure);
    this.#ended(failure);
  }

  set(option: "dscp" | "hopLimit" | "dontFragment", value: number): boolean {
    return this.#port?.set(option, value) ?? false;
  }

  close(): void {
    this.#srtp?.session.close();
    this.dtls.close();
  }

  abort(): void {
    this.#srtp?.session.close();
    this.dtls.abort();
  }

  ref(): void {
    this.#port?.ref();
    this.dtls.ref();
  }

  unref(): void {
    this.#port?.unref();
    this.dtls.unref();
  }
}

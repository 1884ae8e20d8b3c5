import type { Answer, HandshakeOutput, Instant, Secret } from "../../../contract/index.js";
import type { TlsFailure } from "../failure.js";
import type { TlsOutcome } from "../options.js";
import type { Suite12 } from "../parameters/suites12.js";
import type { Suite13 } from "../parameters/suites13.js";
import type { DirectionKeys } from "../record12/protection.js";
import type { TlsAsks } from "./questions.js";

/**
 * Periods of a handshake that have keys of their own. 1.3: initial (none), early (0-RTT), handshake, application. 1.2:
 * initial, application. A KeyUpdate gives new keys to the same epoch.
 */
export type Epoch = "initial" | "early" | "handshake" | "application";

/** What a record protocol makes its protection of. */
export type EpochKeys = TrafficKeys13 | TrafficKeys12;

/** RFC 9846 §7.3: key and IV follow from the secret; QUIC and DTLS derive more of it. */
export interface TrafficKeys13 {
  readonly version: "1.3";
  readonly suite: Suite13;
  /** Its receiver's own, who wipes it. */
  readonly secret: Secret;
}

/** RFC 5246 §6.3: one direction's part of the key block. */
export interface TrafficKeys12 {
  readonly version: "1.2";
  readonly suite: Suite12;
  readonly keys: DirectionKeys;
}

export type TlsHandshakeOutput =
  | Exclude<HandshakeOutput<Epoch, EpochKeys, TlsAsks, TlsOutcome>, { readonly kind: "failed" }>
  | { readonly kind: "failed"; readonly failure: TlsFailure }
  | HandshakeNotice;

/** What else a record protocol or an application is told, beside the contract's five words. */
export type HandshakeNotice =
  /** Client: early data may be sent, were taken or not. Server: they are let in or skipped from here on. */
  | {
      readonly kind: "early-data";
      readonly status: "offered" | "accepted" | "rejected";
      /** Bytes that may be sent; on a server that may come, or are skipped. */
      readonly max: number;
      /** With "offered": the application protocol that the data are for. */
      readonly alpn?: string | undefined;
    }
  /** Fresh keys after the handshake: whose direction, and who began it. */
  | { readonly kind: "key-updated"; readonly direction: "read" | "write"; readonly byPeer: boolean }
  /** The peer's certificate after post-handshake authentication; undefined if it declined. */
  | { readonly kind: "authenticated"; readonly peer: TlsOutcome["peer"] }
  /** A session was given to us to resume later. */
  | { readonly kind: "ticket" }
  /** What a record may hold from now on: record_size_limit or max_fragment_length, content bytes. */
  | { readonly kind: "record-limits"; readonly send: number; readonly receive: number }
  /** The peer's side of the application's extensions, as soon as it is known: before the keys that may depend on it. */
  | { readonly kind: "extensions"; readonly extensions: ReadonlyMap<number, Uint8Array> }
  /** Send change_cipher_spec here: 1.2's key change, or 1.3's for middleboxes (RFC 9846 Appendix E.4). */
  | { readonly kind: "change-cipher-spec" };

/**
 * A handshake as every record protocol drives it: TLS over records, DTLS over flights, QUIC over CRYPTO frames.
 * Messages have their four-byte header (RFC 9846 §4): type, length. Nothing here throws for anything that a peer sends.
 */
export interface HandshakeProtocol {
  /** Begins. A client puts out its ClientHello; a server waits. */
  start(now: Instant): void;
  /** Bytes of the handshake's stream in one epoch, in order, cut anywhere. */
  receive(epoch: Epoch, bytes: Uint8Array, now: Instant): void;
  answer(answer: Answer, now: Instant): void;
  /** Called when time has come to `deadline`. */
  wake(now: Instant): void;
  output(): TlsHandshakeOutput | undefined;
  readonly deadline: Instant | undefined;
  /** Is there half a message in this epoch? Keys may not change then (RFC 9846 §5.1). */
  readonly isMidMessage: boolean;
  readonly failure: TlsFailure | undefined;
}

import type { Identity, Instant, KeyLog, PeerIdentity, Secret, Trace } from "../../contract/index.js";
import type { EchKey } from "./ech/config.js";
import type { PeerAsk, PeerVerdict, SelectIdentityAsk, SignAsk } from "./handshake/questions.js";
import type { GroupName } from "./parameters/groups.js";
import type { SchemeName } from "./parameters/schemes.js";
import type { SuiteName } from "./parameters/suites.js";
import type { CacheScope } from "./store/cache.js";
import type { ClientSession, ResumableSession } from "./store/session.js";
import type { Eventually } from "./store/store.js";
import type { EarlyDataOffer, EarlyDataVerdict } from "./store/strikes.js";

export type TlsVersion = "1.3" | "1.2";

/** What client and server have in common. Whatever is absent takes its default. */
export interface TlsOptions {
  // ALG: allow-lists, most wanted first. What is not in the list is not used.
  /** Default: 1.3, then 1.2. Older versions do not exist here (RFC 8996). */
  readonly versions?: readonly TlsVersion[];
  /** Default: AES-128-GCM, AES-256-GCM and ChaCha20-Poly1305 of 1.3, and the ECDHE AEAD suites of 1.2. */
  readonly suites?: readonly SuiteName[];
  /** Default: X25519MLKEM768, x25519, secp256r1, secp384r1, secp521r1, x448, ffdhe2048, ffdhe3072. */
  readonly groups?: readonly GroupName[];
  /** For CertificateVerify and ServerKeyExchange. Default: all but SHA-1. */
  readonly signatureSchemes?: readonly SchemeName[];
  /** For signatures inside certificates (signature_algorithms_cert). Default: absent, so the same list. */
  readonly certificateSignatureSchemes?: readonly SchemeName[];

  /**
   * Schemes that a key may have to which the peer's certificate lends its authority for a few days: delegated credentials
   * (RFC 9345). Default: none, so none are accepted.
   */
  readonly delegatedCredentials?: readonly SchemeName[];

  // IPK: who we are.
  /** One identity, several to choose from, or a choice by the application for each peer. */
  readonly identity?: TlsIdentity | readonly TlsIdentity[] | SelectIdentity;
  /** X.509 or raw public keys (RFC 7250), most wanted first. Default: X.509 alone. */
  readonly certificateTypes?: readonly CertificateType[];
  /** The types that we accept of the peer. Default: X.509 alone. */
  readonly peerCertificateTypes?: readonly CertificateType[];
  /** Makes and undoes the compression of certificates (RFC 8879), most wanted first. Default: none. */
  readonly certificateCompression?: readonly CertificateCompressor[];
  /** Distinguished names (DER) of authorities that we accept: certificate_authorities. */
  readonly certificateAuthorities?: readonly Uint8Array[];

  // IV: who the peer is.
  /** Judges the peer's certificates or key. A client has no default: without it no certificate is accepted. */
  readonly verify?: VerifyPeer;

  // EXT
  /** ALPN protocol names (RFC 7301), most wanted first. */
  readonly alpn?: readonly string[];
  /** Extensions of the application's own, carried in ClientHello and EncryptedExtensions. */
  readonly extensions?: readonly ApplicationExtension[];

  // PSKI
  /** External pre-shared keys (RFC 9846 §2.2), or on a server a look-up by identity. */
  readonly psks?: readonly ExternalPsk[] | FindPsk;
  /** Which PSK modes we offer or accept. Default: psk_dhe_ke alone, which keeps forward secrecy. */
  readonly pskModes?: readonly ("psk_dhe_ke" | "psk_ke")[];

  // 1.2
  /** Talk to 1.2 peers without extended_main_secret (RFC 7627)? Nothing of such a session is resumed. Default false. */
  readonly allowMissingExtendedMainSecret?: boolean;

  // Records
  /** Largest plaintext of a record that we want to receive: record_size_limit (RFC 8449), 64 … 16385 bytes. */
  readonly recordSizeLimit?: number;
  /** Size up to which a record with this many content bytes is padded (RFC 9846 §5.4). Default: no padding. */
  readonly padding?: PaddingPolicy;
  /** Records sealed under one key before KeyUpdate; never above the AEAD's limit, which is the default. */
  readonly recordsPerKeyMax?: number;
  /** First byte to Finished, in milliseconds. Default 30,000. */
  readonly handshakeTimeoutMs?: number;

  readonly keyLog?: KeyLog | undefined;
  readonly trace?: Trace | undefined;
}

export interface TlsClientOptions extends TlsOptions {
  /** Name of the server, for SNI (unless it is an IP address) and for the verifier. */
  readonly serverName?: string;
  /** CM: where sessions wait to be resumed. Default: none are kept and none offered. */
  readonly sessions?: ClientSessions;
  /** What sets these sessions apart from others in the same cache. Default: server name, port and ALPN. */
  readonly sessionScope?: Partial<CacheScope>;
  /** Tickets we would like: for new sessions, and after a resumption (RFC 9149). */
  readonly ticketRequest?: { readonly newSession: number; readonly resumption: number };
  /** May data given before the handshake ends go out as 0-RTT, if a ticket allows it? Default false. */
  readonly earlyData?: boolean;
  /** Groups to send shares of: key share prediction. Default: the first group, and x25519 if that is a hybrid. */
  readonly keyShares?: readonly GroupName[];
  /** Look like 1.2 to middleboxes (RFC 9846 Appendix E.4). Default true. */
  readonly middleboxCompatibility?: boolean;
  /** Reserved values that keep servers honest (RFC 8701). Default true. */
  readonly grease?: boolean;
  /** Willing to authenticate when the server asks later (RFC 9846 §4.7.2). Default false. */
  readonly postHandshakeAuthentication?: boolean;
  /** Ask for stapled OCSP and SCTs; what comes is given to `verify`. Default true. */
  readonly requestStatus?: boolean;
  /** max_fragment_length (RFC 6066 §4), for servers without record_size_limit. */
  readonly maxFragmentLength?: 512 | 1024 | 2048 | 4096;
  /**
   * Encrypted Client Hello: an ECHConfigList, as a name's HTTPS record has it, hides the server's name and ALPN behind the
   * public name of a server in front. If the server cannot read it, the failure is `ech-required`, with `retryConfigs` in
   * its cause. "grease" only looks like it. 0-RTT is not sent with it. Default: none.
   */
  readonly encryptedClientHello?: Uint8Array | "grease";
  /** Pad the ClientHello to a multiple of this many bytes (RFC 7685). */
  readonly helloPadding?: number;
}

export interface TlsServerOptions extends TlsOptions {
  /** Client certificates. Default "none". */
  readonly clientAuthentication?: "none" | "request" | "require";
  /** CM: makes tickets and takes them back. Default: none are issued. */
  readonly tickets?: TicketSealer;
  /** CM: sessions that 1.2 keeps under their ids. Default: none are kept. */
  readonly sessionCache?: ServerSessions;
  /** Seconds for which a ticket is good, at most 604,800 (RFC 9846 §4.7.1). Default 7,200. */
  readonly ticketLifetimeS?: number;
  /** Tickets for each new session, unless the client asks for fewer (RFC 9149). Default 2. */
  readonly ticketCount?: number;
  /** Bytes of 0-RTT data a ticket allows; 0, the default, allows none. */
  readonly earlyDataMax?: number;
  /** Without it early data is never accepted: it would be replayable (RFC 9846 §8). */
  readonly antiReplay?: AntiReplay;
  /** Answer every first ClientHello with a HelloRetryRequest whose cookie holds all state. Default: never. */
  readonly cookieKey?: Secret;
  /** Seconds for which such a cookie is good. Default 30. */
  readonly cookieLifetimeSeconds?: number;
  /** Keys for Encrypted Client Hello. Not together with `cookieKey`, since nobody would remember what was opened. */
  readonly echKeys?: readonly EchKey[];
  /** Follow the client's order of suites rather than ours. Default false. */
  readonly preferClientSuites?: boolean;
}

/** How certificates are carried: RFC 7250, RFC 6091's OpenPGP is gone. */
export type CertificateType = "x509" | "raw-public-key";

/** An identity with what TLS may say of it beside the chain. */
export interface TlsIdentity extends Identity {
  /** DER OCSPResponse for the end entity: status_request (RFC 6066 §8). */
  readonly ocspResponse?: Uint8Array;
  /** SignedCertificateTimestampList (RFC 6962 §3.3), as it goes on the wire. */
  readonly signedCertificateTimestamps?: Uint8Array;
  /** Names it serves, with a leading `*.` for a label of any kind; absent serves all names. */
  readonly names?: readonly string[];
  /** DelegatedCredential (RFC 9345 §4) that signs in place of the certificate's key. */
  readonly delegatedCredential?: {
    readonly credential: Uint8Array;
    readonly scheme: SchemeName;
    sign(ask: SignAsk): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  };
}

export type SelectIdentity = (ask: SelectIdentityAsk) => TlsIdentity | undefined | Promise<TlsIdentity | undefined>;
/** The signal says that nobody waits for the verdict any more. */
export type VerifyPeer = (ask: PeerAsk, signal?: AbortSignal) => PeerVerdict | Promise<PeerVerdict>;
export type FindPsk = (identity: Uint8Array) => ExternalPsk | undefined | Promise<ExternalPsk | undefined>;
/** Answers the padded size of a record's content, at least `size`. */
export type PaddingPolicy = (size: number, contentType: number) => number;

export interface CertificateCompressor {
  readonly algorithm: "zlib" | "brotli" | "zstd";
  compress(bytes: Uint8Array): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Answers exactly `size` bytes, or undefined. */
  decompress(bytes: Uint8Array, size: number): Uint8Array | undefined | Promise<Uint8Array | undefined>;
}

/** CM of a client: a session is taken out for one attempt, and what the server gives is added. */
export interface ClientSessions {
  take(scope: CacheScope, now: Instant): Eventually<ClientSession | undefined>;
  add(scope: CacheScope, session: ClientSession): Eventually<void>;
}

/** CM of a server: seals sessions into tickets and opens them; here, in a database or shared by a fleet. */
export interface TicketSealer {
  seal(state: Uint8Array, now: Instant): Eventually<Uint8Array | undefined>;
  open(ticket: Uint8Array, now: Instant): Eventually<Uint8Array | undefined>;
}

/** CM of a 1.2 server: sessions under their ids (RFC 5246 §F.1.4). */
export interface ServerSessions {
  find(sessionId: Uint8Array, now: Instant): Eventually<ResumableSession | undefined>;
  add(sessionId: Uint8Array, session: ResumableSession): Eventually<void>;
  forget(sessionId: Uint8Array): Eventually<void>;
}

/** Judges whether early data are fresh (RFC 9846 §8). */
export interface AntiReplay {
  judge(offer: EarlyDataOffer, now: Instant): Eventually<EarlyDataVerdict>;
}

/** An extension that TLS carries and does not understand (RFC 8922 §5.1, EXT). */
export interface ApplicationExtension {
  /** ExtensionType; those that TLS itself knows are refused. */
  readonly type: number;
  /** What a client offers; on a server the answer, or a function of what was offered; undefined answers nothing. */
  readonly data: Uint8Array | ((offered: Uint8Array | undefined) => Uint8Array | undefined);
  /** 1.3: the answer stands in ServerHello, not in EncryptedExtensions: connection_id (RFC 9146 §10.2) is one. */
  readonly inServerHello?: boolean;
  /** Fail with missing_extension if the peer does not send it. */
  readonly required?: boolean;
}

/** A key that both sides have from elsewhere. */
export interface ExternalPsk {
  readonly identity: Uint8Array;
  readonly key: Secret;
  /** Hash that the key is bound to. Default SHA-256 (RFC 9846 §4.3.11). */
  readonly hash?: "SHA-256" | "SHA-384";
  /** Import it as RFC 9258 says, for each target hash; `context` is the ImportedIdentity's. */
  readonly importer?: { readonly context: Uint8Array };
  /** For early data under this key: its limit and the parameters provisioned with it. */
  readonly earlyData?: { readonly max: number; readonly suite: SuiteName; readonly alpn?: string };
}

/** What two peers agreed on, told once, when the handshake is confirmed. */
export interface TlsOutcome {
  readonly version: TlsVersion;
  readonly suite: SuiteName;
  /** Absent when a session was resumed or keyed without an exchange. */
  readonly group: GroupName | undefined;
  /** How the other side proved who it is. On a resumption: how it did so when the ticket was made. */
  readonly peer: PeerIdentity | undefined;
  /** The scheme of the peer's CertificateVerify or ServerKeyExchange. */
  readonly peerScheme: SchemeName | undefined;
  /** The certificate we showed. */
  readonly identity: TlsIdentity | undefined;
  readonly alpn: string | undefined;
  /** SNI: what the client asked for. */
  readonly serverName: string | undefined;
  readonly mode: "full" | "resumed" | "psk";
  /** Round trips before application data of the client's could be read: 0, 1 or 2. */
  readonly roundTrips: number;
  readonly retried: boolean;
  readonly earlyData: "not-offered" | "accepted" | "rejected";
  /** Answers to the application's extensions, by type. */
  readonly extensions: ReadonlyMap<number, Uint8Array>;
  /** Stapled by the peer, unjudged. */
  readonly ocspResponse: Uint8Array | undefined;
  readonly signedCertificateTimestamps: Uint8Array | undefined;
  /** Was the ClientHello encrypted (ECH)? */
  readonly encryptedClientHello: "not-offered" | "accepted" | "rejected";
  readonly at: Instant;
}

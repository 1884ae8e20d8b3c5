import type { Instant, PeerIdentity, PublicKey, SignatureName } from "../../../contract/index.js";
import type { TlsFailure } from "../failure.js";
import type { ExternalPsk, TlsIdentity, TlsVersion } from "../options.js";
import type { SchemeName } from "../parameters/schemes.js";
import type { ClientSession, ResumableSession } from "../store/session.js";
import type { EarlyDataOffer, EarlyDataVerdict } from "../store/strikes.js";

/** Everything that a handshake may ask (contract/question.ts): what is asked, and what answers it. */
export type TlsAsks = {
  /** Is this the peer that we want? */
  "verify-peer": { ask: PeerAsk; answer: PeerVerdict };
  /** Who shall we be? Undefined: nobody. */
  "select-identity": { ask: SelectIdentityAsk; answer: TlsIdentity | undefined };
  /** A signature by the identity's key. */
  sign: { ask: SignAsk; answer: Uint8Array | undefined };
  /** Client: tickets and external keys to offer, best first. One ticket is used for one attempt only. */
  "offer-psks": { ask: OfferPsksAsk; answer: OfferedPsk | undefined };
  /** Server: which of the offered identities do we know? */
  "find-psk": { ask: FindPskAsk; answer: FoundPsk | undefined };
  /** Client: keep this session. The answer does not matter. */
  "store-session": { ask: { readonly session: ClientSession }; answer: unknown };
  /** Server: turn this session into a ticket. Undefined: none today. */
  "issue-ticket": { ask: { readonly session: ResumableSession; readonly at: Instant }; answer: Uint8Array | undefined };
  /** Server: are these early data fresh? Undefined is no. */
  "judge-early-data": {
    ask: { readonly offer: EarlyDataOffer; readonly at: Instant };
    answer: EarlyDataVerdict | undefined;
  };
  "compress-certificate": { ask: CompressAsk; answer: Uint8Array | undefined };
  "decompress-certificate": { ask: DecompressAsk; answer: Uint8Array | undefined };
  /** 1.2 server: the session behind this ticket, or with this id. */
  "find-session": { ask: FindSessionAsk; answer: ResumableSession | undefined };
  /** 1.2 server: keep this session under its id. The answer does not matter. */
  "keep-session": { ask: { readonly id: Uint8Array; readonly session: ResumableSession }; answer: unknown };
};

export interface FindSessionAsk {
  readonly ticket: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly at: Instant;
}

export interface PeerAsk {
  readonly role: "client" | "server";
  readonly version: TlsVersion;
  /** End entity first; empty for a raw public key. */
  readonly certificates: readonly Uint8Array[];
  /** SubjectPublicKeyInfo of a raw public key (RFC 7250). */
  readonly rawPublicKey: Uint8Array | undefined;
  /** The name that a client wanted; on a server undefined. */
  readonly serverName: string | undefined;
  readonly ocspResponse: Uint8Array | undefined;
  readonly signedCertificateTimestamps: Uint8Array | undefined;
  /** Schemes that signatures in the chain must keep to. */
  readonly schemes: readonly SchemeName[];
  readonly at: Instant;
}

/** Trusted, with the key that proves possession; or not, and why. */
export type PeerVerdict =
  | { readonly trusted: true; readonly publicKey: PublicKey; readonly peer: PeerIdentity }
  | { readonly trusted: false; readonly failure: TlsFailure };

export interface SelectIdentityAsk {
  readonly role: "client" | "server";
  readonly version: TlsVersion;
  /** SNI, on a server. */
  readonly serverName: string | undefined;
  /** Schemes that the peer accepts, in its order; for the chain, if it said so. */
  readonly schemes: readonly SchemeName[];
  readonly certificateSchemes: readonly SchemeName[];
  /** Distinguished names that the peer would like to see at the root. */
  readonly authorities: readonly Uint8Array[];
  /** ALPN names that the client offered. */
  readonly alpn: readonly string[];
  readonly certificateType: "x509" | "raw-public-key";
  /** Key types that the suite in question can use; 1.2 has suites for one type each. */
  readonly keyTypes: readonly PublicKey["type"][] | undefined;
}

export interface SignAsk {
  readonly identity: TlsIdentity;
  readonly scheme: SchemeName;
  readonly algorithm: SignatureName;
  /** What is signed; hashing is the signer's. */
  readonly message: Uint8Array;
  /** With the key of the delegated credential, not the certificate's (RFC 9345). */
  readonly delegated?: boolean;
}

export interface OfferPsksAsk {
  readonly serverName: string | undefined;
  readonly at: Instant;
}

export interface OfferedPsk {
  readonly session?: ClientSession;
  readonly external: readonly ExternalPsk[];
}

export interface FindPskAsk {
  readonly identities: readonly Uint8Array[];
  readonly serverName: string | undefined;
  readonly at: Instant;
}

export type FoundPsk =
  | { readonly index: number; readonly kind: "resumption"; readonly session: ResumableSession }
  | { readonly index: number; readonly kind: "external"; readonly psk: ExternalPsk };

export interface CompressAsk {
  readonly algorithm: "zlib" | "brotli" | "zstd";
  readonly bytes: Uint8Array;
}

export interface DecompressAsk extends CompressAsk {
  /** Bytes that must come out. */
  readonly size: number;
}

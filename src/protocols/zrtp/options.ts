import type { Secret } from "../../contract/index.js";
import type { MasterKey, SrtpOptions } from "../srtp/index.js";
import type { Algorithms } from "./algorithms.js";
import type { Association } from "./association.js";
import type { ZrtpCache } from "./cache.js";
import type { HelloHash } from "./hello-hash.js";
import type { ZrtpOutcome } from "./outcome.js";
import type { Sas } from "./sas.js";

/** What a session is made of; whatever is absent takes its default. */
export interface ZrtpOptions {
  /**
   * IPK: our ZID, 12 bytes, by which peers know us again (RFC 6189 §4.9). Drawn once for an installation; a `FileZrtpCache` keeps
   * one. Default: drawn for this session, which makes sense without a cache alone.
   */
  readonly zid?: Uint8Array;
  /** ALG: most wanted first, of each kind. Default `defaultAlgorithms`. "Prsh" is used where it is named. */
  readonly algorithms?: Partial<Algorithms>;
  /** CM: where secrets are retained between calls. Default: nothing is retained, and the peer is told so (§4.9.1). */
  readonly cache?: ZrtpCache;
  /** CM: seconds that a secret is to be retained. Default: for ever, as the RFC recommends. */
  readonly expirationSeconds?: number;
  /** PSKI: a secret that both sides have from elsewhere; it goes into the keys (§4.3). */
  readonly auxiliary?: Secret;
  /** PSKI: an SRTP key that signalling gave both sides, SDES's for example, in place of `auxiliary` (§8.2). */
  readonly signalledKey?: MasterKey;
  /** IV: the peer's `a=zrtp-hash`, as signalling gave it; another Hello is not taken (§8.1). */
  readonly signalled?: HelloHash;
  /**
   * IV: do both users read the same words? Asked when the call is secure, unless they were compared in an earlier one. True is kept
   * for the next call, false ends this one, undefined leaves it open. `ZrtpSession.compared` does the same later.
   */
  readonly verify?: (
    words: Sas,
    outcome: ZrtpOutcome,
    signal: AbortSignal,
  ) => boolean | undefined | Promise<boolean | undefined>;
  /** What it does that a peer has not the secret of an earlier call: a warning, or an end. Default `warn` (§4.3.2). */
  readonly onMismatch?: "warn" | "refuse";
  /** Never begins a key agreement (§5.2). Default false. */
  readonly passive?: boolean;
  /** The SSRC of the RTP stream that we send, which the messages name. Default: drawn. */
  readonly ssrc?: number;
  /** Names the software to the peer, 16 characters. Default `Sealport`. */
  readonly client?: string;
  /** A further media stream of the call to which this belongs: `ZrtpSession.association` of its first (§4.4.3). */
  readonly association?: Association;
  /** KE: packets that each SRTP key may protect, of RTP and of RTCP each. Default: 2^48 and 2^31 (RFC 3711 §9.2). */
  readonly keyLifetime?: number;
  /** Windows, tables, header extensions, as `SrtpContextOptions` has them. */
  readonly srtp?: Omit<SrtpOptions, "profile" | "sendKey" | "receiveKey">;
}

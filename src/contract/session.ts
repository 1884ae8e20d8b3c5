import type { PublicKey, SignatureName } from "./crypto.js";
import type { InterfaceName } from "./interfaces.js";
import type { Profile } from "./profile.js";
import type { Instant } from "./time.js";

/** A chain or key with the means to prove possession of it. The key itself may be elsewhere. */
export interface Identity {
  /** End-entity certificate first, in DER; empty for a raw public key. */
  readonly certificates: readonly Uint8Array[];
  readonly publicKey: PublicKey;
  /** Runs wherever the key lives: here, in a token, on another host. Undefined refuses. */
  sign(
    algorithm: SignatureName,
    message: Uint8Array,
    signal?: AbortSignal,
  ): Uint8Array | undefined | Promise<Uint8Array | undefined>;
}

/** Who the peer proved to be, in the form that its protocol has. */
export type PeerIdentity =
  | { readonly kind: "certificate"; readonly chain: readonly Uint8Array[]; readonly publicKey: PublicKey }
  | { readonly kind: "raw-public-key"; readonly publicKey: PublicKey }
  | { readonly kind: "pre-shared-key"; readonly identity: Uint8Array }
  | { readonly kind: "static-key"; readonly key: Uint8Array }
  /** ZRTP's: an identifier that a secret of an earlier call, compared words or signalling speak for (RFC 6189 §4.9). */
  | { readonly kind: "zid"; readonly zid: Uint8Array };

/**
 * What a session offers for each interface of the survey's *during* and *after* phases. Those of *before* are a matter of
 * options: their type is `object`, which adds nothing to an intersection (`unknown` would swallow the union).
 */
export interface SessionInterfaces {
  IPK: object;
  ALG: object;
  EXT: object;
  CM: object;
  AD: object;
  PSKI: object;
  SAV: object;
  IV: { readonly peer: PeerIdentity | undefined };
  CT: {
    /** Tells the peer that no more data follows, and releases the keys when both directions are done. */
    close(): void;
  };
  KU: {
    /** New traffic keys for our direction; `requestPeer` asks for the other direction too. */
    updateKeys(options?: { readonly requestPeer?: boolean }): void;
  };
  PSKE: {
    /** Keying material bound to this session; the same label and context give both peers the same bytes. */
    exportKey(label: string, length: number, context?: Uint8Array): Uint8Array;
  };
  KE: { onKeyExpiring(call: (why: KeyExpiry) => void): Disposable };
  ME: { onMoved(call: (move: { readonly at: Instant }) => void): Disposable };
}

/** Why keys come to their end (RFC 8922 §5.3, KE). */
export type KeyExpiry = "time" | "bytes" | "packets";

type Intersect<Union> = (Union extends unknown ? (each: Union) => void : never) extends (all: infer All) => void
  ? All
  : never;

/** The methods that a profile's filled cells give, and no others: an empty cell does not compile. */
export type SessionOf<P extends Profile> = { readonly protocol: P["protocol"] } & Intersect<
  SessionInterfaces[(P["interfaces"][number] | (keyof P["beyond"] & InterfaceName)) & InterfaceName]
>;

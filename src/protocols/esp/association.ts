import type { Secret, SocketAddress } from "../../contract/index.js";
import type { EspAlgorithms } from "./algorithms.js";

/** The keys of one direction, as RFC 7296 §2.17 cuts them. Whoever installs the pair takes them over and wipes them. */
export interface EspKeys {
  /** The salt, if the algorithm has one, is its end. */
  readonly encryption: Secret;
  /** Undefined beside an AEAD. */
  readonly integrity: Secret | undefined;
}

/**
 * Which packets belong to a pair of associations (RFC 4301 §4.4.1.1, RFC 7296 §3.13.1): a range of addresses, all of one family,
 * both ends of it included.
 */
export interface TrafficSelector {
  /** IP protocol; 0 is any. */
  readonly protocol: number;
  /** First and last, 4 bytes or 16. */
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  /**
   * Ports, 0 … 65,535 being any; of ICMP, the type in the upper and the code in the lower byte. 65,535 … 0 is OPAQUE: only
   * packets whose ports cannot be seen.
   */
  readonly startPort: number;
  readonly endPort: number;
}

/** After any of these. Bytes are those of inner packets; undefined sets no limit. */
export interface LifetimeLimits {
  readonly bytes?: number | undefined;
  readonly packets?: number | undefined;
  readonly seconds?: number | undefined;
}

/** RFC 4301 §4.4.2.1: `soft` asks for new keys, `hard` ends the pair. */
export interface Lifetime {
  readonly soft?: LifetimeLimits | undefined;
  readonly hard?: LifetimeLimits | undefined;
}

/** Two associations, one a direction, that were made together (a Child SA of RFC 7296). */
export interface AssociationPair {
  /** Ours, by which packets that come are known; 256 … 2^32 - 1 (RFC 4303 §2.1). Names the pair to everyone here. */
  readonly spiIn: number;
  /** The peer's. */
  readonly spiOut: number;
  readonly algorithms: EspAlgorithms;
  readonly keysIn: EspKeys;
  readonly keysOut: EspKeys;
  readonly mode: "tunnel" | "transport";
  /** Inside: what lies at our end, and at the peer's. */
  readonly local: readonly TrafficSelector[];
  readonly remote: readonly TrafficSelector[];
  /** RFC 3948, or IP protocol 50. Over UDP's ports only the former can be sent. */
  readonly encapsulation: "udp" | "none";
  /** Where packets go outside. The port is of no account without UDP. */
  readonly peer: SocketAddress;
  /**
   * Transport mode: the addresses that our stack knows the ends by. After a NAT outside, checksums inside are made right for
   * them (RFC 3948 §3.1.2).
   */
  readonly ends?: { readonly local: Uint8Array; readonly remote: Uint8Array } | undefined;
  readonly lifetime?: Lifetime | undefined;
  /**
   * Send to wherever authentic packets come from (RFC 7296 §2.23: for whoever is not behind a NAT itself, and without MOBIKE).
   * Default false.
   */
  readonly follows?: boolean | undefined;
  /** The pair that this one takes over from (`spiIn` of it): it still receives until it is removed (RFC 7296 §2.8). */
  readonly replaces?: number | undefined;
  /**
   * Send by it at once, or only after something authentic came by it: the responder of a rekeying does not know whether the
   * initiator has its keys already (RFC 7296 §2.8). Removing what it replaces, too, begins it. Default at once.
   */
  readonly begins?: "at-once" | "when-received" | undefined;
}

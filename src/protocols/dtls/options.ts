import type { TlsClientOptions, TlsOutcome, TlsServerOptions } from "../tls/index.js";

/** What a DTLS client and server have in common, beside what TLS has. Whatever is absent takes its default. */
export interface DtlsOptions {
  /** Greatest datagram that we send, in bytes of UDP payload, from 256. Default 1,200. */
  readonly mtu?: number;
  /**
   * Greatest datagram that is looked for on the path (RFC 8899), at least `mtu`, in bytes of UDP payload: 1,452 is what an
   * Ethernet carries in IPv6. A client then offers heartbeats (RFC 6520), and asks by padded ones what arrives, as long as it
   * sends; datagrams are not fragmented on the way. What was found is in `messageMax`, and the sink hears of it. Default: a
   * client offers none, either side answers, and datagrams grow no larger than `mtu`.
   */
  readonly mtuMax?: number;
  /** First wait before a flight is sent again, in milliseconds; it doubles each time, up to 60 s. Default 1,000. */
  readonly retransmitMs?: number;
  /**
   * Connection IDs (RFC 9146): the size of those by which the peer is to name us, 0 … 32 bytes, where 0 means that we name
   * the peer by its own and want none ourselves. On one port all are of one size. Default: not negotiated.
   */
  readonly connectionIdSize?: number;
  /** use_srtp (RFC 5764 §4.1.1). Default: not negotiated. */
  readonly srtp?: SrtpOffer;
}

/** Protection profiles for SRTP, most wanted first, by their number of RFC 5764 §4.1.2. */
export interface SrtpOffer {
  readonly profiles: readonly number[];
  /** srtp_mki, 0 … 255 bytes. Default: none. */
  readonly mki?: Uint8Array;
  /** Fail if the peer does not negotiate one. Default false. */
  readonly required?: boolean;
}

export interface DtlsClientOptions extends TlsClientOptions, DtlsOptions {}

export interface DtlsServerOptions extends TlsServerOptions, DtlsOptions {
  /**
   * SAV: `cookie`, the default, keeps nothing for a stranger until it has brought back a cookie from its address; `none` is
   * for flows whose other end has proved its address already (ICE), and for 0-RTT, which a cookie would cost.
   */
  readonly addressValidation?: "cookie" | "none";
  /** Associations at most. Default 65,536. */
  readonly associationsMax?: number;
  /** Milliseconds without anything authentic after which an association is forgotten. Default 1,800,000. */
  readonly idleTimeoutMs?: number;
}

/** What two peers agreed on: TLS's outcome, and what DTLS adds. */
export interface DtlsOutcome extends TlsOutcome {
  /** The profile that use_srtp settled, and the MKI; undefined if there is none. */
  readonly srtp: { readonly profile: number; readonly mki: Uint8Array } | undefined;
  /** Sizes of the connection IDs in records to the peer and to us; 0 without. */
  readonly connectionIdSizes: { readonly sent: number; readonly received: number };
}

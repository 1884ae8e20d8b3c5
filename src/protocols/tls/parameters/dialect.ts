/**
 * What differs between the protocols that speak this handshake: a row each, and no other question is asked of which
 * protocol one is. RFC 9846 (TLS), RFC 9147 (DTLS), RFC 9001 (QUIC).
 */
export interface Dialect {
  readonly name: "tls" | "dtls" | "quic";
  /** Prefix of HKDF labels: RFC 9846 §7.1, RFC 9147 §5.9. */
  readonly labelPrefix: string;
  /** ProtocolVersion codes, and the record layer's. */
  readonly version13: number;
  readonly version12: number;
  /** change_cipher_spec and a session id that nobody needs, for middleboxes: RFC 9846 Appendix E.4. */
  readonly middleboxCompatibility: boolean;
  /** RFC 9846 §4.6; DTLS and QUIC see the end of early data in their packets. */
  readonly endOfEarlyData: boolean;
  /** RFC 9846 §4.7.3; QUIC changes keys by itself (RFC 9001 §6). */
  readonly keyUpdate: boolean;
  /** ClientHello has DTLS's cookie field (RFC 6347 §4.2.1). */
  readonly cookieField: boolean;
  /** Header of a message as the 1.2 transcript sees it: DTLS counts messages (RFC 6347 §4.2.6). */
  readonly sequencedTranscript12: boolean;
  /** Extensions without which there is no session: missing_extension (RFC 9001 §8.2). */
  readonly requiredExtensions: readonly number[];
  /** post-handshake client authentication: QUIC forbids it (RFC 9001 §4.4). */
  readonly postHandshakeAuthentication: boolean;
  /** max_early_data_size of every ticket, if it is fixed (RFC 9001 §4.6.1). */
  readonly earlyDataMax: number | undefined;
}

export const dialects = {
  tls: {
    name: "tls",
    labelPrefix: "tls13 ",
    version13: 0x0304,
    version12: 0x0303,
    middleboxCompatibility: true,
    endOfEarlyData: true,
    keyUpdate: true,
    cookieField: false,
    sequencedTranscript12: false,
    requiredExtensions: [],
    postHandshakeAuthentication: true,
    earlyDataMax: undefined,
  },
  dtls: {
    name: "dtls",
    labelPrefix: "dtls13",
    version13: 0xfefc,
    version12: 0xfefd,
    middleboxCompatibility: false,
    endOfEarlyData: false,
    keyUpdate: true,
    cookieField: true,
    sequencedTranscript12: true,
    requiredExtensions: [],
    postHandshakeAuthentication: true,
    earlyDataMax: undefined,
  },
  quic: {
    name: "quic",
    labelPrefix: "tls13 ",
    version13: 0x0304,
    version12: 0x0303,
    middleboxCompatibility: false,
    endOfEarlyData: false,
    keyUpdate: false,
    cookieField: false,
    sequencedTranscript12: false,
    requiredExtensions: [0x39],
    postHandshakeAuthentication: false,
    earlyDataMax: 0xffff_ffff,
  },
} as const satisfies Record<string, Dialect>;

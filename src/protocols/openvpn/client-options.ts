import type {
  CryptoProvider,
  Entropy,
  HashName,
  Instant,
  PeerIdentity,
  Question,
  Secret,
  SocketAddress,
  Trace,
} from "../../contract/index.js";
import type { PacketSource } from "../../mechanisms/packets/staged.js";
import type { TlsAsks, TlsClientOptions, TlsOutcome } from "../tls/index.js";
import type { Inside, InsideDraft } from "./config/inside.js";
import type { PullFilter } from "./config/push.js";
import type { ControlKey } from "./control/wrap.js";
import type { OpenVpnFailure } from "./failure.js";
import type { Renewal } from "./session.js";

/** How a remote is reached; names and numbers are the host's business. */
export type OpenVpnTransport = "udp" | "tcp";

export interface Credentials {
  readonly user: string;
  readonly password: Secret;
  /** The answer to a static challenge, sent together with the password (SCRV1). */
  readonly response?: Secret;
}

export interface OpenVpnClientConfig {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  /** IPK, IV and the ALG of the control channel: identity, `verify`, versions. */
  readonly tls: TlsClientOptions;
  /** PSKI. Default: none. */
  readonly control?: ControlKey;
  /** ALG of the data channel, most wanted first. Default: AES-256-GCM, AES-128-GCM, CHACHA20-POLY1305. */
  readonly dataCiphers?: readonly string[];
  /** For servers that push no cipher: `--data-ciphers-fallback`. Default: none, so they are refused. */
  readonly fallbackCipher?: string;
  /** HMAC of ciphers that are no AEAD. Default SHA-1, as openvpn(8) has it. */
  readonly auth?: HashName;
  /** Data packets that may come late: `--replay-window`. Default 4064. */
  readonly replayWindow?: number;
  readonly credentials?: Credentials;
  /** Remotes to try, one after the other: the machine asks for them by number. */
  readonly remotes: number;
  /** What the file says of the inside; what the server pushes comes on top. */
  readonly inside?: InsideDraft;
  readonly pullFilters?: readonly PullFilter[];
  /** Lines beside our own in the peer information: `UV_NAME=value`. */
  readonly peerInfo?: readonly string[];
  /** Bits of IV_PROTO: what we say that we can do. Default: all that we can; less makes servers treat us as older. */
  readonly announce?: number;
  readonly renewal?: Partial<Renewal>;
  readonly handshakeWindowMs?: number;
  readonly transitionWindowMs?: number;
  /** A remote that was not reached is given up after so long. */
  readonly serverPollMs?: number;
  /** The first pause before all remotes are tried again, and the greatest. */
  readonly retryMs?: number;
  readonly retryMaxMs?: number;
  /** Rounds over all remotes before the first session; default 1. Afterwards it goes on for ever. */
  readonly roundsMax?: number;
  /** Largest inner packet. Default 1500. */
  readonly mtu?: number;
  /** Told of the session in qlog's manner, `openvpn:…`; of its TLS by `tls.trace`. Default: nobody. */
  readonly trace?: Trace;
  /** Inner packets straight from a stack. */
  readonly source?: PacketSource;
}

export type OpenVpnClientInput =
  /** One inner IP packet to send, held until it is transmitted. */
  | { readonly kind: "packet"; readonly bytes: Uint8Array }
  /** The remote that was asked for is there: shake hands. */
  | { readonly kind: "connected"; readonly to: SocketAddress; readonly transport: OpenVpnTransport }
  /** It could not be reached, or broke off. */
  | { readonly kind: "lost"; readonly failure?: OpenVpnFailure | undefined }
  /** New keys now (beyond Table 1: KU). */
  | { readonly kind: "renegotiate" }
  /** Begin anew with the next remote. */
  | { readonly kind: "restart" }
  /** Tells the server and ends. */
  | { readonly kind: "close" };

export type OpenVpnClientAsks = TlsAsks & {
  /** The server wants to know something of whoever sits there; undefined gives up. `isEchoed` says that it may be seen. */
  "answer-challenge": { ask: Challenge; answer: Secret | undefined };
};

/** A server's question to people: CR_TEXT while it lets us wait, or CRV1 with its refusal. */
export interface Challenge {
  readonly text: string;
  readonly isEchoed: boolean;
}

export type OpenVpnClientEvent =
  | { readonly kind: "packets"; readonly bytes: Uint8Array; readonly ranges: Uint32Array; readonly count: number }
  /** Reach this remote; then `connected` or `lost`. What was connected before is over. */
  | { readonly kind: "connect"; readonly remote: number }
  /** The server answered, and wants to know who we are. */
  | { readonly kind: "up"; readonly inside: Inside; readonly cipher: string; readonly outcome: TlsOutcome }
  | { readonly kind: "renewed"; readonly outcome: TlsOutcome }
  /** The session is over and begins anew. */
  | { readonly kind: "restarting"; readonly failure: OpenVpnFailure; readonly afterMs: number }
  /** Something for people: AUTH_PENDING, INFO, options that were passed over. */
  | { readonly kind: "notice"; readonly text: string }
  | { readonly kind: "failed"; readonly failure: OpenVpnFailure }
  | Question<OpenVpnClientAsks>;

export interface OpenVpnStatus {
  readonly remote: SocketAddress | undefined;
  readonly isUp: boolean;
  readonly peer: PeerIdentity | undefined;
  readonly cipher: string | undefined;
  readonly lastHandshakeAt: Instant | undefined;
  readonly handshakes: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
}

import type { Prefix } from "../../bytes/index.js";
import type { CryptoProvider, Entropy, HashName, Question, SocketAddress, Trace } from "../../contract/index.js";
import type { PacketSource } from "../../mechanisms/packets/staged.js";
import type { TlsAsks, TlsServerOptions } from "../tls/index.js";
import type { ServerControlKey } from "./control/stateless.js";
import type { OpenVpnFailure } from "./failure.js";
import type { Admission, Applicant, GuestStatus } from "./guest.js";
import type { Renewal } from "./session.js";

export interface OpenVpnServerConfig {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  /** IPK, IV and the ALG of the control channel. Clients must show certificates unless it says otherwise. */
  readonly tls: TlsServerOptions;
  /** PSKI. Default: none. */
  readonly control?: ServerControlKey;
  /** ALG of the data channel, most wanted first. */
  readonly dataCiphers?: readonly string[];
  readonly auth?: HashName;
  /** Data packets that may come late: `--replay-window`. Default 4064. */
  readonly replayWindow?: number;
  /** Ours inside, by family: pushed as the gateway. */
  readonly addresses: readonly Prefix[];
  /** Pushed: how often a client says that it lives, and after how much silence it begins anew. Default 10 s and 60 s. */
  readonly pingMs?: number;
  readonly pingRestartMs?: number;
  readonly renewal?: Partial<Renewal>;
  readonly handshakeWindowMs?: number;
  readonly transitionWindowMs?: number;
  readonly clientsMax?: number;
  /** Do clients reach each other? Default false: what one sends to another is only handed on to the inside. */
  readonly clientToClient?: boolean;
  /** `--duplicate-cn` turned round: a client whose key is in use already takes the place of the one before. Default false. */
  readonly oneOfAKey?: boolean;
  readonly mtu?: number;
  /** Packets that one `transmit` may hold side by side. Default `batchPacketsMax`; 1 for ports that carry a stream. */
  readonly batchPackets?: number;
  /** Told of clients in qlog's manner, `openvpn:…`; of their TLS by `tls.trace`. Default: nobody. */
  readonly trace?: Trace;
  readonly source?: PacketSource;
}

export type OpenVpnServerInput =
  /** One inner IP packet to send, held until it is transmitted. */
  | { readonly kind: "packet"; readonly bytes: Uint8Array }
  | { readonly kind: "remove-client"; readonly peerId: number }
  /** New keys with every client. */
  | { readonly kind: "renegotiate" }
  /** Tells every client to come back later, and ends. */
  | { readonly kind: "close" };

export type OpenVpnServerAsks = TlsAsks & {
  /** May this client in, and with what? Undefined is AUTH_FAILED. */
  "accept-client": { ask: Applicant; answer: Admission };
};

export type OpenVpnServerEvent =
  | { readonly kind: "packets"; readonly bytes: Uint8Array; readonly ranges: Uint32Array; readonly count: number }
  | { readonly kind: "joined"; readonly client: GuestStatus }
  | { readonly kind: "renewed"; readonly client: GuestStatus }
  /** Its packets come from elsewhere: the answers go there. */
  | { readonly kind: "moved"; readonly peerId: number; readonly from: SocketAddress; readonly to: SocketAddress }
  /** An admission came to nothing: the client was gone, or shares no cipher. */
  | { readonly kind: "declined"; readonly admission: Admission }
  | { readonly kind: "left"; readonly client: GuestStatus; readonly failure: OpenVpnFailure | undefined }
  | Question<OpenVpnServerAsks>;

import type { Prefix } from "../../bytes/index.js";
import type {
  CryptoProvider,
  Entropy,
  Identity,
  KeyLog,
  PeerIdentity,
  PublicKey,
  Question,
  Secret,
  SignatureName,
  SocketAddress,
  Trace,
} from "../../contract/index.js";
import type { AssociationPair, Lifetime, TrafficSelector } from "../esp/index.js";
import type { IkeAlgorithms } from "./algorithms.js";
import type { IkeFailure } from "./failure.js";
import type { IkeId } from "./identity.js";
import type { Offer } from "./proposals.js";

export interface IkeConfig {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  /** Who may be connected to, and who may connect. A peer's first message picks one by its identity, in this order. */
  readonly connections: readonly IkeConnection[];
  /** Strangers return a cookie before anything is computed for them: always, never, or under load (default; RFC 7296 §2.6). */
  readonly cookies?: "always" | "never" | "under-load";
  readonly limits?: Partial<IkeLimits>;
  /** Where every new IKE SA's keys go, one line each, as Wireshark's ikev2_decryption_table has them. */
  readonly keyLog?: KeyLog;
  readonly trace?: Trace;
}

/** Those limits that a test or a small device may want otherwise; limits.ts says what they are for. */
export interface IkeLimits {
  readonly halfOpenMax: number;
  readonly cookieThreshold: number;
  readonly halfOpenPerAddressMax: number;
  readonly ikeSasMax: number;
}

/** How we prove who we are (IPK, PSKI, AD). */
export type LocalAuthentication =
  /** Without a secret the question `pre-shared-key` asks for it. */
  | { readonly kind: "psk"; readonly secret?: Secret }
  /** The question `sign` has it signed: the key may be anywhere. */
  | { readonly kind: "certificate"; readonly identity: Pick<Identity, "certificates" | "publicKey"> }
  /** Initiators only: the question `eap` hands the conversation to a module of the application's. */
  | { readonly kind: "eap" };

/** How the peer must prove who it is. */
export type RemoteAuthentication =
  | { readonly kind: "psk"; readonly secret?: Secret }
  /** The question `verify-peer` asks whether its certificates are trusted and are the identity's. */
  | {
      readonly kind: "certificate";
      /** SHA-1 of trusted authorities' keys, 20 bytes each, to help the peer choose a certificate (RFC 7296 §3.7). Default: none. */
      readonly authorities?: readonly Uint8Array[];
    }
  /** Responders only: as above. */
  | { readonly kind: "eap" };

export interface IkeConnection {
  readonly name: string;
  /** Where the peer is. Absent: it connects to us. Port 500 is spoken to as IKE alone, every other port as shared with ESP. */
  readonly remote?: SocketAddress;
  /** Where IKE goes once NAT detection says so, if it began at port 500. Default 4500. */
  readonly natPort?: number;
  /** Does IKE begin with the Non-ESP Marker (RFC 7296 §2.23)? Default: unless the remote port is 500. */
  readonly isMarked?: boolean;
  readonly localId: IkeId;
  /** Undefined: anybody whom the authentication proves. */
  readonly remoteId?: IkeId;
  readonly local: LocalAuthentication;
  readonly remoteAuthentication: RemoteAuthentication;
  /** ALG. Most wanted first. Default: `defaultIkeProposals`. */
  readonly proposals?: readonly Offer[];
  readonly children: readonly IkeChild[];
  /** Initiators: addresses inside that we ask for (RFC 7296 §2.19), by family. */
  readonly requestAddresses?: readonly (4 | 6)[];
  /** Responders: from where addresses are leased, and the name servers told with them. */
  readonly pools?: readonly Prefix[];
  readonly dns?: readonly string[];
  /** Domains whose names those servers know (RFC 8598 §4.1). */
  readonly domains?: readonly string[];
  /**
   * `always` (default): pretend that there is a NAT, so that the peer encapsulates ESP in UDP, which is all that sockets can carry;
   * `when-nat`: only if there is one.
   */
  readonly encapsulation?: "always" | "when-nat";
  /** RFC 7383. Default true. */
  readonly fragmentation?: boolean;
  /** Bytes of a datagram. Default 1232. */
  readonly fragmentSize?: number;
  /** RFC 4555. Default true. */
  readonly mobike?: boolean;
  /** Silence after which the peer is asked whether it lives. Default: never. */
  readonly deadPeerMs?: number;
  /** NAT keepalives from us. Default 20 s; 0 sends none. */
  readonly keepaliveMs?: number;
  /** New keys after so long, less up to a tenth; undefined takes the default, 0 never. */
  readonly rekeySeconds?: number;
  /** RFC 5685. Responders: where newcomers are sent instead. Initiators follow unless false. */
  readonly redirectTo?: string;
  readonly followRedirects?: boolean;
  /** RFC 8784: a post-quantum pre-shared key. */
  readonly ppk?: { readonly id: string; readonly secret: Secret; readonly isRequired?: boolean };
  /** Retransmissions, for tests and slow networks. */
  readonly retransmit?: { readonly firstMs?: number; readonly repeatsMax?: number };
}

export interface IkeChild {
  readonly name: string;
  /** Default: `defaultEspProposals`. Their key exchanges mean perfect forward secrecy for every child but the first. */
  readonly proposals?: readonly Offer[];
  /** Inside, at our end and at the peer's. `dynamic` is the address outside, or the one that was leased. */
  readonly local: readonly (TrafficSelector | "dynamic")[];
  readonly remote: readonly (TrafficSelector | "dynamic")[];
  /** Default tunnel. */
  readonly mode?: "tunnel" | "transport";
  /** Made together with the IKE SA (default: the first child is), or when it is acquired. */
  readonly starts?: boolean;
  readonly lifetime?: Lifetime;
}

export type IkeInput =
  | { readonly kind: "connect"; readonly connection: string; readonly remote?: SocketAddress }
  /** Packets want this child. */
  | { readonly kind: "acquire"; readonly ike: number; readonly child: string }
  /** Its soft lifetime has come, or somebody wants new keys (KU). */
  | { readonly kind: "rekey-child"; readonly spiIn: number }
  | { readonly kind: "rekey"; readonly ike: number }
  | { readonly kind: "delete-child"; readonly spiIn: number }
  /** Tells the peer and ends (CT). */
  | { readonly kind: "disconnect"; readonly ike: number }
  /** We are elsewhere (ME): the port that we send from, or the address that the peer is to be reached at. */
  | { readonly kind: "move"; readonly ike: number; readonly local?: SocketAddress; readonly remote?: SocketAddress }
  /** Something authentic came by a child: the peer lives. */
  | { readonly kind: "heard"; readonly spiIn: number }
  /** Is the peer alive? Asks now. */
  | { readonly kind: "probe"; readonly ike: number }
  /** Sends the peer, with which the connection must be established, elsewhere (RFC 5685 §6). */
  | { readonly kind: "redirect"; readonly ike: number; readonly to: string }
  /** Says goodbye to all, and ends. */
  | { readonly kind: "close" };

export interface PeerChain {
  readonly certificates: readonly Uint8Array[];
  readonly id: IkeId;
  readonly connection: string;
}

export type PeerVerdict =
  | { readonly trusted: true; readonly publicKey: PublicKey; readonly chain: readonly Uint8Array[] }
  | { readonly trusted: false; readonly failure: IkeFailure };

/** One packet of an EAP conversation (RFC 3748 §4), handed to a module of the application's. */
export interface EapTurn {
  readonly connection: string;
  readonly ike: number;
  readonly role: "peer" | "authenticator";
  /** Undefined: an authenticator's first turn. */
  readonly packet: Uint8Array | undefined;
  /** Who the peer says it is. */
  readonly id: IkeId;
}

export interface EapAnswer {
  /** What to send. A peer's may be absent after Success. */
  readonly packet?: Uint8Array;
  /** The key of a method that makes one; it is taken over. */
  readonly msk?: Secret;
  readonly outcome?: "success" | "failure";
}

export type IkeAsks = {
  /** `id`: with whom it is shared, as far as that is known. */
  "pre-shared-key": { ask: { readonly connection: string; readonly id: IkeId | undefined }; answer: Secret };
  sign: {
    ask: { readonly connection: string; readonly algorithm: SignatureName; readonly message: Uint8Array };
    answer: Uint8Array;
  };
  "verify-peer": { ask: PeerChain; answer: PeerVerdict };
  eap: { ask: EapTurn; answer: EapAnswer };
};

export type IkeEvent =
  | {
      readonly kind: "established";
      readonly ike: number;
      readonly connection: string;
      readonly isInitiator: boolean;
      readonly remoteId: IkeId;
      readonly peer: PeerIdentity;
      readonly algorithms: IkeAlgorithms;
      readonly remote: SocketAddress;
    }
  /** Addresses inside that the responder gave us. */
  | {
      readonly kind: "configured";
      readonly ike: number;
      readonly addresses: readonly Prefix[];
      readonly dns: readonly string[];
      readonly domains: readonly string[];
    }
  /** A Child SA: its keys are whoever takes the event's (PSKE). `pair.replaces` names the one before after a rekeying. */
  | { readonly kind: "child"; readonly ike: number; readonly name: string; readonly pair: AssociationPair }
  | { readonly kind: "child-failed"; readonly ike: number; readonly name: string; readonly failure: IkeFailure }
  | { readonly kind: "child-deleted"; readonly ike: number; readonly name: string; readonly spiIn: number }
  /** The IKE SA has new keys; its children live on. */
  | { readonly kind: "rekeyed"; readonly ike: number; readonly algorithms: IkeAlgorithms }
  /** The peer is reached elsewhere, and so are the other ends of these children. */
  | {
      readonly kind: "moved";
      readonly ike: number;
      readonly from: SocketAddress;
      readonly to: SocketAddress;
      readonly spisIn: readonly number[];
    }
  /** The connection begins anew with another gateway (RFC 5685). */
  | { readonly kind: "redirected"; readonly ike: number; readonly connection: string; readonly to: string }
  | { readonly kind: "closed"; readonly ike: number; readonly connection: string; readonly failure: IkeFailure }
  | Question<IkeAsks>;

/** What is known of an IKE SA now. */
export interface IkeStatus {
  readonly ike: number;
  readonly connection: string | undefined;
  readonly state: "half-open" | "established" | "closing";
  readonly isInitiator: boolean;
  readonly spiInitiator: Uint8Array;
  readonly spiResponder: Uint8Array;
  readonly remote: SocketAddress;
  readonly remoteId: IkeId | undefined;
  readonly algorithms: IkeAlgorithms | undefined;
  readonly isNatDetected: { readonly local: boolean; readonly remote: boolean };
  readonly children: readonly { readonly name: string; readonly spiIn: number; readonly spiOut: number }[];
  readonly addresses: readonly Uint8Array[];
}

import type { Answer, DatagramInput, Question, SocketAddress } from "../../contract/index.js";
import type { SharedProtocol } from "../../mechanisms/demultiplex.js";
import type { TlsAsks } from "../tls/handshake/questions.js";
import type { TlsOutcome } from "../tls/options.js";
import type { Batch } from "./association/outbound.js";
import type { DtlsFailure } from "./failure.js";
import type { DtlsClientOptions, DtlsOutcome, DtlsServerOptions } from "./options.js";

/** What an endpoint takes beside its port's inputs and answers. Associations have numbers: odd if they are ours. */
export type DtlsInput =
  | DatagramInput
  | Answer
  /** A client's association, under a number that the caller makes up. */
  | {
      readonly kind: "connect";
      readonly association: number;
      readonly remote: SocketAddress;
      readonly options: DtlsClientOptions;
    }
  /** A server's association with a peer that is known to be there: the next ClientHello from this address is for it. */
  | {
      readonly kind: "expect";
      readonly association: number;
      readonly remote: SocketAddress;
      readonly options: DtlsServerOptions;
    }
  /** Messages that the machine may hold until it has transmitted them; before the session is confirmed they wait. */
  | { readonly kind: "send"; readonly association: number; readonly batch: Batch }
  /** One message, read when it is given. It goes out as 0-RTT data, or not at all. */
  | { readonly kind: "send-early"; readonly association: number; readonly bytes: Uint8Array }
  /** close_notify, behind all that is queued. */
  | { readonly kind: "close"; readonly association: number }
  /** Forget it, without a word. */
  | { readonly kind: "abort"; readonly association: number }
  | { readonly kind: "update-keys"; readonly association: number; readonly requestPeer: boolean }
  | { readonly kind: "request-authentication"; readonly association: number }
  | { readonly kind: "request-connection-ids"; readonly association: number; readonly count: number }
  | { readonly kind: "renew-connection-id"; readonly association: number; readonly immediate: boolean }
  /** The network below refused a datagram as too large, of whichever association it was. */
  | { readonly kind: "too-big" }
  /** No more strangers: those that are here go on. */
  | { readonly kind: "refuse-strangers" };

/** TLS's questions, each with the association that asks. */
export type DtlsAsks = {
  readonly [K in keyof TlsAsks]: {
    readonly ask: TlsAsks[K]["ask"] & { readonly association: number };
    readonly answer: TlsAsks[K]["answer"];
  };
};

export type DtlsEvent =
  | Question<DtlsAsks>
  | AssociationEvent
  /** A stranger has proved its address, or need not: its handshake begins. */
  | { readonly kind: "accepted"; readonly association: number; readonly from: SocketAddress }
  /** Another protocol's datagram, in place in the memory of the input. */
  | {
      readonly kind: "foreign";
      readonly bytes: Uint8Array;
      readonly from: SocketAddress;
      readonly protocol: SharedProtocol | undefined;
    };

export type AssociationEvent =
  | { readonly kind: "confirmed"; readonly association: number; readonly outcome: DtlsOutcome }
  | DataEvent
  | { readonly kind: "early-data"; readonly association: number; readonly status: "offered" | "accepted" | "rejected" }
  | {
      readonly kind: "key-updated";
      readonly association: number;
      readonly direction: "read" | "write";
      readonly byPeer: boolean;
    }
  | { readonly kind: "authenticated"; readonly association: number; readonly peer: TlsOutcome["peer"] }
  | { readonly kind: "ticket"; readonly association: number }
  | {
      readonly kind: "moved";
      readonly association: number;
      readonly from: SocketAddress;
      readonly to: SocketAddress;
    }
  /** Datagrams may be so large now, in bytes of UDP payload. */
  | { readonly kind: "path-size"; readonly association: number; readonly size: number }
  /** The session is over, well or badly; nothing of it follows but `gone`. */
  | { readonly kind: "ended"; readonly association: number; readonly failure: DtlsFailure | undefined }
  /** It is forgotten: whoever comes from that address is a stranger again. */
  | { readonly kind: "gone"; readonly association: number };

/**
 * Messages of one association. Message `i` is `bytes[ranges[2i] … ranges[2i+1])`, in place in the memory of the input; the
 * event is the machine's and good until its next input. `early`: 0-RTT, which may have been replayed.
 */
export interface DataEvent {
  readonly kind: "data";
  readonly association: number;
  readonly bytes: Uint8Array;
  readonly ranges: Uint32Array;
  readonly count: number;
  readonly early: boolean;
}

import type { SocketAddress } from "../../../contract/index.js";
import type { TlsHandshakeOutput } from "../../tls/handshake/vocabulary.js";
import type { Config, Handshake } from "../../tls/index.js";
import type { Transport } from "../config.js";
import type { ConnectionIds } from "../handshake/connection-ids.js";
import type { DtlsOptions } from "../options.js";
import type { AssociationEvent } from "../vocabulary.js";

/** What an association, by its number, needs of the endpoint on whose port it lives. */
export interface Surroundings {
  /** A message for the application: `bytes[from … to)`, in the memory of the datagram in hand. */
  deliver(by: number, bytes: Uint8Array, from: number, to: number, early: boolean): void;
  tell(event: AssociationEvent): void;
  ask(by: number, output: TlsHandshakeOutput & { readonly kind: "question" }): void;
  /** A name that finds this association among all of the port. */
  newConnectionId(by: number): Uint8Array;
}

/** How an association begins. */
export interface Beginning {
  readonly id: number;
  readonly config: Config;
  readonly handshake: Handshake;
  readonly options: DtlsOptions;
  readonly transport: Transport;
  readonly remote: SocketAddress;
  readonly ids: ConnectionIds;
  /** Client: the connection ID that was offered. */
  readonly offeredId: Uint8Array;
  /** Number of the first message of either side: 1 behind a stateless answer. And of our first record. */
  readonly firstMessage: 0 | 1;
  readonly firstRecord: number;
  readonly idleTimeoutMs: number;
}

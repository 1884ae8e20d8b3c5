import type { CryptoProvider, Entropy } from "../../../contract/index.js";
import type { Boxes } from "../../../crypto/index.js";
import type { TunnelEvent } from "../vocabulary.js";
import type { ServiceRecord } from "../wire/record.js";
import type { Tunnel } from "./tunnel.js";

/** What a tunnel needs of its endpoint. */
export interface Home {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  readonly boxes: Boxes;
  tell(event: TunnelEvent): void;
  /** Packets with this identifier are the tunnel's from now on; false if they are another's. */
  route(tid: Uint8Array, tunnel: Tunnel): boolean;
  unroute(tid: Uint8Array): void;
}

/** What a server's tunnel needs beside that. */
export interface ServerHome extends Home {
  /** Has this key begun a tunnel before? If not, it has now. */
  spend(clientKey: Uint8Array): boolean;
  /** Asks whether a connection may be; `decide` of the tunnel answers, at once or later. */
  askConnection(tunnel: Tunnel, connection: number, user: Uint8Array | undefined, x: Uint8Array | undefined): void;
  /** Finds a record; `answer` is called once, at once or later. */
  find(name: string, answer: (record: ServiceRecord | undefined) => void): void;
  /** Takes a record into the table of names; false if it may not be there. */
  register(record: ServiceRecord): boolean;
}

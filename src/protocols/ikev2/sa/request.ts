import type { Instant, SocketAddress } from "../../../contract/index.js";
import type { Payload } from "../wire/payloads.js";

/** A request of ours, from when it is wanted until it is answered. */
export interface Request {
  /** Exchange type. */
  readonly exchange: number;
  /** Its payloads, once its turn in the window has come; undefined if it is not wanted any more. */
  begin(now: Instant): readonly Payload[] | undefined;
  responded(payloads: readonly Payload[], now: Instant): void;
}

/** Where a message goes, from where, and whether the Non-ESP Marker stands in front of it. */
export interface Path {
  readonly remote: SocketAddress;
  readonly local: SocketAddress | undefined;
  readonly isMarked: boolean;
}

export interface Outgoing extends Path {
  readonly message: Uint8Array;
}

export const samePlace = (a: SocketAddress, b: SocketAddress): boolean => a.port === b.port && a.address === b.address;

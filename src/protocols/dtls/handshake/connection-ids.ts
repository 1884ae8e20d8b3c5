import { bytes, decode, encode, equal, struct, u8, vector } from "../../../bytes/index.js";
import { limits } from "../limits.js";

/** ExtensionTypes: connection_id (RFC 9146 §3), rrc (RFC 9853 §3). */
export const connectionIdExtension = 54;
export const routabilityExtension = 61;

/** HandshakeTypes of RFC 9147 §9. */
export const requestConnectionId = 9;
export const newConnectionId = 10;

const extensionData = bytes(1);
const newIds = struct({ cids: vector(2, bytes(1)), usage: u8 });
const immediate = 0;
const spare = 1;

export const encodeConnectionId = (id: Uint8Array): Uint8Array => encode(extensionData, id);

/** The names that the two sides have for each other in records: ours, which the peer writes, and the peer's. */
export class ConnectionIds {
  /** All that the peer may write, the newest last; empty if there are none, or the only one is empty. */
  readonly ours: Uint8Array[] = [];
  /** What we write. */
  theirs: Uint8Array = none;
  readonly #spares: Uint8Array[] = [];
  /** We asked for more, and they have not come. */
  #isAsking = false;
  isNegotiated = false;
  /** Both sides answer path challenges (RFC 9853). */
  provesPaths = false;

  /** The peer's extension, after ours was sent or while it is. */
  negotiate(theirExtension: Uint8Array, ours: Uint8Array): void {
    this.theirs = decode(extensionData, theirExtension).slice();
    this.isNegotiated = true;
    if (ours.length > 0) this.ours.push(ours);
  }

  isOurs(bytes: Uint8Array, at: number, size: number): boolean {
    return this.ours.some((id) => id.length === size && equal(id, bytes.subarray(at, at + size)));
  }

  /** A spare name of the peer's, for another path (RFC 9147 §9): undefined if there is none. */
  takeSpare(): Uint8Array | undefined {
    return this.#spares.shift();
  }

  /** Body of a NewConnectionId with these names of ours. */
  give(ids: readonly Uint8Array[], isImmediate: boolean): Uint8Array {
    this.ours.push(...ids);
    return encode(newIds, { cids: ids, usage: isImmediate ? immediate : spare });
  }

  /** Body of a RequestConnectionId; undefined while an earlier one is unfulfilled. */
  request(count: number): Uint8Array | undefined {
    if (this.#isAsking) return undefined;
    this.#isAsking = true;
    return Uint8Array.of(Math.min(count, limits.spareConnectionIdsMax));
  }

  /** The peer's NewConnectionId. Answers the name to write from now on, undefined if it stays. Throws DecodeError. */
  take(body: Uint8Array): Uint8Array | undefined {
    const { cids, usage } = decode(newIds, body);
    this.#isAsking = false;
    if (usage === immediate) {
      this.#spares.length = 0;
      this.#keep(cids);
      return this.#spares.shift();
    }
    this.#keep(cids);
    return undefined;
  }

  /** Those beyond what we keep are discarded. */
  #keep(cids: readonly Uint8Array[]): void {
    for (const id of cids) {
      if (this.#spares.length < limits.spareConnectionIdsMax) this.#spares.push(id.slice());
    }
  }
}

const none = new Uint8Array(0);

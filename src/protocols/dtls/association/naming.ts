import { asFailure, type DtlsFailure, dtlsFailure } from "../failure.js";
import { type ConnectionIds, newConnectionId, requestConnectionId } from "../handshake/connection-ids.js";
import type { Flights } from "../handshake/flights.js";
import type { WholeMessage } from "../handshake/incoming.js";
import { limits } from "../limits.js";
import type { Epochs } from "../record/epochs.js";

/** NewConnectionId and RequestConnectionId of a 1.3 session, both ways (RFC 9147 §9). */
export class Naming {
  readonly #ids: ConnectionIds;
  readonly #flights: Flights;
  readonly #epochs: Epochs;
  readonly #newId: () => Uint8Array;
  /** Messages without application data between them. */
  #messages = 0;

  constructor(ids: ConnectionIds, flights: Flights, epochs: Epochs, newId: () => Uint8Array) {
    this.#ids = ids;
    this.#flights = flights;
    this.#epochs = epochs;
    this.#newId = newId;
  }

  static concerns = (type: number): boolean => type === newConnectionId || type === requestConnectionId;

  dataReceived(): void {
    this.#messages = 0;
  }

  request(count: number): void {
    if (this.#ids.theirs.length === 0) return;
    const body = this.#ids.request(count);
    if (body !== undefined) this.#later(requestConnectionId, body);
  }

  give(count: number, isImmediate: boolean): void {
    if (this.#ids.ours.length === 0) return;
    const room = limits.spareConnectionIdsMax + 1 - this.#ids.ours.length;
    const ids = Array.from({ length: Math.max(0, Math.min(count, room)) }, this.#newId);
    // One message that must be used at once names somebody (RFC 9147 §9).
    if (ids.length > 0 || !isImmediate) this.#later(newConnectionId, this.#ids.give(ids, isImmediate));
  }

  /** The peer's message. Answers why it ends the session; undefined if it does not. */
  receive({ type, bytes }: WholeMessage, mayRename: boolean): DtlsFailure | undefined {
    const body = bytes.subarray(4);
    const isNew = type === newConnectionId;
    const at = isNew ? "NewConnectionId" : "RequestConnectionId";
    const hasNames = isNew ? this.#ids.theirs.length > 0 : this.#ids.ours.length > 0;
    if (!mayRename || !hasNames) return dtlsFailure("unexpected-message", at, "no connection IDs were negotiated");
    if (++this.#messages > limits.connectionIdMessagesMax) {
      return dtlsFailure("too-many-requests", at, "a flood of messages about connection IDs");
    }
    if (!isNew) {
      if (body.length !== 1) return dtlsFailure("malformed-message", at, "it has one byte");
      this.give(Math.min(body[0]!, limits.spareConnectionIdsMax), false);
      return undefined;
    }
    try {
      const theirs = this.#ids.take(body);
      if (theirs !== undefined) this.rename(theirs);
      return undefined;
    } catch (error) {
      return asFailure(error, at);
    }
  }

  /** The peer has moved. Who watches both paths should not see that they are one session's. */
  moved(): void {
    const spare = this.#ids.takeSpare();
    if (spare !== undefined) this.rename(spare);
  }

  rename(theirs: Uint8Array): void {
    this.#ids.theirs = theirs;
    this.#epochs.rename(theirs);
  }

  #later(type: number, body: Uint8Array): void {
    const size = body.length;
    const bytes = new Uint8Array(4 + size);
    bytes.set([type, size >> 16, (size >> 8) & 255, size & 255]);
    bytes.set(body, 4);
    this.#flights.later(type, bytes);
    this.#flights.advance(this.#epochs);
  }
}

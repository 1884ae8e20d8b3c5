import { concat, Writer } from "../../../bytes/index.js";
import type { Prf } from "../keys.js";
import { type Header, headerSize, writeHeader } from "../wire/header.js";
import { PayloadType } from "../wire/numbers.js";
import { bodyOf, type PayloadOf } from "../wire/payloads.js";

const nothing = new Uint8Array(0);

/** What AUTH covers (RFC 7296 §2.15, RFC 9242 §3.3.2). */
export class Transcript {
  /** IKE_SA_INIT, as it was sent: the request that was answered with keys, and that answer. */
  messageInitiator: Uint8Array = nothing;
  messageResponder: Uint8Array = nothing;
  nonceInitiator: Uint8Array = nothing;
  nonceResponder: Uint8Array = nothing;
  /** IntAuth of both sides, if there were IKE_INTERMEDIATE exchanges. */
  #initiator: Uint8Array = nothing;
  #responder: Uint8Array = nothing;
  /** Of the first request of IKE_AUTH. */
  #authId = 1;

  /** One message of an IKE_INTERMEDIATE exchange; `key` is the sender's SK_p of that moment. */
  cover(prf: Prf, key: Uint8Array, header: Header, first: number, inner: Uint8Array): void {
    const to = new Writer();
    // Lengths are those of a message without IV, padding and tag.
    writeHeader(to, { ...header, nextPayload: PayloadType.SK }, headerSize + 4 + inner.length);
    to.u8(first)
      .u8(0)
      .u16(4 + inner.length);
    const before = header.isInitiator ? this.#initiator : this.#responder;
    const value = prf.compute(key, before, to.view(), inner);
    if (header.isInitiator) this.#initiator = value;
    else this.#responder = value;
    this.#authId = header.messageId + 1;
  }

  /** The octets that one side's AUTH covers, with its identity under its SK_p. */
  octets(by: "initiator" | "responder", id: PayloadOf<"IDi" | "IDr">, prf: Prf, key: Uint8Array): Uint8Array {
    const macedId = prf.compute(key, bodyOf(id));
    const [message, nonce] =
      by === "initiator" ? [this.messageInitiator, this.nonceResponder] : [this.messageResponder, this.nonceInitiator];
    if (this.#initiator.length === 0) return concat(message, nonce, macedId);
    const authId = new Writer().u32(this.#authId).take();
    return concat(message, nonce, macedId, this.#initiator, this.#responder, authId);
  }
}

import { type Entropy, equalInConstantTime } from "../../../contract/index.js";
import { limits } from "../limits.js";
import { contentType } from "../record/content-type.js";
import type { RecordSealer } from "../record/protection.js";

/** HeartbeatMessageTypes of RFC 6520 §3. */
const request = 1;
const response = 2;
/** Type and payload_length. */
const headerSize = 3;
/** Padding that every message has, random (§4). */
const paddingMin = 16;
const cookieSize = 16;

/** What a request has at least beside its record: a probe cannot be smaller. */
export const requestSizeMin = headerSize + cookieSize + paddingMin;

/** HeartbeatRequest and HeartbeatResponse (RFC 6520): one request of ours at a time, and one answer that waits. */
export class Heartbeats {
  readonly #entropy: Entropy;
  readonly #cookie = new Uint8Array(cookieSize);
  #isOut = false;
  /** Payload of the peer's last request. */
  #asked: Uint8Array | undefined;

  constructor(entropy: Entropy) {
    this.#entropy = entropy;
  }

  /** Seals a request whose content has so many bytes; answers the record's size. */
  ask(into: Uint8Array, sealer: RecordSealer, size: number): number {
    this.#entropy.fill(this.#cookie);
    this.#isOut = true;
    return this.#write(into, sealer, request, this.#cookie, size);
  }

  /** It is not waited for any more: an answer that comes yet says nothing. */
  giveUp(): void {
    this.#isOut = false;
  }

  /**
   * A message of the peer's: `answered` if it answers our request, `asked` if there is something to answer. The length that
   * it claims is looked at before anything else is: what is longer than the message is dropped (§4).
   */
  receive(bytes: Uint8Array, at: number, size: number): "answered" | "asked" | "malformed" {
    if (size < headerSize + paddingMin) return "malformed";
    const length = (bytes[at + 1]! << 8) | bytes[at + 2]!;
    if (length > size - headerSize - paddingMin || length > limits.heartbeatPayloadMax) return "malformed";
    const payload = bytes.subarray(at + headerSize, at + headerSize + length);
    if (bytes[at] === request) {
      this.#asked = payload.slice();
      return "asked";
    }
    if (bytes[at] !== response || !this.#isOut || !equalInConstantTime(payload, this.#cookie)) return "malformed";
    this.#isOut = false;
    return "answered";
  }

  /** Seals the answer to the peer's request, if there is one and it fits; answers the record's size. */
  answer(into: Uint8Array, sealer: RecordSealer, contentMax: number): number {
    const payload = this.#asked;
    if (payload === undefined) return 0;
    this.#asked = undefined;
    const size = headerSize + payload.length + paddingMin;
    return size > contentMax ? 0 : this.#write(into, sealer, response, payload, size);
  }

  #write(into: Uint8Array, sealer: RecordSealer, type: number, payload: Uint8Array, size: number): number {
    const at = sealer.headroom;
    into[at] = type;
    into[at + 1] = payload.length >> 8;
    into[at + 2] = payload.length & 255;
    into.set(payload, at + headerSize);
    this.#entropy.fill(into.subarray(at + headerSize + payload.length, at + size));
    return sealer.seal(into, 0, size, contentType.heartbeat);
  }
}

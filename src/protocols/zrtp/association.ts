import { equal, toHex } from "../../bytes/index.js";
import type { Failure, Secret } from "../../contract/index.js";
import type { Choice } from "./algorithms.js";
import { failure, type ZrtpReason } from "./failure.js";
import { streamsMax } from "./limits.js";

/**
 * What the media streams of one call have in common (RFC 6189 §4.4.3): the first has agreed on ZRTPSess, and the others derive
 * their keys from it. It ends with the call: `destroy` it, or close the first stream's session.
 */
export class Association {
  readonly zid: Uint8Array;
  readonly peerZid: Uint8Array;
  readonly choice: Choice;
  readonly #session: Secret;
  readonly #nonces = new Set<string>();

  constructor(zid: Uint8Array, peerZid: Uint8Array, choice: Choice, session: Secret) {
    this.zid = zid;
    this.peerZid = peerZid;
    this.choice = choice;
    this.#session = session;
  }

  /** ZRTPSess, or undefined once the call is over. */
  get session(): Secret | undefined {
    return this.#session.wiped ? undefined : this.#session;
  }

  isWith(zid: Uint8Array): boolean {
    return equal(this.peerZid, zid);
  }

  /** Notes a stream's nonce; the failure if it was there before, or there are too many (§4.4.3.1). */
  spend(nonce: Uint8Array): Failure<ZrtpReason> | undefined {
    const key = toHex(nonce);
    if (this.#nonces.has(key)) {
      return failure("nonce-reuse", "a stream came with the nonce of another, which would give both the same keys", {
        at: "Commit",
      });
    }
    if (this.#nonces.size >= streamsMax) {
      return failure("too-many-streams", `a call has ${streamsMax} streams at the most`, { at: "Commit" });
    }
    this.#nonces.add(key);
    return undefined;
  }

  destroy(): void {
    this.#session.wipe();
    this.#nonces.clear();
  }
}

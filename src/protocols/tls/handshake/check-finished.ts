import { equalInConstantTime, type Secret } from "../../../contract/index.js";
import { refuse } from "../failure.js";
import type { Labels } from "../keys13.js";

/** Refuses a Finished that is not the one of this transcript (RFC 9846 §4.5.3). */
export function checkFinished(labels: Labels, baseKey: Secret, transcriptHash: Uint8Array, body: Uint8Array): void {
  if (body.length !== labels.hash.size) refuse("malformed-message", "Finished", `it has ${body.length} bytes`);
  if (!equalInConstantTime(labels.verifyData(baseKey, transcriptHash), body)) {
    refuse("bad-finished", "Finished", "the two sides do not have the same handshake");
  }
}

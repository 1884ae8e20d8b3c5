import { type CryptoProvider, equalInConstantTime } from "../../../contract/index.js";
import { tagSize } from "./protection.js";
import type { Version } from "./versions.js";

/**
 * The Retry Integrity Tag (RFC 9001 §5.8): it shows that whoever sent the Retry has seen the Initial that it answers.
 * `retry` is the packet without the tag.
 */
export function retryTag(
  crypto: CryptoProvider,
  version: Version,
  originalDcid: Uint8Array,
  retry: Uint8Array,
): Uint8Array {
  const pseudo = new Uint8Array(1 + originalDcid.length + retry.length);
  pseudo[0] = originalDcid.length;
  pseudo.set(originalDcid, 1);
  pseudo.set(retry, 1 + originalDcid.length);
  const tag = new Uint8Array(tagSize);
  const sealer = crypto.aead("AES-128-GCM").sealer(version.retryKey);
  sealer.seal(tag, 0, 0, version.retryNonce, pseudo);
  sealer.destroy();
  return tag;
}

/** Is this whole Retry packet an answer to an Initial with that Destination Connection ID? */
export function checkRetry(
  crypto: CryptoProvider,
  version: Version,
  originalDcid: Uint8Array,
  packet: Uint8Array,
): boolean {
  if (packet.length < tagSize) return false;
  const body = packet.subarray(0, packet.length - tagSize);
  return equalInConstantTime(retryTag(crypto, version, originalDcid, body), packet.subarray(body.length));
}

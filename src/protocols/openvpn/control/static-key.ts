import { concat, fromHex } from "../../../bytes/index.js";
import { Secret } from "../../../contract/index.js";
import { readPem } from "../../../pki/index.js";

/** Bytes of a static key: two pairs of a cipher key and an HMAC key, 64 bytes each (wire document §11.1). */
export const staticKeySize = 256;

/** Where the keys of the pair `index` begin. */
export const cipherKeyAt = (index: 0 | 1): number => 128 * index;
export const hmacKeyAt = (index: 0 | 1): number => 128 * index + 64;

/** The key of a "OpenVPN Static key V1" file; undefined if it is none. */
export function readStaticKey(text: string): Secret | undefined {
  const [, body] = /-----BEGIN OpenVPN Static key V1-----([^-]*)-----END OpenVPN Static key V1-----/.exec(text) ?? [];
  const hex = body?.replace(/^\s*[#;].*$/gm, "").replace(/\s+/g, "");
  if (hex === undefined || !/^[0-9a-fA-F]{512}$/.test(hex)) return undefined;
  const bytes = fromHex(hex);
  return bytes && new Secret(bytes);
}

/** Kc and WKc of a tls-crypt-v2 client key; undefined if it is none. */
export function readClientKey(text: string): { readonly key: Secret; readonly wrapped: Uint8Array } | undefined {
  const bytes = pemBlock(text, "OpenVPN tls-crypt-v2 client key");
  if (bytes === undefined || bytes.length < staticKeySize + 34) return undefined;
  const key = new Secret(bytes.slice(0, staticKeySize));
  return { key, wrapped: bytes.slice(staticKeySize) };
}

/** The 128 bytes of a tls-crypt-v2 server key: a cipher key and an HMAC key; undefined if it is none. */
export function readServerKey(text: string): Secret | undefined {
  const bytes = pemBlock(text, "OpenVPN tls-crypt-v2 server key");
  return bytes?.length === 128 ? new Secret(bytes) : undefined;
}

function pemBlock(text: string, label: string): Uint8Array | undefined {
  const blocks = readPem(text);
  return Array.isArray(blocks) ? blocks.find((block) => block.label === label)?.bytes : undefined;
}

/** Dynamic tls-crypt: what the exporter gave, over the key that protected the first session, if there was one. */
export function dynamicKey(exported: Uint8Array, original: Secret | undefined): Secret {
  const key = concat(exported);
  const under = original?.expose();
  if (under !== undefined) for (let i = 0; i < key.length; i++) key[i]! ^= under[i]!;
  return new Secret(key);
}

import { concat } from "../../bytes/bytes.js";
import { Writer } from "../../bytes/writer.js";
import type { CryptoProvider, Hash } from "../../contract/index.js";
import { Failure, Secret } from "../../contract/index.js";
import { prf } from "../../crypto/prf.js";
import type { Suite12 } from "./parameters/suites12.js";
import { type DirectionKeys, keySizes } from "./record12/protection.js";

/*
 * The key schedule of TLS 1.2 (RFC 5246 §8):
 *
 *   ECDHE, DHE, PSK ─► premaster secret
 *                          │  "extended master secret", session hash      (RFC 7627 §4)
 *                          │  "master secret", client random, server random (without EMS)
 *                          ▼
 *                    main secret ────► "client finished" / "server finished", transcript ─► verify_data
 *                          │    └────► label, randoms, context ─► exported keying material  (RFC 5705 §4)
 *                          │  "key expansion", server random, client random
 *                          ▼
 *                      key block ─► MAC keys, keys, IVs of both directions
 */

/** Bytes of a main secret and of verify_data. */
export const mainSecretSize = 48;
export const verifyDataSize = 12;

/** The two randoms of the hellos. Their order changes from use to use. */
export interface Randoms {
  readonly client: Uint8Array;
  readonly server: Uint8Array;
}

/** The premaster secret of a Diffie-Hellman exchange. Finite-field results lose their leading zeros: RFC 5246 §8.1.2. */
export function agreedPremaster(agreed: Secret, finiteField: boolean): Secret {
  const bytes = agreed.expose();
  let at = 0;
  if (finiteField) while (at < bytes.length && bytes[at] === 0) at++;
  return Secret.copy(bytes.subarray(at));
}

/** RFC 4279 §2, RFC 5489 §2: other_secret is the agreed premaster, or as many zeros as the key has bytes. */
export function pskPremaster(key: Secret, agreed?: Secret): Secret {
  const psk = key.expose();
  const other = agreed?.expose() ?? new Uint8Array(psk.length);
  const premaster = new Uint8Array(4 + other.length + psk.length);
  premaster[0] = other.length >> 8;
  premaster[1] = other.length;
  premaster.set(other, 2);
  premaster[2 + other.length] = psk.length >> 8;
  premaster[3 + other.length] = psk.length;
  premaster.set(psk, 4 + other.length);
  return new Secret(premaster);
}

/** What makes a main secret: the hash of the handshake so far (RFC 7627), or only the randoms (RFC 5246 §8.1). */
export type MainSecretBinding = { readonly sessionHash: Uint8Array } | { readonly randoms: Randoms };

export function mainSecret(hash: Hash, premain: Secret, binding: MainSecretBinding): Secret {
  const [label, seed] =
    "sessionHash" in binding
      ? ["extended master secret", binding.sessionHash]
      : ["master secret", concat(binding.randoms.client, binding.randoms.server)];
  return new Secret(prf(hash, premain.expose(), label, seed, mainSecretSize));
}

export interface KeyBlock {
  readonly client: DirectionKeys;
  readonly server: DirectionKeys;
  wipe(): void;
}

/** RFC 5246 §6.3. The parts are views of one memory, which `wipe` clears. */
export function keyBlock(crypto: CryptoProvider, suite: Suite12, main: Secret, randoms: Randoms): KeyBlock {
  const { mac, key, iv } = keySizes(crypto, suite.protection);
  const seed = concat(randoms.server, randoms.client);
  const block = prf(crypto.hash(suite.hash), main.expose(), "key expansion", seed, 2 * (mac + key + iv));
  let at = 0;
  const take = (size: number): Uint8Array => block.subarray(at, (at += size));
  const [clientMac, serverMac, clientKey, serverKey] = [take(mac), take(mac), take(key), take(key)];
  return {
    client: { macKey: clientMac, key: clientKey, iv: take(iv) },
    server: { macKey: serverMac, key: serverKey, iv: take(iv) },
    wipe: () => void block.fill(0),
  };
}

/** verify_data of a side's Finished, RFC 5246 §7.4.9. */
export function verifyData(
  hash: Hash,
  main: Secret,
  side: "client" | "server",
  transcriptHash: Uint8Array,
): Uint8Array {
  return prf(hash, main.expose(), `${side} finished`, transcriptHash, verifyDataSize);
}

/** Labels that the handshake itself uses: an exporter with one of them would give its secrets away (RFC 5705 §4). */
const reservedLabels: readonly string[] = [
  "client finished",
  "server finished",
  "master secret",
  "extended master secret",
  "key expansion",
];

/** RFC 5705 §4. No context and an empty context are different things here, other than in TLS 1.3. */
export function exportKeyingMaterial(
  hash: Hash,
  main: Secret,
  randoms: Randoms,
  label: string,
  length: number,
  context?: Uint8Array,
): Uint8Array {
  if (reservedLabels.includes(label)) {
    throw new Failure({
      fault: "misuse",
      reason: "reserved-label",
      protocol: "TLS",
      at: "exporter",
      message: `the handshake itself uses the label "${label}"`,
      hint: "labels for private use begin with EXPERIMENTAL (RFC 5705 §4)",
    });
  }
  const seed = new Writer().put(randoms.client).put(randoms.server);
  if (context !== undefined) seed.prefixed(2, () => seed.put(context));
  return prf(hash, main.expose(), label, seed.view(), length);
}

import { concat, utf8 } from "../../bytes/index.js";
import { type Hash, type Mac, Secret } from "../../contract/index.js";
import type { MasterKey } from "../srtp/index.js";
import type { SharedSecrets } from "./secrets.js";

/** Bytes of an SRTP master salt (RFC 6189 §4.5.3: 112 bits), of a sashash, of a retained secret. */
export const saltSize = 14;
export const sashashSize = 32;
export const retainedSize = 32;

/** Whose keys: each side protects with its own. */
export type Role = "initiator" | "responder";
export const other = (role: Role): Role => (role === "initiator" ? "responder" : "initiator");

/** What every derivation is bound to (§4.4.1.4): both ZIDs, and all that was said. */
export interface KeyContext {
  readonly hash: Hash;
  readonly zids: Readonly<Record<Role, Uint8Array>>;
  readonly totalHash: Uint8Array;
}

const counter = Uint8Array.of(0, 0, 0, 1);

/**
 * KDF(KI, Label, Context, L) of §4.5.1: one turn of SP 800-108's counter mode.
 *
 * ```
 *   HMAC(KI, 00000001 || Label || 00 || Context || L in bits)
 * ```
 */
export function kdf(hash: Hash, key: Uint8Array, label: string, context: Uint8Array, size: number): Uint8Array {
  const mac = hash.hmac(key);
  const derived = turn(mac, label, context, size);
  mac.destroy();
  return derived;
}

/** The same under a key whose schedule is kept. */
function turn(mac: Mac, label: string, context: Uint8Array, size: number): Uint8Array {
  const bits = 8 * size;
  const length = Uint8Array.of(0, 0, bits >>> 8, bits);
  const derived = mac.compute(counter, utf8(label), Uint8Array.of(0), context, length);
  const out = derived.slice(0, size);
  derived.fill(0);
  return out;
}

/** KDF_Context. */
export const contextOf = ({ zids, totalHash }: KeyContext): Uint8Array =>
  concat(zids.initiator, zids.responder, totalHash);

/** s0 of DH mode (§4.4.1.4). The result of the agreement is wiped. */
export function secretOfDh(context: KeyContext, result: Secret, shared: SharedSecrets): Secret {
  const { hash, zids, totalHash } = context;
  const parts = [counter, result.expose(), utf8("ZRTP-HMAC-KDF"), zids.initiator, zids.responder, totalHash];
  for (const secret of [shared.s1, shared.s2, shared.s3]) parts.push(...lengthAndBytes(secret));
  const s0 = new Secret(hash.digest(...parts));
  result.wipe();
  return s0;
}

/** preshared_key (§4.4.2.2). */
export function presharedKey(hash: Hash, ...secrets: readonly (Uint8Array | undefined)[]): Secret {
  return new Secret(hash.digest(...secrets.flatMap(lengthAndBytes)));
}

/** s0 of Preshared mode and of Multistream mode (§4.4.2.4, §4.4.3.2). */
export function secretOf(context: KeyContext, key: Secret, label: "ZRTP PSK" | "ZRTP MSK"): Secret {
  return new Secret(kdf(context.hash, key.expose(), label, contextOf(context), context.hash.size));
}

function lengthAndBytes(secret: Uint8Array | undefined): Uint8Array[] {
  const size = secret?.length ?? 0;
  const length = Uint8Array.of(0, 0, size >>> 8, size);
  return secret === undefined ? [length] : [length, secret];
}

/** What one side uses (§4.5.3). */
export interface SideKeys {
  readonly srtp: MasterKey;
  /** For confirm_mac and clear_mac. */
  readonly mac: Secret;
  /** For CFB. */
  readonly zrtp: Secret;
}

/** The keys of a media stream, and what only the first stream of a call has (§4.5.2). */
export interface StreamKeys {
  /** KDF_Context, which is no secret. */
  readonly context: Uint8Array;
  readonly sides: Readonly<Record<Role, SideKeys>>;
  readonly first:
    | { readonly session: Secret; readonly sashash: Uint8Array; readonly exported: Secret; readonly retained: Secret }
    | undefined;
}

/** All that s0 gives; it is wiped. `keySize` is the negotiated cipher's. */
export function deriveKeys(context: KeyContext, s0: Secret, keySize: number, isFirst: boolean): StreamKeys {
  const { hash } = context;
  const bound = contextOf(context);
  const mac = hash.hmac(s0.expose());
  const derive = (label: string, size: number): Uint8Array => turn(mac, label, bound, size);
  const side = (name: "Initiator" | "Responder"): SideKeys => ({
    srtp: {
      key: new Secret(derive(`${name} SRTP master key`, keySize)),
      salt: derive(`${name} SRTP master salt`, saltSize),
    },
    mac: new Secret(derive(`${name} HMAC key`, hash.size)),
    zrtp: new Secret(derive(`${name} ZRTP key`, keySize)),
  });
  const keys: StreamKeys = {
    context: bound,
    sides: { initiator: side("Initiator"), responder: side("Responder") },
    first: isFirst
      ? {
          session: new Secret(derive("ZRTP Session Key", hash.size)),
          sashash: derive("SAS", sashashSize),
          exported: new Secret(derive("Exported key", hash.size)),
          retained: new Secret(derive("retained secret", retainedSize)),
        }
      : undefined,
  };
  mac.destroy();
  s0.wipe();
  return keys;
}

/** The secret of a PBX that the user has enrolled with (§7.3.1). */
export const pbxSecret = (hash: Hash, session: Secret, zids: KeyContext["zids"]): Uint8Array =>
  kdf(hash, session.expose(), "Trusted MiTM key", concat(zids.initiator, zids.responder), retainedSize);

/** srtps (§8.2): the auxiliary secret that an SRTP key from signalling gives, SDES's for example. */
export function signalledSecret(hash: Hash, master: MasterKey, zids: KeyContext["zids"]): Secret {
  const context = concat(zids.initiator, zids.responder, master.salt);
  return new Secret(kdf(hash, master.key.expose(), "SRTP Secret", context, retainedSize));
}

import { concat, equal, utf8 } from "../../../bytes/index.js";
import type { CryptoProvider, Entropy, Instant, Secret } from "../../../contract/index.js";
import { expand } from "../../../crypto/hkdf.js";
import { refuse } from "../failure.js";
import { configLifetimeMs, limits } from "../limits.js";
import { decodeMessage, encodeMessage, fromLe, le, required, tagList } from "../messages/message.js";
import { Tag } from "../messages/tags.js";

const scidSize = 16;
const orbitSize = 8;
const shareSize = 32;
/** PUBS of a config: each value behind a length of three bytes. */
const shareHead = 3;

/** A server's config as a client reads it (SCFG). */
export interface ReadConfig {
  readonly raw: Uint8Array;
  readonly scid: Uint8Array;
  readonly orbit: Uint8Array;
  readonly share: Uint8Array;
  readonly expiresAt: Instant;
}

/** Reads a config, and finds C255's public value in it. Refuses what shares no algorithms with us. */
export function readConfig(raw: Uint8Array): ReadConfig {
  const message = decodeMessage(raw);
  if (message.tag !== Tag.SCFG) refuse("malformed-message", "SCFG", "it is no config");
  if (!tagList(required(message, Tag.AEAD), "AEAD").includes(Tag.AESG)) {
    refuse("no-common-crypto", "AEAD", "the server does not take AES-GCM");
  }
  const index = tagList(required(message, Tag.KEXS), "KEXS").indexOf(Tag.C255);
  if (index < 0) refuse("no-common-crypto", "KEXS", "the server does not take Curve25519");
  const shares = required(message, Tag.PUBS);
  let at = 0;
  for (let i = 0; ; i++) {
    const size = at + shareHead <= shares.length ? fromLe(shares.subarray(at, at + shareHead)) : -1;
    at += shareHead;
    if (size < 0 || at + size > shares.length) refuse("malformed-message", "PUBS", "a public value is cut");
    if (i < index) {
      at += size;
      continue;
    }
    if (size !== shareSize) refuse("wrong-parameter", "PUBS", `a share of ${size} bytes`);
    break;
  }
  return {
    raw,
    scid: required(message, Tag.SCID, scidSize),
    orbit: required(message, Tag.OBIT, orbitSize),
    share: shares.subarray(at, at + shareSize),
    expiresAt: fromLe(required(message, Tag.EXPY, 8)) * 1000,
  };
}

/** A config that a server has made, with the key that is behind it. */
export interface OwnConfig {
  readonly raw: Uint8Array;
  readonly scid: Uint8Array;
  readonly privateKey: Secret;
  readonly expiresAt: Instant;
}

/** A server's configs: the one that is shown, and those before it, which clients may still hold. */
export class ServerConfigs {
  readonly orbit: Uint8Array;
  readonly #crypto: CryptoProvider;
  readonly #entropy: Entropy;
  #configs: OwnConfig[] = [];

  constructor(crypto: CryptoProvider, entropy: Entropy, secret: Secret) {
    this.#crypto = crypto;
    this.#entropy = entropy;
    // A fleet that shares its secret is one orbit.
    this.orbit = expand(crypto.hash("SHA-256"), secret.expose(), utf8("gquic orbit"), orbitSize);
  }

  /** The config for new clients: another one once half of its life is over. */
  current(now: Instant): OwnConfig {
    const [newest] = this.#configs;
    if (newest !== undefined && newest.expiresAt > now + configLifetimeMs / 2) return newest;
    const made = this.#make(now);
    this.#configs.unshift(made);
    for (const old of this.#configs.splice(limits.configsMax)) old.privateKey.wipe();
    return made;
  }

  /** The config that a client names; undefined if it is not ours, or too old. */
  find(scid: Uint8Array, now: Instant): OwnConfig | undefined {
    return this.#configs.find((each) => each.expiresAt > now && equal(each.scid, scid));
  }

  #make(now: Instant): OwnConfig {
    const { share, privateKey } = this.#crypto.agreement("X25519").initiate(this.#entropy);
    const expiresAt = now + configLifetimeMs;
    const values = new Map<number, Uint8Array>([
      [Tag.AEAD, le(Tag.AESG, 4)],
      [Tag.KEXS, le(Tag.C255, 4)],
      [Tag.PUBS, concat(le(share.length, shareHead), share)],
      [Tag.OBIT, this.orbit],
      [Tag.EXPY, le(Math.floor(expiresAt / 1000), 8)],
    ]);
    const hash = this.#crypto.hash("SHA-256").digest(encodeMessage(Tag.SCFG, values));
    const scid = hash.slice(0, scidSize);
    values.set(Tag.SCID, scid);
    return { raw: encodeMessage(Tag.SCFG, values), scid, privateKey, expiresAt };
  }
}

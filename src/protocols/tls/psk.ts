import { decode, encode, fromUtf8, bytes as opaqueBytes, struct, toHex, u16 } from "../../bytes/index.js";
import { type CryptoProvider, type HashName, Secret } from "../../contract/index.js";
import { refuse } from "./failure.js";
import { EarlySecret, Labels } from "./keys13.js";
import type { ExternalPsk } from "./options.js";
import type { Dialect } from "./parameters/dialect.js";
import type { ClientSession } from "./store/session.js";

/** A pre-shared key, ready to be offered or accepted: what it is called on the wire and what it opens the schedule with. */
export interface Psk {
  readonly identity: Uint8Array;
  readonly hash: HashName;
  readonly early: EarlySecret;
  readonly binderLabel: "res binder" | "ext binder" | "imp binder";
  readonly origin:
    | { readonly kind: "session"; readonly session: ClientSession }
    | { readonly kind: "external"; readonly psk: ExternalPsk };
}

/** An external key as it is, or imported for both hashes (RFC 9258), in the order of wanting. */
export function externalPsks(crypto: CryptoProvider, dialect: Dialect, psk: ExternalPsk): Psk[] {
  const origin = { kind: "external", psk } as const;
  if (psk.importer === undefined) {
    const hash = psk.hash ?? "SHA-256";
    const early = new EarlySecret(Labels.of(crypto, hash, dialect.labelPrefix), psk.key);
    return [{ identity: psk.identity, hash, early, binderLabel: "ext binder", origin }];
  }
  return targets.map((target) => {
    const { hash } = target;
    const identity = identityFor(dialect, psk, target);
    const imported = importKey(crypto, dialect, psk, identity, hash);
    const early = new EarlySecret(Labels.of(crypto, hash, dialect.labelPrefix), imported);
    imported.wipe();
    return { identity, hash, early, binderLabel: "imp binder", origin };
  });
}

/** What it is called on the wire: its own name, or that of each import. */
export const pskIdentities = (dialect: Dialect, psk: ExternalPsk): readonly Uint8Array[] =>
  psk.importer === undefined ? [psk.identity] : targets.map((target) => identityFor(dialect, psk, target));

const identityFor = (dialect: Dialect, psk: ExternalPsk, { kdf }: (typeof targets)[number]): Uint8Array =>
  encode(importedIdentity, {
    externalIdentity: psk.identity,
    context: psk.importer?.context ?? new Uint8Array(0),
    targetProtocol: dialect.version13,
    targetKdf: kdf,
  });

/** The external identity inside an imported one, if it is one. */
export function importedFrom(identity: Uint8Array): Uint8Array | undefined {
  try {
    return decode(importedIdentity, identity).externalIdentity;
  } catch {
    return undefined;
  }
}

/** RFC 9258 §5.1. */
const importedIdentity = struct({
  externalIdentity: opaqueBytes(2, { min: 1 }),
  context: opaqueBytes(2),
  targetProtocol: u16,
  targetKdf: u16,
});

const targets = [
  { hash: "SHA-256", kdf: 0x0001 },
  { hash: "SHA-384", kdf: 0x0002 },
] as const;

/** ipskx, RFC 9258 §5.2: derived under the external key's own hash, as long as the target's. */
function importKey(
  crypto: CryptoProvider,
  dialect: Dialect,
  psk: ExternalPsk,
  identity: Uint8Array,
  target: HashName,
): Secret {
  const labels = Labels.of(crypto, psk.hash ?? "SHA-256", dialect.labelPrefix);
  const extracted = labels.extract(new Uint8Array(labels.hash.size), psk.key.expose());
  const imported = labels.expand(extracted, "derived psk", labels.hash.digest(identity), crypto.hash(target).size);
  extracted.wipe();
  return imported;
}

/** A session's own key: its ticket is the identity. */
export function sessionPsk(crypto: CryptoProvider, dialect: Dialect, hash: HashName, session: ClientSession): Psk {
  const secret = Secret.copy(session.secret);
  const early = new EarlySecret(Labels.of(crypto, hash, dialect.labelPrefix), secret);
  secret.wipe();
  return { identity: session.ticket, hash, early, binderLabel: "res binder", origin: { kind: "session", session } };
}

/** A binder over the truncated ClientHello's transcript hash, RFC 9846 §4.3.11.2. */
export function binder(psk: Pick<Psk, "early" | "binderLabel">, truncatedHash: Uint8Array): Uint8Array {
  const key = psk.early.binderKey(psk.binderLabel);
  const value = psk.early.labels.verifyData(key, truncatedHash);
  key.wipe();
  return value;
}

/** Nobody knows the keys that a client offers: it is told which those are. */
export function refuseIdentities(identities: readonly Uint8Array[], at: string): never {
  const names = identities.map(identityText).join(", ");
  refuse(
    "unknown-psk-identity",
    at,
    `no pre-shared key is known by the name of ${names}`,
    "give both sides a key under the same identity, byte for byte",
  );
}

/** An identity for people: text in quotes if it is that, else hexadecimal. */
export function identityText(identity: Uint8Array): string {
  const text = fromUtf8(identity);
  return text === undefined || /\p{Cc}/u.test(text) ? `0x${toHex(identity)}` : JSON.stringify(text);
}

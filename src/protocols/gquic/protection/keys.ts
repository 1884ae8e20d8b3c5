import { concat, utf8 } from "../../../bytes/index.js";
import { type CryptoProvider, Secret } from "../../../contract/index.js";
import { expand, extract } from "../../../crypto/hkdf.js";
import { Labels } from "../../quic/protection/secrets.js";
import type { Version } from "../wire/versions.js";

/** AESG: AES-128-GCM, whose keys, and those that hide headers, have sixteen bytes. */
const keySize = 16;
const subkeySize = 32;

/** What protects one direction at one level. Whoever takes it wipes it. */
export interface DirectionKeys {
  readonly key: Secret;
  readonly iv: Secret;
  /** Only where headers are hidden. */
  readonly header: Secret | undefined;
}

export interface LevelKeys {
  readonly client: DirectionKeys;
  readonly server: DirectionKeys;
  /** For what stands above; nothing here uses it. */
  readonly subkey: Secret;
}

/** What both sides' keys are made of (QUIC Crypto, "Key derivation"). */
export interface KeyInputs {
  readonly version: Version;
  readonly level: "initial" | "forward-secure";
  /** NONC, and the server's nonce if there is one. */
  readonly nonces: Uint8Array;
  readonly cid: Uint8Array;
  /** Whole messages, and the certificate in DER. */
  readonly hello: Uint8Array;
  readonly config: Uint8Array;
  readonly leaf: Uint8Array;
  readonly shared: Secret;
}

const labels = {
  initial: utf8("QUIC key expansion\0"),
  "forward-secure": utf8("QUIC forward secure key expansion\0"),
} as const;
const diversification = utf8("QUIC key diversification");

export function deriveKeys(crypto: CryptoProvider, inputs: KeyInputs): LevelKeys {
  const { version, level, nonces, cid, hello, config, leaf, shared } = inputs;
  const hash = crypto.hash("SHA-256");
  const { ivSize, hidesHeaders } = version;
  const headerSize = hidesHeaders ? keySize : 0;
  const key = extract(hash, nonces, shared.expose());
  const info = concat(labels[level], cid, hello, config, leaf);
  const all = expand(hash, key, info, 2 * keySize + 2 * ivSize + subkeySize + 2 * headerSize);
  key.fill(0);
  let at = 0;
  const take = (size: number): Secret => {
    at += size;
    return Secret.copy(all.subarray(at - size, at));
  };
  const [clientKey, serverKey, clientIv, serverIv, subkey] = [
    take(keySize),
    take(keySize),
    take(ivSize),
    take(ivSize),
    take(subkeySize),
  ];
  const [clientHeader, serverHeader] = hidesHeaders ? [take(keySize), take(keySize)] : [undefined, undefined];
  all.fill(0);
  return {
    client: { key: clientKey, iv: clientIv, header: clientHeader },
    server: { key: serverKey, iv: serverIv, header: serverHeader },
    subkey,
  };
}

/** A server's initial keys once more, so that no two connections with one client hello have the same ("Diversification"). */
export function diversify(crypto: CryptoProvider, keys: DirectionKeys, nonce: Uint8Array): DirectionKeys {
  const hash = crypto.hash("SHA-256");
  const secret = concat(keys.key.expose(), keys.iv.expose());
  const key = extract(hash, nonce, secret);
  const both = expand(hash, key, diversification, secret.length);
  secret.fill(0);
  key.fill(0);
  const made = {
    key: Secret.copy(both.subarray(0, keySize)),
    iv: Secret.copy(both.subarray(keySize)),
    header: keys.header && Secret.copy(keys.header.expose()),
  };
  both.fill(0);
  return made;
}

const obfuscationSalt = Uint8Array.of(
  ...[0x50, 0x45, 0x74, 0xef, 0xd0, 0x66, 0xfe, 0x2f, 0x9d, 0x94],
  ...[0x5c, 0xfc, 0xdb, 0xd3, 0xa7, 0xf0, 0xd3, 0xb5, 0x6b, 0x45],
);

/** Q050: what hides the packets before there are keys, from all but who looks: keys of the connection id, as IETF QUIC's. */
export function obfuscationKeys(
  crypto: CryptoProvider,
  cid: Uint8Array,
): { readonly client: DirectionKeys; readonly server: DirectionKeys } {
  const hash = crypto.hash("SHA-256");
  const initial = new Secret(extract(hash, obfuscationSalt, cid));
  const ofInitial = new Labels(hash, initial);
  const direction = (label: string): DirectionKeys => {
    const secret = ofInitial.expand(label, hash.size);
    const own = new Labels(hash, secret);
    const keys = {
      key: own.expand("quic key", keySize),
      iv: own.expand("quic iv", 12),
      header: own.expand("quic hp", keySize),
    };
    own.destroy();
    secret.wipe();
    return keys;
  };
  const keys = { client: direction("client in"), server: direction("server in") };
  ofInitial.destroy();
  initial.wipe();
  return keys;
}

export function wipe(keys: DirectionKeys): void {
  keys.key.wipe();
  keys.iv.wipe();
  keys.header?.wipe();
}

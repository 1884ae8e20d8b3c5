import { utf8, Writer } from "../../bytes/index.js";
import { type CryptoProvider, type Hash, type HashName, Secret } from "../../contract/index.js";
import { expand, extract } from "../../crypto/hkdf.js";

/*
 * The key schedule of TLS 1.3 (RFC 9846 §7.1):
 *
 *              0
 *              │
 *   PSK ─► HKDF-Extract = early secret ──► binder keys · c e traffic · e exp main
 *              │  "derived"
 *  share ─► HKDF-Extract = handshake secret ──► c hs traffic · s hs traffic
 *              │  "derived"
 *      0 ─► HKDF-Extract = main secret ──► c ap traffic · s ap traffic · exp main · res main
 *
 * Each class is one row: it can give what its row gives, and becomes the next.
 */

/** Every label of ours, without its dialect's prefix. */
export type Label =
  | "derived"
  | `${"res" | "ext" | "imp"} binder`
  | `${"c e" | "c hs" | "s hs" | "c ap" | "s ap"} traffic`
  | `${"e exp" | "exp" | "res"} master`
  | "finished"
  | "key"
  | "iv"
  | "sn"
  | "traffic upd"
  | "resumption"
  | "exporter"
  | "derived psk"
  | "ech accept confirmation"
  | "hrr ech accept confirmation";

/** HKDF with the labels of one dialect and the hash of one suite. */
export class Labels {
  static readonly #known = new WeakMap<CryptoProvider, Map<string, Labels>>();

  readonly hash: Hash;
  readonly #prefix: string;
  /** Digest of nothing. */
  readonly #empty: Uint8Array;
  /** Labels as they are sent into HKDF, each behind its length. An application chooses those of exporters, so they are not kept. */
  readonly #ours = new Map<Label, Uint8Array>();

  /** The same for everybody who asks for the same, since they hold no secret. */
  static of(crypto: CryptoProvider, hash: HashName, prefix: string): Labels {
    let known = Labels.#known.get(crypto);
    if (known === undefined) Labels.#known.set(crypto, (known = new Map()));
    const key = `${hash} ${prefix}`;
    let labels = known.get(key);
    if (labels === undefined) known.set(key, (labels = new Labels(crypto, hash, prefix)));
    return labels;
  }

  private constructor(crypto: CryptoProvider, hash: HashName, prefix: string) {
    this.hash = crypto.hash(hash);
    this.#prefix = prefix;
    this.#empty = this.hash.digest();
  }

  /** HKDF-Expand-Label, RFC 9846 §7.1. */
  expand(secret: Secret, label: Label, context: Uint8Array, length: number): Secret {
    let prefixed = this.#ours.get(label);
    if (prefixed === undefined) this.#ours.set(label, (prefixed = this.#prefixed(label)));
    return this.#expand(secret, prefixed, context, length);
  }

  #expand(secret: Secret, label: Uint8Array, context: Uint8Array, length: number): Secret {
    const info = new Uint8Array(3 + label.length + context.length);
    info[0] = length >> 8;
    info[1] = length;
    info.set(label, 2);
    info[2 + label.length] = context.length;
    info.set(context, 3 + label.length);
    return new Secret(expand(this.hash, secret.expose(), info, length));
  }

  #prefixed(label: string): Uint8Array {
    const full = utf8(this.#prefix + label);
    const writer = new Writer(full.length + 1);
    return writer.prefixed(1, () => writer.put(full)).take();
  }

  /** Derive-Secret with the hash of the transcript so far. */
  derive(secret: Secret, label: Label, transcriptHash: Uint8Array): Secret {
    return this.expand(secret, label, transcriptHash, this.hash.size);
  }

  /** Derive-Secret(secret, "derived", ""). */
  derived(secret: Secret): Secret {
    return this.derive(secret, "derived", this.#empty);
  }

  extract(salt: Uint8Array, input: Uint8Array): Secret {
    return new Secret(extract(this.hash, salt, input));
  }

  /** verify_data of a Finished or a binder, §4.5.3. */
  verifyData(baseKey: Secret, transcriptHash: Uint8Array): Uint8Array {
    const key = this.expand(baseKey, "finished", none, this.hash.size);
    const mac = this.hash.hmac(key.expose());
    const verifyData = mac.compute(transcriptHash);
    mac.destroy();
    key.wipe();
    return verifyData;
  }

  /** An exporter's value, §7.5: a secret of its own for each label, then the context. */
  export(exporterSecret: Secret, label: string, context: Uint8Array, length: number): Uint8Array {
    const each = this.#expand(exporterSecret, this.#prefixed(label), this.#empty, this.hash.size);
    const exported = this.expand(each, "exporter", this.hash.digest(context), length);
    each.wipe();
    return exported.expose();
  }
}

/** What a PSK gives before anybody has answered; without a PSK it is all zero. */
export class EarlySecret {
  readonly labels: Labels;
  readonly #secret: Secret;

  constructor(labels: Labels, psk?: Secret) {
    this.labels = labels;
    const zero = new Uint8Array(labels.hash.size);
    this.#secret = labels.extract(zero, psk?.expose() ?? zero);
  }

  /** Base key of a binder; the label keeps tickets, external and imported keys apart (§7.1, RFC 9258 §5.2). */
  binderKey(label: "res binder" | "ext binder" | "imp binder"): Secret {
    return this.labels.derive(this.#secret, label, this.labels.hash.digest());
  }

  clientTraffic(helloHash: Uint8Array): Secret {
    return this.labels.derive(this.#secret, "c e traffic", helloHash);
  }

  exporter(helloHash: Uint8Array): Secret {
    return this.labels.derive(this.#secret, "e exp master", helloHash);
  }

  /** Mixes the key exchange in; with psk_ke there is none. */
  handshake(shared: Secret | undefined): HandshakeSecret {
    const salt = this.labels.derived(this.#secret);
    const secret = this.labels.extract(salt.expose(), shared?.expose() ?? new Uint8Array(this.labels.hash.size));
    salt.wipe();
    return new HandshakeSecret(this.labels, secret);
  }

  wipe(): void {
    this.#secret.wipe();
  }
}

export class HandshakeSecret {
  readonly labels: Labels;
  readonly #secret: Secret;

  constructor(labels: Labels, secret: Secret) {
    this.labels = labels;
    this.#secret = secret;
  }

  clientTraffic(serverHelloHash: Uint8Array): Secret {
    return this.labels.derive(this.#secret, "c hs traffic", serverHelloHash);
  }

  serverTraffic(serverHelloHash: Uint8Array): Secret {
    return this.labels.derive(this.#secret, "s hs traffic", serverHelloHash);
  }

  main(): MainSecret {
    const salt = this.labels.derived(this.#secret);
    const secret = this.labels.extract(salt.expose(), new Uint8Array(this.labels.hash.size));
    salt.wipe();
    this.#secret.wipe();
    return new MainSecret(this.labels, secret);
  }
}

/** "master" lives on in the labels alone. */
export class MainSecret {
  readonly labels: Labels;
  readonly #secret: Secret;

  constructor(labels: Labels, secret: Secret) {
    this.labels = labels;
    this.#secret = secret;
  }

  clientTraffic(serverFinishedHash: Uint8Array): Secret {
    return this.labels.derive(this.#secret, "c ap traffic", serverFinishedHash);
  }

  serverTraffic(serverFinishedHash: Uint8Array): Secret {
    return this.labels.derive(this.#secret, "s ap traffic", serverFinishedHash);
  }

  exporter(serverFinishedHash: Uint8Array): Secret {
    return this.labels.derive(this.#secret, "exp master", serverFinishedHash);
  }

  resumption(clientFinishedHash: Uint8Array): Secret {
    return this.labels.derive(this.#secret, "res master", clientFinishedHash);
  }

  wipe(): void {
    this.#secret.wipe();
  }
}

/** The next generation of a traffic secret, §7.2. */
export const nextTrafficSecret = (labels: Labels, secret: Secret): Secret =>
  labels.expand(secret, "traffic upd", none, labels.hash.size);

/** PSK of a ticket, §4.7.1. */
export const ticketPsk = (labels: Labels, resumption: Secret, nonce: Uint8Array): Secret =>
  labels.expand(resumption, "resumption", nonce, labels.hash.size);

/** Key and IV of one direction, §7.3. */
export function trafficKey(
  labels: Labels,
  secret: Secret,
  keySize: number,
  ivSize: number,
): { readonly key: Secret; readonly iv: Secret } {
  return { key: labels.expand(secret, "key", none, keySize), iv: labels.expand(secret, "iv", none, ivSize) };
}

const none = new Uint8Array(0);

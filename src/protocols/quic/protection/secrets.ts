import { utf8, Writer } from "../../../bytes/index.js";
import { type CryptoProvider, type Hash, type Mac, Secret } from "../../../contract/index.js";
import { expandWith, extract } from "../../../crypto/hkdf.js";
import { type Suite13, suites13 } from "../../tls/index.js";
import type { Version } from "./versions.js";

/** What protects the packets of one direction. Whoever takes it wipes it. */
export interface PacketKeys {
  readonly key: Secret;
  readonly iv: Secret;
}

/** With the header's key, which outlives key updates (RFC 9001 §5.1, §6.1). */
export interface ProtectionKeys extends PacketKeys {
  readonly headerKey: Secret;
}

/** Initial packets have the suite that all versions so far agree on (RFC 9001 §5.2). */
export const initialSuite: Suite13 = suites13.find(({ name }) => name === "TLS_AES_128_GCM_SHA256")!;

/** Secrets of both directions that follow from the client's first Destination Connection ID, RFC 9001 §5.2. */
export function initialSecrets(
  crypto: CryptoProvider,
  version: Version,
  dcid: Uint8Array,
): { readonly client: Secret; readonly server: Secret } {
  const hash = crypto.hash(initialSuite.hash);
  const initial = new Secret(extract(hash, version.initialSalt, dcid));
  const labels = new Labels(hash, initial);
  const client = labels.expand("client in", hash.size);
  const server = labels.expand("server in", hash.size);
  labels.destroy();
  initial.wipe();
  return { client, server };
}

export function protectionKeys(
  crypto: CryptoProvider,
  { labelPrefix }: Version,
  suite: Suite13,
  secret: Secret,
): ProtectionKeys {
  const { keySize, nonceSize } = crypto.aead(suite.aead);
  const labels = new Labels(crypto.hash(suite.hash), secret);
  const key = labels.expand(`${labelPrefix}key`, keySize);
  const iv = labels.expand(`${labelPrefix}iv`, nonceSize);
  const headerKey = labels.expand(`${labelPrefix}hp`, keySize);
  labels.destroy();
  return { key, iv, headerKey };
}

/** Those of a generation behind the first. */
export function packetKeys(
  crypto: CryptoProvider,
  { labelPrefix }: Version,
  suite: Suite13,
  secret: Secret,
): PacketKeys {
  const { keySize, nonceSize } = crypto.aead(suite.aead);
  const labels = new Labels(crypto.hash(suite.hash), secret);
  const key = labels.expand(`${labelPrefix}key`, keySize);
  const iv = labels.expand(`${labelPrefix}iv`, nonceSize);
  labels.destroy();
  return { key, iv };
}

/** The next generation of a secret, RFC 9001 §6.1. */
export function nextSecret(crypto: CryptoProvider, { labelPrefix }: Version, suite: Suite13, secret: Secret): Secret {
  const hash = crypto.hash(suite.hash);
  const labels = new Labels(hash, secret);
  const next = labels.expand(`${labelPrefix}ku`, hash.size);
  labels.destroy();
  return next;
}

/** HKDF-Expand-Label of TLS 1.3 without a context (RFC 9846 §7.1), of one secret: a Mac is keyed once for all its labels. */
export class Labels {
  readonly #mac: Mac;

  constructor(hash: Hash, secret: Secret) {
    this.#mac = hash.hmac(secret.expose());
  }

  expand(label: string, length: number): Secret {
    return new Secret(expandWith(this.#mac, infoOf(label, length), length));
  }

  destroy(): void {
    this.#mac.destroy();
  }
}

/** Labels as HKDF takes them: they are few, so each is written once, and only its length anew. */
const infos = new Map<string, Uint8Array>();

function infoOf(label: string, length: number): Uint8Array {
  let info = infos.get(label);
  if (info === undefined) {
    const full = utf8(`tls13 ${label}`);
    const writer = new Writer(full.length + 4).u16(0);
    info = writer
      .prefixed(1, () => writer.put(full))
      .u8(0)
      .take();
    infos.set(label, info);
  }
  info[0] = length >> 8;
  info[1] = length;
  return info;
}

import { utf8, Writer } from "../../../bytes/index.js";
import { type CryptoProvider, type Hash, Secret } from "../../../contract/index.js";
import { expand, extract } from "../../../crypto/hkdf.js";
import { type Suite13, suites13 } from "../../tls/index.js";
import type { Version } from "./versions.js";

/** What protects one direction at one level: RFC 9001 §5.1. Whoever takes it wipes it. */
export interface ProtectionKeys {
  readonly key: Secret;
  readonly iv: Secret;
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
  const client = expandLabel(hash, initial, "client in", hash.size);
  const server = expandLabel(hash, initial, "server in", hash.size);
  initial.wipe();
  return { client, server };
}

export function protectionKeys(
  crypto: CryptoProvider,
  version: Version,
  suite: Suite13,
  secret: Secret,
): ProtectionKeys {
  const { keySize, nonceSize } = crypto.aead(suite.aead);
  return {
    ...packetKeys(crypto, version, suite, secret, keySize, nonceSize),
    headerKey: headerKey(crypto, version, suite, secret, keySize),
  };
}

/** Without the header's key, which outlives key updates (RFC 9001 §6.1). */
export function packetKeys(
  crypto: CryptoProvider,
  { labelPrefix }: Version,
  suite: Suite13,
  secret: Secret,
  keySize: number,
  nonceSize: number,
): { readonly key: Secret; readonly iv: Secret } {
  const hash = crypto.hash(suite.hash);
  return {
    key: expandLabel(hash, secret, `${labelPrefix}key`, keySize),
    iv: expandLabel(hash, secret, `${labelPrefix}iv`, nonceSize),
  };
}

function headerKey(
  crypto: CryptoProvider,
  { labelPrefix }: Version,
  suite: Suite13,
  secret: Secret,
  size: number,
): Secret {
  return expandLabel(crypto.hash(suite.hash), secret, `${labelPrefix}hp`, size);
}

/** The next generation of a secret, RFC 9001 §6.1. */
export function nextSecret(crypto: CryptoProvider, { labelPrefix }: Version, suite: Suite13, secret: Secret): Secret {
  const hash = crypto.hash(suite.hash);
  return expandLabel(hash, secret, `${labelPrefix}ku`, hash.size);
}

/** HKDF-Expand-Label of TLS 1.3 without a context (RFC 9846 §7.1). */
export function expandLabel(hash: Hash, secret: Secret, label: string, length: number): Secret {
  const full = utf8(`tls13 ${label}`);
  const info = new Writer(48).u16(length);
  info.prefixed(1, () => info.put(full)).u8(0);
  return new Secret(expand(hash, secret.expose(), info.view(), length));
}

import { randomBytes } from "node:crypto";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fromHex } from "../../bytes/index.js";
import { type CryptoProvider, Failure } from "../../contract/index.js";
import { chooseCrypto } from "../../hosts/node/crypto.js";
import { Boxes, type KeyPair } from "../../protocols/curvecp/keys.js";

const keySize = 32;
const counterSize = 8;
const secrets = ".expertsonly";

/**
 * A long-term key pair from a directory as `curvecpmakekey` makes it: `publickey`, `.expertsonly/secretkey`. The nonce key and
 * counter beside them are NaCl's own and are not needed here. Rejects with `misuse` for what is no such directory.
 */
export async function readKeyDirectory(
  path: string,
  provider: CryptoProvider = chooseCrypto().provider,
): Promise<KeyPair> {
  const secret = await readKey(join(path, secrets, "secretkey"));
  const pair = new Boxes(provider).keyPair(secret);
  secret.fill(0);
  const said = await readKey(join(path, "publickey"));
  if (said.some((byte, i) => byte !== pair.publicKey[i])) {
    pair.privateKey.wipe();
    throw unusable(path, "its public key belongs to another secret key");
  }
  return pair;
}

/** A long-term public key: 64 hexadecimal digits, or a key directory, of which only `publickey` is read. */
export async function readPublicKey(textOrPath: string): Promise<Uint8Array> {
  if (/^[0-9a-f]{64}$/i.test(textOrPath)) return fromHex(textOrPath);
  return readKey(join(textOrPath, "publickey"));
}

/**
 * Makes a directory that NaCl's programs take as well, secrets for its owner alone. Never overwrites: rejects if the path is
 * there. `pair` is a new one by default.
 */
export async function makeKeyDirectory(
  path: string,
  pair: KeyPair = new Boxes(chooseCrypto().provider).newKeyPair({
    fill: (into) => {
      into.set(randomBytes(into.length));
      return into;
    },
  }),
): Promise<KeyPair> {
  await mkdir(path);
  await mkdir(join(path, secrets), { mode: 0o700 });
  const put = (name: string, bytes: Uint8Array, mode: number) =>
    writeFile(join(path, name), bytes, { mode, flag: "wx" });
  await put("publickey", pair.publicKey, 0o644);
  await put(join(secrets, "secretkey"), pair.privateKey.expose(), 0o600);
  await put(join(secrets, "noncekey"), randomBytes(keySize), 0o600);
  await put(join(secrets, "noncecounter"), new Uint8Array(counterSize), 0o600);
  await put(join(secrets, "lock"), new Uint8Array(1), 0o600);
  return pair;
}

async function readKey(path: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    if ((await stat(path)).size !== keySize) throw unusable(path, `a key has ${keySize} bytes`);
    bytes = new Uint8Array(await readFile(path));
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw unusable(path, "it cannot be read", cause);
  }
  if (bytes.length !== keySize) throw unusable(path, `a key has ${keySize} bytes`);
  return bytes;
}

const unusable = (path: string, why: string, cause?: unknown): Failure =>
  new Failure({
    fault: "misuse",
    reason: "bad-configuration",
    protocol: "CurveCP",
    at: path,
    message: `${path} is no key of CurveCP: ${why}`,
    hint: "sealport keygen curvecp --out DIRECTORY makes one, and so does curvecpmakekey",
    cause,
  });

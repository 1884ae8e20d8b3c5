import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { makeKeyDirectory } from "../../adapters/curvecp/index.js";
import { toHex } from "../../bytes/index.js";
import { type PrivateKey, Secret } from "../../contract/index.js";
import {
  type Certificate,
  type Issuer,
  isPkiFailure,
  type MakableKey,
  makeAuthority,
  makeCertificate,
  makePrivateKey,
  parseCertificate,
  readCertificates,
  readPrivateKey,
  writePem,
} from "../../pki/index.js";
import { Boxes } from "../../protocols/curvecp/keys.js";
import { hostIdentity, hostSecretSize } from "../../protocols/minimalt/keys.js";
import { formatSdes, profiles } from "../../protocols/srtp/index.js";
import { TicketKeyRing } from "../../protocols/tls/index.js";
import { newKeys } from "../../protocols/wireguard/index.js";
import type { CommandContext } from "../command.js";
import { ConfigError, type ExitName, UsageError } from "../exit.js";
import { host } from "../host.js";
import { keygenKinds } from "../kinds.js";

export interface KeygenValues {
  readonly kind: string | undefined;
  readonly name: readonly string[];
  readonly type: MakableKey | undefined;
  readonly days: number | undefined;
  readonly issuer: string | undefined;
  readonly out: string | undefined;
  readonly json: boolean;
}

/** One file that was made: its suffix behind `--out`, its text, and whether only its owner may read it. */
interface Made {
  readonly suffix: string;
  readonly text: string;
  readonly secret: boolean;
}

interface Result {
  readonly about: Readonly<Record<string, unknown>>;
  readonly files: readonly Made[];
  /** Where `--out` names a directory rather than the beginning of names: makes it, and tells what is in it. */
  readonly place?: (path: string) => Promise<readonly string[]>;
}

const dayMs = 86_400_000;
/** A clock that is a little behind ours still takes a new certificate. */
const backdatedMs = 3_600_000;

/** Makes keys and certificates: to stdout, or to files that did not exist before. */
export async function keygen(values: KeygenValues, { terminal }: CommandContext): Promise<ExitName> {
  const make = values.kind === undefined ? undefined : makers[values.kind as keyof typeof makers];
  if (make === undefined)
    throw new UsageError(`keygen makes one of: ${keygenKinds.join(", ")}`, "sealport keygen --help");
  const { about, files, place } = make(values);
  const { out } = values;
  if (out === undefined) {
    terminal.print(files.map(({ text }) => text.trimEnd()).join("\n"));
    if (values.json) {
      terminal.document({
        kind: values.kind,
        ...about,
        ...Object.fromEntries(files.map((each) => [each.suffix, each.text])),
      });
    }
    return "ok";
  }
  const paths = place === undefined ? files.map(({ suffix }) => `${out}.${suffix}`) : [out];
  const taken = paths.find((path) => existsSync(path));
  if (taken !== undefined)
    throw new ConfigError(`${taken} exists`, "keygen never overwrites: remove it first, or choose another --out");
  if (place !== undefined) paths.splice(0, 1, ...(await place(out)));
  else {
    files.forEach(({ text, secret }, i) => {
      writeFileSync(paths[i]!, text, { mode: secret ? 0o600 : 0o644, flag: "wx" });
    });
  }
  if (values.json) terminal.document({ kind: values.kind, ...about, files: paths });
  for (const path of paths) terminal.print(path);
  return "ok";
}

const makers: Readonly<Record<(typeof keygenKinds)[number], (values: KeygenValues) => Result>> = {
  authority(values) {
    const key = newKey(values);
    const [subject = "Sealport authority"] = values.name;
    const certificate = makeAuthority({ ...common(values, key), subject: [["CN", subject]] });
    return certified(certificate, key);
  },
  certificate(values) {
    if (values.name.length === 0)
      throw new UsageError("a certificate needs a --name", "--name example.com, --name 192.0.2.1");
    const key = newKey(values);
    const issuer = values.issuer === undefined ? undefined : issuerFrom(values.issuer);
    const options = { ...common(values, key), san: values.name };
    return certified(
      makeCertificate(issuer === undefined ? options : { ...options, issuer }),
      key,
      issuer?.certificate,
    );
  },
  key(values) {
    const { privateKey, pkcs8 } = newKey(values);
    return {
      about: { spkiSha256: digest(privateKey.publicKey.spki) },
      files: [
        { suffix: "pub", text: writePem("PUBLIC KEY", privateKey.publicKey.spki), secret: false },
        { suffix: "key", text: secretPem(pkcs8), secret: true },
      ],
    };
  },
  psk() {
    const key = new Secret(host().entropy.fill(new Uint8Array(32)));
    const text = `${toHex(key.expose())}\n`;
    key.wipe();
    return { about: { bytes: 32 }, files: [{ suffix: "psk", text, secret: true }] };
  },
  /** Two a=crypto lines: for one side as they are, for the other side in the other order. */
  srtp() {
    const { entropy } = host();
    const profile = "AEAD_AES_128_GCM";
    const { keySize, saltSize } = profiles[profile];
    const [near, far] = [1, 2].map((tag) => {
      const key = new Secret(entropy.fill(new Uint8Array(keySize)));
      const line = formatSdes({ tag, profile, keys: [{ key, salt: entropy.fill(new Uint8Array(saltSize)) }] });
      key.wipe();
      return line;
    });
    return {
      about: { profile },
      files: [
        { suffix: "near.sdes", text: `${near}\n${far}\n`, secret: true },
        { suffix: "far.sdes", text: `${far}\n${near}\n`, secret: true },
      ],
    };
  },
  wireguard() {
    const { publicKey, privateKey } = newKeys(host());
    return {
      about: { publicKey },
      files: [
        { suffix: "pub", text: `${publicKey}\n`, secret: false },
        { suffix: "key", text: `${privateKey}\n`, secret: true },
      ],
    };
  },
  /** A host's keys, and a user's: the second half of either. */
  minimalt() {
    const { crypto, entropy } = host();
    const secret = new Secret(entropy.fill(new Uint8Array(hostSecretSize)));
    const { publicKey, box } = hostIdentity(crypto, secret.expose());
    box.privateKey.wipe();
    const pub = toHex(publicKey) + toHex(box.publicKey);
    const text = `${toHex(secret.expose())}\n`;
    secret.wipe();
    return {
      about: { publicKey: pub },
      files: [
        { suffix: "pub", text: `${pub}\n`, secret: false },
        { suffix: "key", text, secret: true },
      ],
    };
  },
  /** As curvecpmakekey makes it, with --out: a directory. */
  curvecp() {
    const { crypto, entropy } = host();
    const pair = new Boxes(crypto).newKeyPair(entropy);
    const publicKey = toHex(pair.publicKey);
    return {
      about: { publicKey },
      files: [
        { suffix: "pub", text: `${publicKey}\n`, secret: false },
        { suffix: "key", text: `${toHex(pair.privateKey.expose())}\n`, secret: true },
      ],
      place: async (path) => {
        await makeKeyDirectory(path, pair);
        pair.privateKey.wipe();
        return [`${path}/publickey`, `${path}/.expertsonly/secretkey`];
      },
    };
  },
  tickets() {
    const { crypto, entropy } = host();
    const ring = new TicketKeyRing({ crypto, entropy });
    ring.rotate(host().now());
    const exported = ring.export();
    const text = `${toHex(exported.expose())}\n`;
    exported.wipe();
    ring.wipe();
    return { about: {}, files: [{ suffix: "tickets", text, secret: true }] };
  },
};

interface NewKey {
  readonly privateKey: PrivateKey;
  readonly pkcs8: Secret;
}

function newKey({ type = "P-256" }: KeygenValues): NewKey {
  const pkcs8 = makePrivateKey(type, host().entropy, host().crypto);
  const privateKey = host().crypto.privateKey(pkcs8.expose());
  if (privateKey === undefined) throw new ConfigError(`this Node cannot use keys of type ${type}`);
  return { privateKey, pkcs8 };
}

function common({ days = 90 }: KeygenValues, { privateKey }: NewKey) {
  const { crypto, entropy } = host();
  const now = host().now();
  return { provider: crypto, entropy, key: privateKey, notBefore: now - backdatedMs, notAfter: now + days * dayMs };
}

function certified(certificate: Certificate, { pkcs8 }: NewKey, issuer?: Certificate): Result {
  const chain = [certificate, ...(issuer === undefined || isRoot(issuer) ? [] : [issuer])];
  return {
    about: {
      subject: certificate.text,
      notAfter: new Date(certificate.notAfter).toISOString(),
      spkiSha256: digest(certificate.spki),
    },
    files: [
      { suffix: "crt", text: chain.map(({ raw }) => writePem("CERTIFICATE", raw)).join(""), secret: false },
      { suffix: "key", text: secretPem(pkcs8), secret: true },
    ],
  };
}

const isRoot = ({ subject, issuer }: Certificate): boolean => subject.key === issuer.key;

/** An authority that keygen or anyone else made: PREFIX stands for PREFIX.crt and PREFIX.key. */
function issuerFrom(prefix: string): Issuer {
  const [first] = read(`${prefix}.crt`, readCertificates);
  if (first === undefined) throw new ConfigError(`${prefix}.crt holds no certificate`);
  const certificate = read(`${prefix}.crt`, () => parseCertificate(first));
  const pkcs8 = read(`${prefix}.key`, readPrivateKey);
  const privateKey = host().crypto.privateKey(pkcs8.expose());
  pkcs8.wipe();
  if (privateKey === undefined) throw new ConfigError(`${prefix}.key holds a key of a kind that is not supported`);
  return { certificate, privateKey };
}

function read<T>(path: string, parse: (text: Uint8Array) => T): Exclude<T, Error> {
  const found = parse(new Uint8Array(readFileSync(path)));
  if (isPkiFailure(found)) throw new ConfigError(`${path}: ${found.message}`, found.hint);
  return found as Exclude<T, Error>;
}

function secretPem(pkcs8: Secret): string {
  const text = writePem("PRIVATE KEY", pkcs8.expose());
  pkcs8.wipe();
  return text;
}

/** As pins are written: SHA-256 of the SubjectPublicKeyInfo. */
const digest = (spki: Uint8Array): string => toHex(host().crypto.hash("SHA-256").digest(spki));

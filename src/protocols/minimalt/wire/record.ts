import {
  bytes,
  type Codec,
  concat,
  DecodeError,
  decode,
  encode,
  formatAddress,
  opaque,
  parseAddress,
  struct,
  u8,
  u16,
  u32,
  utf8,
} from "../../../bytes/index.js";
import type { CryptoProvider, Instant, PrivateKey, SocketAddress } from "../../../contract/index.js";
import { type HostIdentity, isSignedBy, type Suite, suiteByCode } from "../keys.js";
import { limits } from "../limits.js";
import { keySize } from "./packet.js";
import { isName } from "./rpc.js";

/** The paper's protocol version (§3.4), and the revision of what it leaves open, as this room's README settles it. */
export const version = 0;
export const revision = 1;

const signatureSize = 64;

const text: Codec<string> = {
  read: (r) => {
    const name = String.fromCharCode(...r.take(r.u8()));
    if (!isName(name)) throw new DecodeError("a name has printable characters alone");
    return name;
  },
  write: (w, name) => void w.u8(name.length).put(utf8(name)),
};

/** Whole seconds since the Unix epoch. */
const seconds: Codec<Instant> = {
  read: (r) => r.u32() * 1_000,
  write: (w, at) => void w.u32(Math.floor(at / 1_000)),
};

const address: Codec<string> = {
  read: (r) => {
    const size = r.u8();
    if (size !== 4 && size !== 16) throw new DecodeError("an address has 4 or 16 bytes");
    return formatAddress(r.take(size));
  },
  write: (w, value) => {
    const parsed = parseAddress(value);
    if (parsed === undefined) throw new RangeError("no address");
    w.u8(parsed.length).put(parsed);
  },
};

/** certS: whose key S is, until when, and an authority's word for it (or S's own, which says nothing to who has not pinned it). */
const certBody = struct({
  version: u8,
  revision: u8,
  name: text,
  key: opaque(keySize),
  boxKey: opaque(keySize),
  notAfter: seconds,
});

/** ecertS: where S is, and its ephemeral key S' (§3.4). */
const ecertBody = struct({
  version: u8,
  revision: u8,
  suite: u8,
  address,
  port: u16,
  firstPacketMin: u16,
  key: opaque(keySize),
  ephemeralKey: opaque(keySize),
  notAfter: seconds,
  lifetimeS: u32,
});

const signed = struct({ body: bytes(2, { max: limits.certificateMax }), signature: opaque(signatureSize) });

/** What is signed begins with what it is, so that neither is taken for the other. */
const labels = { cert: utf8("minimaLT certificate\0"), ecert: utf8("minimaLT ephemeral certificate\0") } as const;

function sign(label: Uint8Array, body: Uint8Array, key: PrivateKey): Uint8Array {
  return encode(signed, { body, signature: key.sign("Ed25519", concat(label, body)) });
}

/** A host's certificate, signed by an authority's key, or by its own. */
export function makeCertificate(
  { publicKey, box }: Pick<HostIdentity, "publicKey" | "box">,
  name: string,
  notAfter: Instant,
  signer: PrivateKey,
): Uint8Array {
  const body = { version, revision, name, key: publicKey, boxKey: box.publicKey, notAfter };
  return sign(labels.cert, encode(certBody, body), signer);
}

export interface Ephemeral {
  readonly suite: Suite;
  readonly at: SocketAddress;
  readonly firstPacketMin: number;
  readonly ephemeralKey: Uint8Array;
  readonly notAfter: Instant;
  readonly lifetimeMs: number;
}

export function makeEphemeralCertificate(host: HostIdentity, ephemeral: Ephemeral): Uint8Array {
  const { suite, at, firstPacketMin, ephemeralKey, notAfter, lifetimeMs } = ephemeral;
  const body = encode(ecertBody, {
    version,
    revision,
    suite: suite.code,
    address: at.address,
    port: at.port,
    firstPacketMin,
    key: host.publicKey,
    ephemeralKey,
    notAfter,
    lifetimeS: Math.floor(lifetimeMs / 1_000),
  });
  return sign(labels.ecert, body, host.signing);
}

/** A service record as it travels: two certificates (§3.4). */
export interface ServiceRecord {
  readonly certS: Uint8Array;
  readonly ecertS: Uint8Array;
}

/** A record that was read, and signed as it must be. */
export interface HostRecord extends Ephemeral {
  readonly name: string;
  /** S. */
  readonly key: Uint8Array;
  readonly boxKey: Uint8Array;
}

/** Why a record is not taken, from the closed list of the room's failures. */
export type RecordProblem = "bad-record" | "expired-record" | "unknown-version" | "no-common-suite";

/** Whom the reader trusts: S itself, or who may vouch for it. */
export interface RecordTrust {
  readonly serverKey?: Uint8Array | undefined;
  readonly authorities?: readonly Uint8Array[] | undefined;
  /** The name that the record must be of; undefined takes any. */
  readonly name?: string | undefined;
}

/** Reads a record and judges it. Never throws. */
export function readRecord(
  crypto: CryptoProvider,
  { certS, ecertS }: ServiceRecord,
  trust: RecordTrust,
  now: Instant,
): HostRecord | RecordProblem {
  try {
    const outer = decode(signed, certS);
    const inner = decode(signed, ecertS);
    // A later version may mean something else by every byte behind it.
    if (outer.body[0] !== version || outer.body[1] !== revision) return "unknown-version";
    if (inner.body[0] !== version || inner.body[1] !== revision) return "unknown-version";
    const cert = decode(certBody, outer.body);
    const ecert = decode(ecertBody, inner.body);
    const isOne = cert.key.every((byte, i) => ecert.key[i] === byte);
    if (!isOne || (trust.name !== undefined && trust.name !== cert.name)) return "bad-record";
    const whole = concat(labels.cert, outer.body);
    const isPinned = trust.serverKey?.every((byte, i) => cert.key[i] === byte) ?? false;
    const isVouchedFor = trust.authorities?.some((key) => isSignedBy(crypto, key, whole, outer.signature)) ?? false;
    if (!isPinned && !isVouchedFor) return "bad-record";
    if (!isSignedBy(crypto, cert.key, concat(labels.ecert, inner.body), inner.signature)) return "bad-record";
    if (now >= cert.notAfter || now >= ecert.notAfter) return "expired-record";
    const suite = suiteByCode(ecert.suite);
    if (suite === undefined) return "no-common-suite";
    return {
      name: cert.name,
      key: cert.key,
      boxKey: cert.boxKey,
      suite,
      at: { address: ecert.address, port: ecert.port },
      firstPacketMin: ecert.firstPacketMin,
      ephemeralKey: ecert.ephemeralKey,
      notAfter: Math.min(cert.notAfter, ecert.notAfter),
      lifetimeMs: ecert.lifetimeS * 1_000,
    };
  } catch (error) {
    if (error instanceof DecodeError) return "bad-record";
    throw error;
  }
}

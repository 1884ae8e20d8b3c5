import {
  bytes,
  type Codec,
  DecodeError,
  type Reader,
  struct,
  u8,
  u16,
  u32,
  vector,
  type Writer,
} from "../../../bytes/index.js";
import { limits } from "../limits.js";
import type { KeyExchange12 } from "../parameters/suites12.js";

/*
 * Messages of TLS 1.2 that look different in 1.3 or are not there (RFC 5246 §7.4). What both share, the hellos and
 * CertificateVerify, is in ../messages.
 */

const chain = vector(3, bytes(3, { min: 1 }));

/** A chain without the per-certificate extensions of 1.3: RFC 5246 §7.4.2. */
export const certificate12: Codec<readonly Uint8Array[]> = {
  read: (r) => {
    const certificates = chain.read(r);
    if (certificates.length > limits.certificatesMax) throw new DecodeError(`${certificates.length} certificates`);
    return certificates;
  },
  write: chain.write,
};

/** SubjectPublicKeyInfo in place of a chain: RFC 7250 §3. */
export const rawPublicKey12: Codec<Uint8Array> = bytes(3, { min: 1 });

/** RFC 6066 §8, also with the type byte; ocsp (1) is all there is. */
export const certificateStatus: Codec<Uint8Array> = {
  read: (r) => {
    if (r.u8() !== 1) throw new DecodeError("status of an unknown type");
    return bytes(3, { min: 1 }).read(r);
  },
  write: (w, v) => bytes(3).write(w.u8(1), v),
};

/** RFC 5246 §7.4.4. Certificate types as RFC 8422 §5.5: rsa_sign (1) and ecdsa_sign (64), which is EdDSA's too. */
export const certificateRequest12 = struct({
  certificateTypes: vector(1, u8, { min: 1 }),
  signatureSchemes: vector(2, u16, { min: 2 }),
  certificateAuthorities: vector(2, bytes(2, { min: 1 })),
});

/** RFC 5077 §3.3. The hint is in seconds; zero says nothing. An empty ticket means that the server changed its mind. */
export const newSessionTicket12 = struct({ lifetimeHintS: u32, ticket: bytes(2) });

/** What the server contributes: its half of the agreement, and a hint at which pre-shared key it means. */
export interface ServerKeyExchange {
  /** With a pre-shared key alone; empty if there is no hint. */
  readonly identityHint: Uint8Array;
  readonly share: ServerShare | undefined;
  /** Absent with pre-shared keys. */
  readonly signature: { readonly scheme: number; readonly bytes: Uint8Array } | undefined;
}

export type ServerShare =
  | { readonly kind: "ECDHE"; readonly group: number; readonly point: Uint8Array }
  | { readonly kind: "DHE"; readonly prime: Uint8Array; readonly generator: Uint8Array; readonly share: Uint8Array };

const hintAndIdentity = bytes(2);
const point = bytes(1, { min: 1 });
const integer = bytes(2, { min: 1 });
const namedCurve = 3; // RFC 8422 §5.4: explicit curves are gone

/** Which Diffie-Hellman an exchange has, and whether it has a pre-shared key. */
export const exchangeParts = {
  ECDHE: { agreement: "ECDHE", psk: false },
  DHE: { agreement: "DHE", psk: false },
  PSK: { agreement: undefined, psk: true },
  ECDHE_PSK: { agreement: "ECDHE", psk: true },
  DHE_PSK: { agreement: "DHE", psk: true },
} as const satisfies Record<KeyExchange12, { agreement: "ECDHE" | "DHE" | undefined; psk: boolean }>;

/** RFC 8422 §5.4, RFC 5246 §7.4.3, RFC 4279 §2, RFC 5489 §2: the form follows from the suite. */
export function serverKeyExchange(exchange: KeyExchange12): Codec<ServerKeyExchange> {
  const { agreement, psk } = exchangeParts[exchange];
  return {
    read: (r) => ({
      identityHint: psk ? hintAndIdentity.read(r) : new Uint8Array(),
      share: agreement && readShare(r, agreement),
      signature: psk ? undefined : { scheme: r.u16(), bytes: bytes(2).read(r) },
    }),
    write: (w, v) => {
      if (psk) hintAndIdentity.write(w, v.identityHint);
      if (v.share !== undefined) writeShare(w, v.share);
      if (v.signature !== undefined) bytes(2).write(w.u16(v.signature.scheme), v.signature.bytes);
    },
  };
}

/** ServerECDHParams or ServerDHParams, as they are signed behind both randoms. */
export const serverShare = (kind: "ECDHE" | "DHE"): Codec<ServerShare> => ({
  read: (r) => readShare(r, kind),
  write: writeShare,
});

function readShare(r: Reader, kind: "ECDHE" | "DHE"): ServerShare {
  if (kind === "DHE") return { kind, prime: integer.read(r), generator: integer.read(r), share: integer.read(r) };
  if (r.u8() !== namedCurve) throw new DecodeError("a curve without a name");
  return { kind, group: r.u16(), point: point.read(r) };
}

function writeShare(w: Writer, v: ServerShare): void {
  if (v.kind === "ECDHE") point.write(w.u8(namedCurve).u16(v.group), v.point);
  else for (const each of [v.prime, v.generator, v.share]) integer.write(w, each);
}

export interface ClientKeyExchange {
  /** Which pre-shared key; empty without one. */
  readonly identity: Uint8Array;
  /** Point or integer; empty without an agreement. */
  readonly share: Uint8Array;
}

/** RFC 8422 §5.7, RFC 5246 §7.4.7.2, RFC 4279 §2. */
export function clientKeyExchange(exchange: KeyExchange12): Codec<ClientKeyExchange> {
  const { agreement, psk } = exchangeParts[exchange];
  const share = agreement === "ECDHE" ? point : integer;
  return {
    read: (r) => ({
      identity: psk ? hintAndIdentity.read(r) : new Uint8Array(),
      share: agreement ? share.read(r) : new Uint8Array(),
    }),
    write: (w, v) => {
      if (psk) hintAndIdentity.write(w, v.identity);
      if (agreement) share.write(w, v.share);
    },
  };
}

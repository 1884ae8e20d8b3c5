import { bytes, type Codec, decode, encode, rest, struct, u8, u16, u32, vector } from "../../../bytes/codec.js";
import { DecodeError } from "../../../bytes/reader.js";
import type { Instant } from "../../../contract/index.js";

/** Who the other side proved to be in the session's first handshake; a resumed one inherits it. Keys stand as DER SPKI. */
export type RememberedPeer =
  | { readonly kind: "none" }
  | { readonly kind: "certificate"; readonly chain: readonly Uint8Array[]; readonly spki: Uint8Array }
  | { readonly kind: "raw-public-key"; readonly spki: Uint8Array }
  | { readonly kind: "pre-shared-key"; readonly identity: Uint8Array };

/** All that either side needs to resume a session. The server finds it in a ticket or store, the client in its cache. */
export interface ResumableSession {
  readonly version: 0x0303 | 0x0304;
  readonly suite: number;
  /** TLS 1.2: the master secret. TLS 1.3: the PSK of this ticket (RFC 9846 §4.7.1). */
  readonly secret: Uint8Array;
  /** When the ticket was made, by the clock of the side that remembers it. */
  readonly issuedAt: Instant;
  /** At most seven days in TLS 1.3. */
  readonly lifetimeS: number;
  /** TLS 1.3: ticket_age_add. */
  readonly ageAdd: number;
  /** TLS 1.2: RFC 7627 §5.3 forbids to change it on resumption. */
  readonly extendedMasterSecret: boolean;
  /** Bytes of early data that the server takes; zero means none. */
  readonly earlyDataMax: number;
  /** Empty if the client sent no server_name. */
  readonly serverName: string;
  /** Empty if none was agreed upon. */
  readonly alpn: Uint8Array;
  readonly peer: RememberedPeer;
  /** For the protocol above: QUIC remembers transport parameters here (RFC 9001 §4.6.3). */
  readonly applicationData: Uint8Array;
}

/** A client's way back into a session. */
export interface ClientSession extends ResumableSession {
  /** Empty if the server keeps the session under its ID (TLS 1.2 alone). */
  readonly ticket: Uint8Array;
  /** TLS 1.2: the ID under which the server keeps the session. Empty with a ticket. */
  readonly sessionId: Uint8Array;
}

/** The format's own version: what was stored by another release is not understood, hence forgotten. */
const formatVersion = 1;

const utf8Text: Codec<string> = {
  read: (r) => new TextDecoder().decode(bytes(2).read(r)),
  write: (w, v) => bytes(2).write(w, new TextEncoder().encode(v)),
};
export const instant: Codec<Instant> = {
  read: (r) => r.u32() * 2 ** 32 + r.u32(),
  write: (w, v) => void w.u32(Math.floor(v / 2 ** 32)).u32(Math.floor(v) % 2 ** 32),
};
const boolean: Codec<boolean> = { read: (r) => r.u8() === 1, write: (w, v) => void w.u8(v ? 1 : 0) };
const version: Codec<0x0303 | 0x0304> = {
  read: (r) => {
    const value = r.u16();
    if (value !== 0x0303 && value !== 0x0304) throw new DecodeError(`session of version ${value}`);
    return value;
  },
  write: u16.write,
};

const peerKinds = ["none", "certificate", "raw-public-key", "pre-shared-key"] as const;
const chain = vector(3, bytes(3));
const peer: Codec<RememberedPeer> = {
  read: (r) => {
    const kind = peerKinds[r.u8()];
    switch (kind) {
      case "none":
        return { kind };
      case "certificate":
        return { kind, chain: chain.read(r), spki: bytes(2).read(r) };
      case "raw-public-key":
        return { kind, spki: bytes(2).read(r) };
      case "pre-shared-key":
        return { kind, identity: bytes(2).read(r) };
      default:
        throw new DecodeError("peer of an unknown kind");
    }
  },
  write: (w, v) => {
    w.u8(peerKinds.indexOf(v.kind));
    if (v.kind === "certificate") chain.write(w, v.chain);
    if (v.kind === "certificate" || v.kind === "raw-public-key") bytes(2).write(w, v.spki);
    if (v.kind === "pre-shared-key") bytes(2).write(w, v.identity);
  },
};

const fields = {
  version,
  suite: u16,
  secret: bytes(1),
  issuedAt: instant,
  lifetimeS: u32,
  ageAdd: u32,
  extendedMasterSecret: boolean,
  earlyDataMax: u32,
  serverName: utf8Text,
  alpn: bytes(1),
  peer,
  applicationData: bytes(2),
} as const;
const serverFields: Codec<ResumableSession> = struct(fields);
const clientFields: Codec<ClientSession> = struct({ ...fields, ticket: bytes(2), sessionId: bytes(1) });
const versioned = struct({ format: u8, body: rest });

export const encodeSession = (session: ResumableSession): Uint8Array => pack(serverFields, session);
export const encodeClientSession = (session: ClientSession): Uint8Array => pack(clientFields, session);

/** Undefined for bytes that are not a session of this release. */
export const decodeSession = (stored: Uint8Array): ResumableSession | undefined => unpack(serverFields, stored);
export const decodeClientSession = (stored: Uint8Array): ClientSession | undefined => unpack(clientFields, stored);

/** The moment from which a session can no longer be resumed. */
export const expiryOf = (session: ResumableSession): Instant => session.issuedAt + session.lifetimeS * 1000;

function pack<T>(codec: Codec<T>, session: T): Uint8Array {
  return encode(versioned, { format: formatVersion, body: encode(codec, session) });
}

function unpack<T>(codec: Codec<T>, stored: Uint8Array): T | undefined {
  try {
    const { format, body } = decode(versioned, stored);
    return format === formatVersion ? decode(codec, body) : undefined;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

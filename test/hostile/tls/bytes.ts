import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";

// TLS written by hand: an attacker does not use our codecs, and can say what they would never say.

export const u8 = (value: number): Buffer => Buffer.from([value & 0xff]);
export const u16 = (value: number): Buffer => Buffer.from([(value >> 8) & 0xff, value & 0xff]);
export const u24 = (value: number): Buffer => Buffer.concat([u8(value >> 16), u16(value)]);
export const vec8 = (...parts: readonly Uint8Array[]): Buffer => prefixed(u8, parts);
export const vec16 = (...parts: readonly Uint8Array[]): Buffer => prefixed(u16, parts);
export const vec24 = (...parts: readonly Uint8Array[]): Buffer => prefixed(u24, parts);

const prefixed = (length: (value: number) => Buffer, parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([length(body.length), body]);
};

export const types = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23, heartbeat: 24 } as const;

export const record = (type: number, body: Uint8Array, version = 0x0303): Buffer =>
  Buffer.concat([u8(type), u16(version), vec16(body)]);

export const message = (type: number, body: Uint8Array): Buffer => Buffer.concat([u8(type), vec24(body)]);

export const extension = (type: number, body: Uint8Array): Buffer => Buffer.concat([u16(type), vec16(body)]);

export interface Hello {
  readonly legacyVersion?: number;
  readonly random?: Uint8Array;
  readonly sessionId?: Uint8Array;
  readonly suites?: readonly number[];
  readonly compression?: readonly number[];
  readonly extensions?: readonly Buffer[];
  /** Bytes after the extensions block. */
  readonly trailing?: Uint8Array;
}

/** A share of x25519 that is right, from a key that nobody keeps. */
export function x25519Share(): Buffer {
  const { publicKey } = generateKeyPairSync("x25519");
  return createPublicKey(publicKey.export({ type: "spki", format: "pem" }))
    .export({ type: "spki", format: "der" })
    .subarray(-32);
}

export const ext = {
  serverName: (name: string): Buffer => extension(0, vec16(u8(0), vec16(Buffer.from(name)))),
  groups: (...ids: readonly number[]): Buffer => extension(10, vec16(...ids.map(u16))),
  schemes: (...ids: readonly number[]): Buffer => extension(13, vec16(...ids.map(u16))),
  alpn: (...names: readonly string[]): Buffer => extension(16, vec16(...names.map((name) => vec8(Buffer.from(name))))),
  versions: (...ids: readonly number[]): Buffer => extension(43, vec8(...ids.map(u16))),
  pskModes: (...modes: readonly number[]): Buffer => extension(45, vec8(...modes.map(u8))),
  shares: (...shares: readonly (readonly [number, Uint8Array])[]): Buffer =>
    extension(51, vec16(...shares.flatMap(([group, key]) => [u16(group), vec16(key)]))),
  psk: (identities: readonly Uint8Array[], binders: readonly Uint8Array[]): Buffer =>
    extension(
      41,
      Buffer.concat([
        vec16(...identities.flatMap((identity) => [vec16(identity), Buffer.alloc(4)])),
        vec16(...binders.map((binder) => vec8(binder))),
      ]),
    ),
  mainSecret: extension(23, Buffer.alloc(0)),
  renegotiation: extension(0xff01, u8(0)),
  earlyData: extension(42, Buffer.alloc(0)),
};

/** The extensions of an ordinary TLS 1.3 ClientHello, by name, so that a test can take one away or change one. */
export function ordinary(): Record<"serverName" | "groups" | "schemes" | "versions" | "pskModes" | "shares", Buffer> {
  return {
    serverName: ext.serverName("localhost"),
    groups: ext.groups(0x1d, 0x17),
    schemes: ext.schemes(0x0403, 0x0804, 0x0807),
    versions: ext.versions(0x0304),
    pskModes: ext.pskModes(1),
    shares: ext.shares([0x1d, x25519Share()]),
  };
}

/** The body of a ClientHello. What is absent is as an ordinary client of TLS 1.3 would have it. */
export function clientHelloBody(hello: Hello = {}): Buffer {
  return Buffer.concat([
    u16(hello.legacyVersion ?? 0x0303),
    hello.random ?? randomBytes(32),
    vec8(hello.sessionId ?? randomBytes(32)),
    vec16(...(hello.suites ?? [0x1301, 0x1302, 0x1303]).map(u16)),
    vec8(...(hello.compression ?? [0]).map(u8)),
    vec16(...(hello.extensions ?? Object.values(ordinary()))),
    hello.trailing ?? Buffer.alloc(0),
  ]);
}

/** A ClientHello in one record. */
export const clientHello = (hello: Hello = {}): Buffer =>
  record(types.handshake, message(1, clientHelloBody(hello)), 0x0301);

/** The ClientHello of a client that knows TLS 1.2 alone. */
export const clientHello12 = (hello: Hello = {}): Buffer =>
  clientHello({
    suites: [0xc02b, 0xc02f],
    extensions: [
      ext.serverName("localhost"),
      ext.groups(0x1d, 0x17),
      extension(11, vec8(u8(0))),
      ext.schemes(0x0403, 0x0804),
      ext.mainSecret,
      ext.renegotiation,
    ],
    ...hello,
  });

/** An alert record as it comes before encryption. */
export const alert = (level: number, description: number): Buffer =>
  record(types.alert, Buffer.from([level, description]));

export interface PlainRecord {
  readonly type: number;
  readonly body: Buffer;
}

/** The whole records at the front of what was received. */
export function records(bytes: Buffer): PlainRecord[] {
  const found: PlainRecord[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const size = bytes.readUInt16BE(at + 3);
    if (at + 5 + size > bytes.length) break;
    found.push({ type: bytes[at]!, body: bytes.subarray(at + 5, at + 5 + size) });
    at += 5 + size;
  }
  return found;
}

/** SHA-256 of "HelloRetryRequest": the random that makes a ServerHello one. */
export const retryRandom = Buffer.from("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c", "hex");

export interface ServerHello {
  readonly legacyVersion?: number;
  readonly random?: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly suite?: number;
  readonly compression?: number;
  readonly extensions?: readonly Buffer[];
}

export const serverHello = (hello: ServerHello): Buffer =>
  record(
    types.handshake,
    message(
      2,
      Buffer.concat([
        u16(hello.legacyVersion ?? 0x0303),
        hello.random ?? randomBytes(32),
        vec8(hello.sessionId),
        u16(hello.suite ?? 0x1301),
        u8(hello.compression ?? 0),
        vec16(...(hello.extensions ?? [selectedVersion(0x0304), selectedShare(0x1d, x25519Share())])),
      ]),
    ),
  );

export const selectedVersion = (version: number): Buffer => extension(43, u16(version));
export const selectedShare = (group: number, key: Uint8Array): Buffer =>
  extension(51, Buffer.concat([u16(group), vec16(key)]));
export const selectedGroup = (group: number): Buffer => extension(51, u16(group));

/** What a fake server needs of a ClientHello record: the session id that it has to echo. */
export function sessionIdOf(hello: Buffer): Buffer {
  const at = 5 + 4 + 2 + 32;
  return hello.subarray(at + 1, at + 1 + hello[at]!);
}

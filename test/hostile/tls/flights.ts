import type { AlertName } from "../../../src/protocols/tls/index.js";
import {
  alert,
  clientHello,
  clientHello12,
  clientHelloBody,
  ext,
  extension,
  type Hello,
  message,
  ordinary,
  record,
  types,
  u8,
  u16,
  u24,
  vec8,
  vec16,
  x25519Share,
} from "./bytes.js";

/** A first flight that no honest client sends, and what a server owes it. */
export interface Flight {
  readonly what: string;
  readonly send: () => readonly Uint8Array[];
  /** The alert that must come back; `close` if the connection may only be closed. */
  readonly answer: AlertName | "close";
  /** The alert is under the keys of the server's first flight: only the server itself can say which it was. */
  readonly sealed?: boolean;
}

const without = (name: keyof ReturnType<typeof ordinary>): Hello => {
  const { [name]: _, ...rest } = ordinary();
  return { extensions: Object.values(rest) };
};
const changed = (name: keyof ReturnType<typeof ordinary>, by: Buffer): Hello => ({
  extensions: Object.values({ ...ordinary(), [name]: by }),
});
const added = (...more: readonly Buffer[]): Hello => ({ extensions: [...Object.values(ordinary()), ...more] });
const hello = (what: string, offer: Hello, answer: Flight["answer"]): Flight => ({
  what,
  send: () => [clientHello(offer)],
  answer,
});
const bytes = (what: string, answer: Flight["answer"], ...send: readonly Uint8Array[]): Flight => ({
  what,
  send: () => send,
  answer,
});
/** What follows an ordinary hello, when the server has keys already. */
const afterHello = (what: string, ...then: readonly Uint8Array[]): Flight => ({
  what,
  send: () => [clientHello(), ...then],
  answer: "unexpected_message",
  sealed: true,
});
const first = (): Buffer => message(1, clientHelloBody());

/** RFC 9846 unless another is named. */
export const flights: readonly Flight[] = [
  // §5.1: the record layer.
  bytes("an HTTP request", "unexpected_message", Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")),
  bytes("an SSL 2.0 hello", "unexpected_message", Buffer.from("802e0100020015000000100100800300800700c0", "hex")),
  bytes("an unknown record type", "unexpected_message", record(99, first())),
  bytes("a heartbeat", "unexpected_message", record(types.heartbeat, Buffer.from([1, 0x40, 0]))),
  bytes("application data before anything", "unexpected_message", record(types.applicationData, Buffer.alloc(32))),
  bytes("a handshake record without content", "unexpected_message", record(types.handshake, Buffer.alloc(0))),
  bytes(
    "a record longer than it may be",
    "record_overflow",
    Buffer.concat([u8(22), u16(0x0301), u16(16_385)]),
    Buffer.alloc(16_385),
  ),
  bytes(
    "a record of 65,535 bytes",
    "record_overflow",
    Buffer.concat([u8(22), u16(0x0301), u16(65_535)]),
    Buffer.alloc(65_535),
  ),
  bytes("an alert of one byte", "decode_error", record(types.alert, Buffer.from([1]))),
  bytes("a fatal alert", "close", alert(2, 40)),
  bytes("close_notify before anything", "close", alert(1, 0)),
  bytes("a flood of warnings", "unexpected_message", Buffer.concat(Array.from({ length: 64 }, () => alert(1, 90)))),
  bytes("change_cipher_spec before the hello", "unexpected_message", record(types.changeCipherSpec, u8(1))),
  afterHello("change_cipher_spec with another value", record(types.changeCipherSpec, u8(2))),
  afterHello(
    "a flood of change_cipher_spec",
    Buffer.concat(Array.from({ length: 64 }, () => record(types.changeCipherSpec, u8(1)))),
  ),
  bytes(
    "something else between the halves of a hello",
    "unexpected_message",
    record(22, first().subarray(0, 40)),
    record(types.applicationData, Buffer.alloc(16)),
    record(22, first().subarray(40)),
  ),
  bytes(
    "a handshake message longer than any may be",
    "illegal_parameter",
    record(22, Buffer.concat([u8(1), u24(0xffffff), Buffer.alloc(100)])),
  ),
  // §4: the wrong message.
  bytes("a ServerHello", "unexpected_message", record(22, message(2, Buffer.alloc(40)))),
  bytes("a Finished", "unexpected_message", record(22, message(20, Buffer.alloc(32)))),
  bytes("a KeyUpdate", "unexpected_message", record(22, message(24, u8(0)))),
  bytes("a message of an unknown type", "unexpected_message", record(22, message(99, Buffer.alloc(4)))),
  // §4.2.2 and §4.1.2: the hello's own fields.
  hello("a hello with bytes after its extensions", { trailing: Buffer.alloc(3) }, "decode_error"),
  bytes("an empty hello", "decode_error", record(22, message(1, Buffer.alloc(0)))),
  bytes("a hello cut short", "decode_error", record(22, message(1, clientHelloBody().subarray(0, 60)))),
  hello("a session id of 33 bytes", { sessionId: Buffer.alloc(33) }, "decode_error"),
  hello("no suites", { suites: [] }, "decode_error"),
  hello("no compression methods", { compression: [] }, "decode_error"),
  hello("compression in 1.3", { compression: [0, 1] }, "illegal_parameter"),
  hello("no suite that exists", { suites: [0x1399, 0x0a0a] }, "handshake_failure"),
  hello("only suites of 1.2 with 1.3 as the only version", { suites: [0xc02b] }, "handshake_failure"),
  // §4.3: extensions.
  hello("an extension twice", added(ext.groups(0x1d)), "illegal_parameter"),
  hello("no key_share", without("shares"), "missing_extension"),
  hello("no supported_groups", without("groups"), "missing_extension"),
  hello("no signature_algorithms", without("schemes"), "missing_extension"),
  hello("only versions before 1.2", changed("versions", ext.versions(0x0302, 0x0301)), "protocol_version"),
  hello("an empty list of versions", changed("versions", extension(43, vec8())), "decode_error"),
  hello("a version of one byte", changed("versions", extension(43, vec8(u8(3)))), "decode_error"),
  hello("groups of an odd length", changed("groups", extension(10, vec16(u8(0), u16(0x1d)))), "decode_error"),
  hello(
    "no group that exists",
    {
      extensions: Object.values({
        ...ordinary(),
        groups: ext.groups(0x9999),
        shares: ext.shares([0x9999, Buffer.alloc(32)]),
      }),
    },
    "handshake_failure",
  ),
  hello("no scheme that fits the certificate", changed("schemes", ext.schemes(0x0808)), "handshake_failure"),
  hello(
    "a share of a group that is not in supported_groups",
    changed("shares", ext.shares([0x18, Buffer.alloc(97, 4)], [0x1d, x25519Share()])),
    "illegal_parameter",
  ),
  hello(
    "two shares of one group",
    changed("shares", ext.shares([0x1d, x25519Share()], [0x1d, x25519Share()])),
    "illegal_parameter",
  ),
  hello("an x25519 share of zeros", changed("shares", ext.shares([0x1d, Buffer.alloc(32)])), "illegal_parameter"),
  hello("an x25519 share of 31 bytes", changed("shares", ext.shares([0x1d, Buffer.alloc(31, 9)])), "illegal_parameter"),
  hello(
    "a P-256 share off the curve",
    changed("shares", ext.shares([0x17, Buffer.concat([u8(4), Buffer.alloc(64, 5)])])),
    "illegal_parameter",
  ),
  hello(
    "a compressed P-256 share",
    changed("shares", ext.shares([0x17, Buffer.concat([u8(2), Buffer.alloc(32, 5)])])),
    "illegal_parameter",
  ),
  hello("an empty share", changed("shares", ext.shares([0x1d, Buffer.alloc(0)])), "decode_error"),
  hello(
    "a share longer than its list",
    changed("shares", extension(51, Buffer.concat([u16(8), u16(0x1d), u16(900), Buffer.alloc(4)]))),
    "decode_error",
  ),
  hello(
    "a server name with a trailing byte",
    changed("serverName", extension(0, Buffer.concat([vec16(u8(0), vec16(Buffer.from("a"))), u8(0)]))),
    "decode_error",
  ),
  hello("an empty server name", changed("serverName", ext.serverName("")), "decode_error"),
  hello("an ALPN name of no length", added(extension(16, vec16(vec8()))), "decode_error"),
  hello(
    "pre-shared keys that do not come last",
    { extensions: [ext.psk([Buffer.alloc(16, 1)], [Buffer.alloc(32)]), ...Object.values(ordinary())] },
    "illegal_parameter",
  ),
  hello(
    "pre-shared keys without their modes",
    { extensions: [...(without("pskModes").extensions ?? []), ext.psk([Buffer.alloc(16, 1)], [Buffer.alloc(32)])] },
    "missing_extension",
  ),
  hello(
    "more identities than binders",
    added(ext.psk([Buffer.alloc(16, 1), Buffer.alloc(16, 2)], [Buffer.alloc(32)])),
    "illegal_parameter",
  ),
  hello("a binder of 31 bytes", added(ext.psk([Buffer.alloc(16, 1)], [Buffer.alloc(31)])), "decode_error"),
  hello("an identity of no length", added(ext.psk([Buffer.alloc(0)], [Buffer.alloc(32)])), "decode_error"),
  hello(
    "129 extensions",
    {
      extensions: [
        ...Object.values(ordinary()),
        ...Array.from({ length: 129 }, (_, i) => extension(0x7000 + i, u8(0))),
      ],
    },
    "illegal_parameter",
  ),
  // RFC 8996.
  bytes("TLS 1.1", "protocol_version", clientHello12({ legacyVersion: 0x0302 })),

  bytes("SSL 3.0", "protocol_version", clientHello12({ legacyVersion: 0x0300 })),
];

/** TLS 1.2: RFC 5246, 7627, 5746. */
export const flights12: readonly Flight[] = [
  bytes("a TLS 1.2 hello without null compression", "illegal_parameter", clientHello12({ compression: [1] })),
  bytes(
    "a fallback that need not be (RFC 7507)",
    "inappropriate_fallback",
    clientHello12({ suites: [0xc02b, 0x5600] }),
  ),
  bytes("a TLS 1.2 hello with static RSA alone", "handshake_failure", clientHello12({ suites: [0x009c, 0x002f] })),
  bytes(
    "a first hello that claims to renegotiate (RFC 5746 §3.6)",
    "handshake_failure",
    clientHello12({
      extensions: [ext.groups(0x1d), ext.schemes(0x0403), ext.mainSecret, extension(0xff01, vec8(Buffer.alloc(12)))],
    }),
  ),
  bytes("a ClientKeyExchange before the hello", "unexpected_message", record(22, message(16, vec8(Buffer.alloc(65))))),
];

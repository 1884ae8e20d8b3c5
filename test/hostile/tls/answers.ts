import type { AlertName } from "../../../src/protocols/tls/index.js";
import {
  alert,
  extension,
  message,
  record,
  retryRandom,
  type ServerHello,
  selectedGroup,
  selectedShare,
  selectedVersion,
  serverHello,
  types,
  u8,
  u16,
  u24,
  vec8,
  vec16,
  x25519Share,
} from "./bytes.js";

/** An answer that no honest server gives to our ClientHello, and the alert that a client owes it. */
export interface Answer {
  readonly what: string;
  /** Bytes to send, given the session id that must be echoed. */
  readonly send: (sessionId: Uint8Array) => readonly Uint8Array[];
  readonly answer: AlertName | "close";
}

const hello = (what: string, change: Partial<ServerHello>, answer: Answer["answer"]): Answer => ({
  what,
  send: (sessionId) => [serverHello({ sessionId, ...change })],
  answer,
});
const retry = (change: Partial<ServerHello>) => (sessionId: Uint8Array) =>
  serverHello({
    sessionId,
    random: retryRandom,
    extensions: [selectedVersion(0x0304), selectedGroup(0x17)],
    ...change,
  });
const bytes = (what: string, answer: Answer["answer"], ...send: readonly Uint8Array[]): Answer => ({
  what,
  send: () => send,
  answer,
});
const share = (): Buffer => selectedShare(0x1d, x25519Share());
const downgraded = (last: number): Buffer =>
  Buffer.concat([Buffer.alloc(24, 3), Buffer.from("444f574e475244", "hex"), u8(last)]);
const hello12: Partial<ServerHello> = {
  suite: 0xc02b,
  extensions: [extension(23, Buffer.alloc(0)), extension(0xff01, u8(0)), extension(11, vec8(u8(0)))],
};

/** The client offers x25519 with a share, P-256 without, AES-128-GCM, no ALPN and no PSK. */
export const answers: readonly Answer[] = [
  bytes("plain text", "unexpected_message", Buffer.from("220 mail.example ESMTP ready\r\n")),
  bytes("silence and a hang-up", "close"),
  bytes("handshake_failure", "close", alert(2, 40)),
  bytes("an encrypted record first", "unexpected_message", record(types.applicationData, Buffer.alloc(64))),
  bytes("a ClientHello", "unexpected_message", record(22, message(1, Buffer.alloc(80)))),
  bytes("a HelloRequest in place of a hello", "unexpected_message", record(22, message(0, Buffer.alloc(0)))),
  bytes("a record of no content", "unexpected_message", record(22, Buffer.alloc(0))),
  bytes(
    "a record longer than it may be",
    "record_overflow",
    Buffer.concat([u8(22), u16(0x0303), u16(16_385)]),
    Buffer.alloc(16_385),
  ),
  bytes(
    "a message longer than any may be",
    "illegal_parameter",
    record(22, Buffer.concat([u8(2), u24(0xfffff0), Buffer.alloc(64)])),
  ),
  bytes("a hello cut short", "decode_error", record(22, message(2, Buffer.alloc(20)))),
  hello("a suite that was not offered", { suite: 0x1305 }, "illegal_parameter"),
  hello("a suite of another version", { suite: 0xc02b }, "illegal_parameter"),
  hello("an unknown suite", { suite: 0x1a1a }, "illegal_parameter"),
  hello("another session id", { sessionId: Buffer.alloc(32, 7) }, "illegal_parameter"),
  hello("compression", { compression: 1 }, "illegal_parameter"),
  hello("legacy_version 1.1", { legacyVersion: 0x0302 }, "protocol_version"),
  hello("supported_versions 1.2", { extensions: [selectedVersion(0x0303), share()] }, "illegal_parameter"),
  hello("supported_versions 1.4", { extensions: [selectedVersion(0x0305), share()] }, "illegal_parameter"),
  hello("no key_share and no PSK", { extensions: [selectedVersion(0x0304)] }, "missing_extension"),
  hello(
    "a share of a group without a share of ours",
    { extensions: [selectedVersion(0x0304), selectedShare(0x17, Buffer.concat([u8(4), Buffer.alloc(64, 9)]))] },
    "illegal_parameter",
  ),
  hello(
    "a share of zeros",
    { extensions: [selectedVersion(0x0304), selectedShare(0x1d, Buffer.alloc(32))] },
    "illegal_parameter",
  ),
  hello(
    "a share of 33 bytes",
    { extensions: [selectedVersion(0x0304), selectedShare(0x1d, Buffer.alloc(33, 9))] },
    "illegal_parameter",
  ),
  hello("key_share twice", { extensions: [selectedVersion(0x0304), share(), share()] }, "illegal_parameter"),
  hello(
    "a selected PSK when none was offered",
    { extensions: [selectedVersion(0x0304), share(), extension(41, u16(0))] },
    "unsupported_extension",
  ),
  hello(
    "an extension that was not offered",
    { extensions: [selectedVersion(0x0304), share(), extension(0x7777, u8(0))] },
    "unsupported_extension",
  ),
  hello(
    "ALPN in the clear",
    { extensions: [selectedVersion(0x0304), share(), extension(16, vec16(vec8(Buffer.from("h2"))))] },
    "unsupported_extension",
  ),
  hello(
    "a grease extension echoed",
    { extensions: [selectedVersion(0x0304), share(), extension(0x0a0a, Buffer.alloc(0))] },
    "unsupported_extension",
  ),
  hello("1.2 with the sentinel of a server that has 1.3", { ...hello12, random: downgraded(1) }, "illegal_parameter"),
  hello("1.2 with the sentinel of 1.1", { ...hello12, random: downgraded(0) }, "illegal_parameter"),
  {
    what: "a retry for the group whose share we sent",
    send: (id) => [retry({ extensions: [selectedVersion(0x0304), selectedGroup(0x1d)] })(id)],
    answer: "illegal_parameter",
  },
  {
    what: "a retry for a group that we did not offer",
    send: (id) => [retry({ extensions: [selectedVersion(0x0304), selectedGroup(0x19)] })(id)],
    answer: "illegal_parameter",
  },
  {
    what: "a retry that changes nothing",
    send: (id) => [retry({ extensions: [selectedVersion(0x0304)] })(id)],
    answer: "illegal_parameter",
  },
  { what: "a retry after a retry", send: (id) => [retry({})(id), retry({})(id)], answer: "unexpected_message" },
  {
    what: "a retry with another suite than the hello after it",
    send: (id) => [
      retry({ suite: 0x1303 })(id),
      serverHello({
        sessionId: id,
        extensions: [selectedVersion(0x0304), selectedShare(0x17, Buffer.concat([u8(4), Buffer.alloc(64, 9)]))],
      }),
    ],
    answer: "illegal_parameter",
  },
  {
    what: "an empty cookie",
    send: (id) => [retry({ extensions: [selectedVersion(0x0304), extension(44, vec16())] })(id)],
    answer: "decode_error",
  },
  {
    what: "plain messages behind the hello in its record",
    send: (id) => [record(22, Buffer.concat([serverHello({ sessionId: id }).subarray(5), message(8, vec16())]))],
    answer: "unexpected_message",
  },
  {
    what: "a plain message after the hello",
    send: (id) => [serverHello({ sessionId: id }), record(22, message(8, vec16()))],
    answer: "unexpected_message",
  },
  {
    what: "records that no key of ours opens",
    send: (id) => [serverHello({ sessionId: id }), record(types.applicationData, Buffer.alloc(64, 5))],
    answer: "bad_record_mac",
  },
  {
    what: "an encrypted record shorter than its tag",
    send: (id) => [serverHello({ sessionId: id }), record(types.applicationData, Buffer.alloc(10))],
    answer: "bad_record_mac",
  },
  {
    what: "an encrypted record longer than it may be",
    send: (id) => [serverHello({ sessionId: id }), record(types.applicationData, Buffer.alloc(16_384 + 257))],
    answer: "record_overflow",
  },
  {
    what: "change_cipher_spec with another value",
    send: (id) => [serverHello({ sessionId: id }), record(types.changeCipherSpec, u8(3))],
    answer: "unexpected_message",
  },
  {
    what: "a flood of change_cipher_spec",
    send: (id) => [
      serverHello({ sessionId: id }),
      Buffer.concat(Array.from({ length: 64 }, () => record(types.changeCipherSpec, u8(1)))),
    ],
    answer: "unexpected_message",
  },
];

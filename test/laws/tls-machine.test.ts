import fc from "fast-check";
import { utf8 } from "../../src/bytes/index.js";
import type { AskOf } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { tlsFailure } from "../../src/protocols/tls/failure.js";
import { type TlsEvent, type TlsInput, type TlsVersion, tlsClient, tlsServer } from "../../src/protocols/tls/index.js";
import { provider as crypto } from "../support/provider.js";
import { identityFor, trusting } from "../support/tls-pair.js";
import { bytesOf, type MachineSubject, machineLaws, sameBytes } from "./machine.js";

// Ed25519 signs without randomness, so a whole handshake is decided by its seed.
const identity = identityFor("Ed25519");

const answer = (question: AskOf<TlsEvent>): unknown => {
  if (question.kind === "verify-peer") {
    try {
      return trusting(question);
    } catch {
      return { trusted: false, failure: tlsFailure("certificate-unknown", "Certificate", "it does not parse") };
    }
  }
  if (question.kind === "select-identity") return identity;
  if (question.kind === "sign") return identity.sign(question.algorithm, question.message);
  if (question.kind === "offer-psks") return { external: [] };
  return undefined;
};

const subject = (version: TlsVersion): MachineSubject<TlsInput, TlsEvent> => ({
  make: (seed) => {
    const versions = [version] as const;
    const options = { verify: trusting, versions, groups: ["x25519"] as const };
    return {
      a: tlsClient({ crypto, entropy: seededEntropy(`client ${seed}`) }, options),
      b: tlsServer({ crypto, entropy: seededEntropy(`server ${seed}`) }, { ...options, identity }),
    };
  },
  opening: [
    ["b", { kind: "opened" }],
    ["a", { kind: "opened" }],
  ],
  afterwards: [
    ["a", { kind: "send", bytes: utf8("question") }],
    ["b", { kind: "send", bytes: utf8("answer") }],
    ...(version === "1.3" ? [["a", { kind: "update-keys", requestPeer: true }] as const] : []),
    ["a", { kind: "send", bytes: utf8(" and another") }],
    ["a", { kind: "close" }],
    ["b", { kind: "close" }],
  ],
  arrive: (bytes) => ({ kind: "bytes", bytes }),
  answer: answer as (question: never) => unknown,
  hostile: fc.oneof(
    fc.record({ kind: fc.constant("bytes" as const), bytes: fc.uint8Array({ maxLength: 200 }) }),
    // A record of any type with any body.
    fc
      .tuple(fc.integer({ min: 20, max: 26 }), fc.uint8Array({ maxLength: 100 }))
      .map(([type, body]) => ({ kind: "bytes" as const, bytes: Uint8Array.of(type, 3, 3, 0, body.length, ...body) })),
    fc.record({ kind: fc.constant("answer" as const), id: fc.nat(8), answer: fc.anything() }),
    fc.record({ kind: fc.constant("send" as const), bytes: fc.uint8Array({ maxLength: 50 }) }),
    fc.constantFrom<TlsInput>(
      { kind: "end" },
      { kind: "close" },
      { kind: "opened" },
      { kind: "update-keys", requestPeer: true },
      { kind: "request-authentication" },
      { kind: "send-early", bytes: utf8("early") },
    ),
  ),
  succeeded: ({ a, b }) => {
    sameBytes(bytesOf(b, "data"), utf8("question and another"));
    sameBytes(bytesOf(a, "data"), utf8("answer"));
  },
  bufferSize: 1 << 16,
  runs: 120,
});

machineLaws("TLS 1.3", subject("1.3"));
machineLaws("TLS 1.2", subject("1.2"));

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Codec, utf8 } from "../../src/bytes/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import { PkiFailure, parseCertificate } from "../../src/pki/index.js";
import { type TlsAsks, type TlsEvent, type TlsInput, tlsClient, tlsServer } from "../../src/protocols/tls/index.js";
import {
  certificate,
  certificateRequest,
  certificateVerify,
  compressedCertificate,
  encryptedExtensions,
} from "../../src/protocols/tls/messages/authentication.js";
import {
  type Extension,
  ExtensionBlock,
  type ExtensionMessage,
  ext,
} from "../../src/protocols/tls/messages/extensions.js";
import { clientHello } from "../../src/protocols/tls/messages/hello.js";
import { keyUpdate, newSessionTicket } from "../../src/protocols/tls/messages/post-handshake.js";
import { provider as crypto } from "../support/provider.js";
import { identityFor } from "../support/tls-pair.js";
import { codecLaws } from "./codec.js";
import { machineLaws } from "./machine.js";

// Codecs

const bytes = (max: number, min = 0) => fc.uint8Array({ minLength: min, maxLength: max });
const u16 = fc.nat(0xffff);

/** A block in which no type stands twice. */
const block = <M extends ExtensionMessage>(message: M): fc.Arbitrary<ExtensionBlock<M>> =>
  fc
    .uniqueArray(fc.record<Extension>({ type: u16, data: bytes(20) }), { selector: ({ type }) => type, maxLength: 4 })
    .map(
      (items) =>
        new ExtensionBlock(
          message,
          items.map((item) => ({ ...item })),
        ),
    );

codecLaws("EncryptedExtensions", { codec: encryptedExtensions, values: block("EE") });
codecLaws("CertificateRequest", {
  codec: certificateRequest,
  values: fc.record({ context: bytes(20), extensions: block("CR") }),
});
codecLaws("Certificate", {
  codec: certificate,
  values: fc.record({
    context: bytes(20),
    entries: fc.array(fc.record({ data: bytes(40, 1), extensions: block("CT") }), { maxLength: 3 }),
  }),
});
codecLaws("CompressedCertificate", {
  codec: compressedCertificate,
  values: fc.record({ algorithm: u16, size: fc.nat(0xff_ffff), compressed: bytes(40, 1) }),
});
codecLaws("CertificateVerify", { codec: certificateVerify, values: fc.record({ scheme: u16, signature: bytes(80) }) });
codecLaws("NewSessionTicket", {
  codec: newSessionTicket,
  values: fc.record({
    lifetimeSeconds: fc.nat(0xffff_ffff),
    ageAdd: fc.nat(0xffff_ffff),
    nonce: bytes(8),
    ticket: bytes(60, 1),
    extensions: block("NST"),
  }),
});
codecLaws("KeyUpdate", { codec: keyUpdate, values: fc.nat(255) });
for (const cookieField of [false, true]) {
  codecLaws(`ClientHello${cookieField ? " of DTLS" : ""}`, {
    codec: clientHello(cookieField),
    values: fc.record({
      legacyVersion: u16,
      random: bytes(32, 32),
      sessionId: bytes(32),
      cookie: cookieField ? bytes(20) : fc.constant(undefined),
      suites: fc.array(u16, { minLength: 1, maxLength: 5 }),
      compressionMethods: bytes(3, 1),
      extensions: block("CH"),
    }),
    // Before 1.3 there might be no extensions at all: without its block a hello is a hello still.
    isOpenEnded: true,
    isAmbiguous: true,
  });
}
codecLaws("pre_shared_key of a ClientHello", {
  codec: ext.preSharedKey.in.CH,
  values: fc.record({
    identities: fc.array(fc.record({ identity: bytes(30, 1), obfuscatedTicketAge: fc.nat(0xffff_ffff) }), {
      minLength: 1,
      maxLength: 3,
    }),
    binders: fc.array(bytes(48, 32), { minLength: 1, maxLength: 3 }),
  }),
});
codecLaws("key_share of a ClientHello", {
  codec: ext.keyShare.in.CH,
  values: fc.array(fc.record({ group: u16, key: bytes(40, 1) }), { maxLength: 3 }),
});
const lists: Readonly<Record<string, Codec<readonly number[]>>> = {
  supported_versions: ext.supportedVersions.in.CH,
  supported_groups: ext.supportedGroups.in.CH,
  signature_algorithms: ext.signatureAlgorithms.in.CH,
};
for (const [name, codec] of Object.entries(lists)) {
  codecLaws(name, { codec, values: fc.array(u16, { minLength: 1, maxLength: 6 }) });
}
codecLaws("application_layer_protocol_negotiation", {
  codec: ext.alpn.in.CH,
  values: fc.array(bytes(10, 1), { minLength: 1, maxLength: 4 }),
});

// Machines

const identity = identityFor("Ed25519");

/** Answers at once, out of nothing but the question. */
function answer(question: { readonly kind: keyof TlsAsks }): unknown {
  switch (question.kind) {
    case "verify-peer": {
      const { certificates } = question as unknown as TlsAsks["verify-peer"]["ask"];
      const parsed = parseCertificate(certificates[0]!);
      const publicKey = parsed instanceof PkiFailure ? undefined : crypto.publicKey(parsed.spki);
      return publicKey && { trusted: true, publicKey, peer: { kind: "certificate", chain: certificates, publicKey } };
    }
    case "select-identity":
      return identity;
    case "sign": {
      const { algorithm, message } = question as unknown as TlsAsks["sign"]["ask"];
      return identity.sign(algorithm, message);
    }
    default:
      return undefined;
  }
}

const input = fc.oneof(
  fc.record({ kind: fc.constant("bytes" as const), bytes: bytes(300) }),
  // Records that look right from outside.
  fc.tuple(fc.constantFrom(20, 21, 22, 23), bytes(200)).map(([type, body]) => ({
    kind: "bytes" as const,
    bytes: Uint8Array.of(type, 3, 3, body.length >> 8, body.length & 255, ...body),
  })),
  fc.record({ kind: fc.constant("answer" as const), id: fc.nat(10), answer: fc.constantFrom(undefined, true, {}) }),
  fc.record({ kind: fc.constant("send" as const), bytes: bytes(50) }),
  fc.constantFrom<TlsInput>({ kind: "end" }, { kind: "close" }),
);

for (const [name, options] of Object.entries({
  "TLS 1.3": { versions: ["1.3"] },
  "TLS 1.3 with a client's certificate": { versions: ["1.3"], clientAuthentication: "require" },
  "TLS 1.3 after a retry": { versions: ["1.3"], groups: ["secp384r1"] },
  "TLS 1.2": { versions: ["1.2"], identity },
} as const)) {
  machineLaws<TlsInput, TlsEvent>(name, {
    make: (seed) => ({
      a: tlsClient({ crypto, entropy: seededEntropy(`client ${seed}`) }, { groups: ["x25519", "secp384r1"] }),
      b: tlsServer({ crypto, entropy: seededEntropy(`server ${seed}`) }, options),
    }),
    opening: [
      ["b", { kind: "opened" }],
      ["a", { kind: "opened" }],
    ],
    afterwards: [
      ["a", { kind: "send", bytes: utf8("a question") }],
      ["b", { kind: "send", bytes: utf8("an answer") }],
      ...(name === "TLS 1.2" ? [] : [["a", { kind: "update-keys", requestPeer: true }] as const]),
      ["b", { kind: "send", bytes: utf8("another") }],
      ["a", { kind: "close" }],
      ["b", { kind: "close" }],
    ],
    arrive: (arrived) => ({ kind: "bytes", bytes: arrived }),
    answer,
    hostile: input,
    succeeded: ({ a, b }) => {
      for (const events of [b, a]) {
        const kinds = events.map(({ kind }) => kind);
        const failed = events.find(({ kind }) => kind === "failed");
        assert.equal(failed?.kind === "failed" ? failed.failure.message : undefined, undefined);
        assert.ok(kinds.includes("confirmed") && kinds.includes("data") && kinds.includes("ended"), kinds.join());
      }
    },
    runs: 60,
  });
}

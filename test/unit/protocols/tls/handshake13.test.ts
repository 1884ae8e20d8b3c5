import assert from "node:assert/strict";
import { test } from "node:test";
import { brotliCompressSync, brotliDecompressSync, deflateSync, inflateSync } from "node:zlib";
import { equal, toHex, utf8 } from "../../../../src/bytes/index.js";
import { Secret } from "../../../../src/contract/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import { makeCertificate, makePrivateKey } from "../../../../src/pki/index.js";
import {
  type CertificateCompressor,
  type ExternalPsk,
  groups,
  suites13,
  type TlsClientOptions,
  type TlsIdentity,
  type TlsServerOptions,
} from "../../../../src/protocols/tls/index.js";
import { provider } from "../../../support/provider.js";
import { concatAll, identityFor, resumption, shake, startOfTime, type TlsPair } from "../../../support/tls-pair.js";

const only13 = { versions: ["1.3"] } as const;

/** Both sides are confirmed, agree, and can talk. */
async function talks(pair: TlsPair): Promise<void> {
  assert.equal(pair.client.failure, undefined, pair.client.failure?.message);
  assert.equal(pair.server.failure, undefined, pair.server.failure?.message);
  assert.ok(pair.client.outcome && pair.server.outcome, "not confirmed");
  for (const key of ["version", "suite", "group", "alpn", "mode", "earlyData", "retried", "roundTrips"] as const) {
    assert.equal(pair.client.outcome[key], pair.server.outcome[key], key);
  }
  const before = [pair.client.text.length, pair.server.text.length] as const;
  await pair.send("client", "from the client");
  await pair.send("server", "from the server");
  assert.equal(pair.server.text.slice(before[1]), "from the client");
  assert.equal(pair.client.text.slice(before[0]), "from the server");
  const ours = pair.client.machine.handshake.exportKey("EXPORTER-test", 32, utf8("context"));
  assert.ok(equal(ours, pair.server.machine.handshake.exportKey("EXPORTER-test", 32, utf8("context"))));
}

for (const { name } of suites13) {
  test(`${name} carries data both ways`, async () => {
    const pair = await shake({ client: { ...only13, suites: [name] }, server: { ...only13, suites: [name] } });
    await talks(pair);
    assert.equal(pair.client.outcome?.suite, name);
  });
}

for (const { name } of groups) {
  test(`the group ${name} agrees on keys`, async () => {
    const pair = await shake({ client: { ...only13, groups: [name] }, server: { ...only13, groups: [name] } });
    await talks(pair);
    assert.equal(pair.client.outcome?.group, name);
  });
}

for (const kind of ["P-256", "P-384", "P-521", "Ed25519", "Ed448"] as const) {
  test(`a server proves itself with ${kind}`, async () => {
    const pair = await shake({ client: only13, server: { ...only13, identity: identityFor(kind) } });
    await talks(pair);
    assert.equal(pair.client.outcome?.peer?.kind, "certificate");
  });
}

test("a post-quantum hybrid is what two of ours agree on", async () => {
  const pair = await shake();
  assert.equal(pair.client.outcome?.group, "X25519MLKEM768");
  assert.equal(pair.client.outcome?.version, "1.3");
  assert.equal(pair.client.outcome?.roundTrips, 1);
});

test("a server that wants another group asks for it, and both have gone round twice", async () => {
  const pair = await shake({ client: only13, server: { ...only13, groups: ["secp384r1"] } });
  await talks(pair);
  assert.equal(pair.client.outcome?.group, "secp384r1");
  assert.equal(pair.client.outcome?.roundTrips, 2);
});

test("a stateless server keeps nothing: another one with its key takes the second ClientHello", async () => {
  const cookieKey = new Secret(new Uint8Array(32).fill(9));
  const pair = await shake({ client: only13, server: { ...only13, cookieKey } });
  await talks(pair);
  assert.equal(pair.client.outcome?.retried, true);
  const again = await shake({ client: only13, server: { ...only13, cookieKey, groups: ["x448"] } });
  await talks(again);
  assert.equal(again.client.outcome?.group, "x448");
});

test("the same seed and inputs give the same bytes, and another seed does not", async () => {
  const bytes = async (seed: number) => {
    // ECDSA signs with randomness of its own; Ed25519 has none.
    const pair = await shake({ seed, server: { identity: identityFor("Ed25519") } });
    await pair.send("client", "same");
    return toHex(provider.hash("SHA-256").digest(...pair.client.sent, ...pair.server.sent));
  };
  assert.equal(await bytes(5), await bytes(5));
  assert.notEqual(await bytes(5), await bytes(6));
});

test("pieces of one byte make no difference", async () => {
  const pair = await shake({ pieceMax: 1 });
  await talks(pair);
});

test("a ticket resumes, without a certificate, and remembers who the server was", async () => {
  const { client, server } = resumption();
  const first = await shake({ client: { ...only13, ...client }, server: { ...only13, ...server } });
  await talks(first);
  assert.ok(first.client.told.includes("ticket"));
  const second = await shake({ client: { ...only13, ...client }, server: { ...only13, ...server }, seed: 2 });
  await talks(second);
  assert.equal(second.client.outcome?.mode, "resumed");
  assert.equal(second.server.outcome?.mode, "resumed");
  assert.equal(second.client.outcome?.peer?.kind, "certificate");
  assert.ok(second.client.outcome?.group, "with a fresh key exchange");
});

test("each ticket serves one attempt", async () => {
  const { client, server } = resumption();
  const options = { client: { ...only13, ...client }, server: { ...only13, ...server, ticketCount: 1 } };
  await shake(options);
  const modes = [];
  // Every connection is given a new ticket, so drop those of the resumed ones.
  for (const seed of [2, 3]) {
    const pair = await shake({ ...options, server: { ...options.server, ticketCount: 0 }, seed });
    modes.push(pair.client.outcome?.mode);
  }
  assert.deepEqual(modes, ["resumed", "full"]);
});

test("psk_ke resumes without a key exchange where both allow it", async () => {
  const { client, server } = resumption();
  const options = {
    client: { ...only13, ...client, pskModes: ["psk_ke"] },
    server: { ...only13, ...server, pskModes: ["psk_ke", "psk_dhe_ke"] },
  } as const;
  await shake(options);
  const second = await shake({ ...options, seed: 2 });
  await talks(second);
  assert.equal(second.client.outcome?.mode, "resumed");
  assert.equal(second.client.outcome?.group, undefined);
});

async function earlyPair(
  more: { readonly client?: TlsClientOptions; readonly server?: TlsServerOptions } = {},
  between: { readonly client?: TlsClientOptions; readonly server?: TlsServerOptions } = {},
) {
  const { client, server } = resumption();
  const options = {
    client: { ...only13, ...client, earlyData: true, alpn: ["echo"], ...more.client },
    server: { ...only13, ...server, earlyDataMax: 1000, alpn: ["echo"], ...more.server },
  };
  await shake(options);
  const { TlsPair } = await import("../../../support/tls-pair.js");
  const pair = new TlsPair({
    client: { ...options.client, ...between.client },
    server: { ...options.server, ...between.server },
    seed: 2,
  });
  pair.client.machine.handle({ kind: "send-early", bytes: utf8("early bird") }, startOfTime);
  await pair.open();
  return pair;
}

test("early data arrive with the first flight, flagged", async () => {
  const pair = await earlyPair();
  assert.equal(pair.server.failure, undefined, pair.server.failure?.message);
  assert.equal(new TextDecoder().decode(concatAll(pair.server.early)), "early bird");
  assert.equal(pair.server.text, "");
  assert.equal(pair.client.outcome?.earlyData, "accepted");
  assert.equal(pair.client.outcome?.roundTrips, 0);
  await talks(pair);
  const exported = pair.client.machine.handshake.exportEarlyKey("EXPORTER-early", 16);
  assert.ok(equal(exported, pair.server.machine.handshake.exportEarlyKey("EXPORTER-early", 16)));
});

test("refused early data go again after the handshake, and count as ordinary then", async () => {
  const { StrikeRegister } = await import("../../../../src/protocols/tls/index.js");
  const starting = new StrikeRegister(startOfTime); // remembers nothing from before, so lets nothing in
  const pair = await earlyPair({}, { server: { antiReplay: starting } });
  assert.equal(pair.client.outcome?.earlyData, "rejected");
  assert.deepEqual(pair.server.early, []);
  assert.equal(pair.server.text, "early bird");
  await talks(pair);
});

test("a HelloRetryRequest loses early data, which then go again", async () => {
  const pair = await earlyPair({}, { server: { groups: ["x448"] } });
  assert.equal(pair.client.outcome?.earlyData, "rejected");
  assert.equal(pair.client.outcome?.retried, true);
  assert.equal(pair.server.text, "early bird");
  await talks(pair);
});

test("early data for another application protocol are dropped, not sent again", async () => {
  const sessionScope = { alpn: [] };
  const pair = await earlyPair(
    { client: { sessionScope } },
    { client: { alpn: ["echo", "other"], sessionScope }, server: { alpn: ["other"] } },
  );
  assert.equal(pair.client.outcome?.alpn, "other");
  assert.equal(pair.client.outcome?.earlyData, "rejected");
  assert.equal(pair.server.text, "");
  assert.ok(pair.client.told.includes("sent"));
});

test("a replayed first flight gets no early data", async () => {
  const { client, server } = resumption();
  const options = {
    client: { ...only13, ...client, earlyData: true },
    server: { ...only13, ...server, earlyDataMax: 1000 },
  };
  await shake(options);
  const { TlsPair } = await import("../../../support/tls-pair.js");
  const first = new TlsPair({ ...options, seed: 2 });
  first.client.machine.handle({ kind: "send-early", bytes: utf8("pay 100") }, startOfTime);
  await first.open();
  assert.equal(first.server.early.length, 1);
  const replay = new TlsPair({ ...options, seed: 3 });
  replay.server.machine.handle({ kind: "opened" }, startOfTime);
  replay.server.machine.handle({ kind: "bytes", bytes: concatAll(first.client.sent.slice(0, 1)) }, startOfTime);
  await replay.settle();
  assert.deepEqual(replay.server.early, []);
});

const psk = (more: Partial<ExternalPsk> = {}): ExternalPsk => ({
  identity: utf8("taps"),
  key: new Secret(new Uint8Array(32).fill(3)),
  ...more,
});

for (const hash of ["SHA-256", "SHA-384"] as const) {
  test(`an external key bound to ${hash} is enough`, async () => {
    const psks = [psk({ hash })];
    const pair = await shake({ client: { ...only13, psks }, server: { ...only13, psks } });
    await talks(pair);
    assert.equal(pair.client.outcome?.mode, "psk");
    assert.equal(pair.server.outcome?.peer?.kind, "pre-shared-key");
    assert.ok(pair.client.outcome?.suite.endsWith(hash.replace("-", "")));
  });
}

test("an imported key serves both hashes, and a look-up by its external name finds it", async () => {
  const imported = psk({ importer: { context: utf8("ctx") } });
  for (const suite of ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"] as const) {
    const pair = await shake({
      client: { ...only13, psks: [imported], suites: [suite] },
      server: { ...only13, psks: async (name) => (equal(name, imported.identity) ? imported : undefined) },
    });
    await talks(pair);
    assert.equal(pair.client.outcome?.mode, "psk");
    assert.equal(pair.client.outcome?.suite, suite);
  }
});

test("a key without an exchange is used only where both sides allow it", async () => {
  const psks = [psk()];
  const pair = await shake({
    client: { ...only13, psks, groups: ["x25519"] },
    server: { ...only13, psks, groups: ["x448"] },
  });
  assert.equal(pair.server.failure?.reason, "no-common-group");
  const modes = ["psk_dhe_ke", "psk_ke"] as const;
  const allowed = await shake({
    client: { ...only13, psks, groups: ["x25519"], pskModes: modes },
    server: { ...only13, psks, groups: ["x448"], pskModes: modes },
  });
  await talks(allowed);
  assert.equal(allowed.client.outcome?.group, undefined);
});

test("a wrong external key is a bad binder", async () => {
  const pair = await shake({
    client: { ...only13, psks: [psk()] },
    server: { ...only13, psks: [psk({ key: new Secret(new Uint8Array(32)) })] },
  });
  assert.equal(pair.server.failure?.reason, "bad-binder");
  assert.equal(pair.client.failure?.at, "decrypt_error");
});

test("a client proves itself with a certificate", async () => {
  const pair = await shake({
    client: { ...only13, identity: identityFor("Ed25519") },
    server: { ...only13, clientAuthentication: "require" },
  });
  await talks(pair);
  assert.equal(pair.server.outcome?.peer?.kind, "certificate");
  assert.equal(pair.server.outcome?.peerScheme, "ed25519");
});

test("a client without a certificate is let in on request and turned away on demand", async () => {
  const asked = await shake({ client: only13, server: { ...only13, clientAuthentication: "request" } });
  await talks(asked);
  assert.equal(asked.server.outcome?.peer, undefined);
  const demanded = await shake({ client: only13, server: { ...only13, clientAuthentication: "require" } });
  assert.equal(demanded.server.failure?.reason, "certificate-required");
  assert.equal(demanded.client.failure?.at, "certificate_required");
});

test("a client proves itself later, when the server asks, and declines if it has nothing to show", async () => {
  for (const identity of [identityFor("P-256"), undefined]) {
    const pair = await shake({
      client: { ...only13, postHandshakeAuthentication: true, ...(identity && { identity }) },
      server: only13,
    });
    await talks(pair);
    await pair.give("server", { kind: "request-authentication" });
    const told = pair.server.events.find(({ kind }) => kind === "authenticated");
    assert.ok(told?.kind === "authenticated");
    assert.equal(told.peer?.kind, identity === undefined ? undefined : "certificate");
    await talks(pair);
  }
});

test("a server may not ask a client that did not offer it", async () => {
  const pair = await shake({ client: only13, server: only13 });
  assert.throws(() => pair.server.machine.handle({ kind: "request-authentication" }, startOfTime), {
    reason: "misuse",
  });
});

test("raw public keys serve both sides", async () => {
  const pair = await shake({
    client: {
      ...only13,
      peerCertificateTypes: ["raw-public-key"],
      certificateTypes: ["raw-public-key"],
      identity: identityFor("Ed25519"),
    },
    server: {
      ...only13,
      certificateTypes: ["raw-public-key", "x509"],
      peerCertificateTypes: ["raw-public-key"],
      clientAuthentication: "require",
    },
  });
  await talks(pair);
  assert.equal(pair.client.outcome?.peer?.kind, "raw-public-key");
  assert.equal(pair.server.outcome?.peer?.kind, "raw-public-key");
});

const compressors: Readonly<Record<string, CertificateCompressor>> = {
  zlib: {
    algorithm: "zlib",
    compress: (bytes) => deflateSync(bytes),
    decompress: (bytes, size) => inflateSync(bytes, { maxOutputLength: size }),
  },
  brotli: {
    algorithm: "brotli",
    compress: async (bytes) => brotliCompressSync(bytes),
    decompress: async (bytes, size) => brotliDecompressSync(bytes, { maxOutputLength: size }),
  },
};

for (const [name, compressor] of Object.entries(compressors)) {
  test(`certificates travel compressed with ${name}`, async () => {
    const traced: string[] = [];
    const identity = identityFor("P-256");
    // A chain with something to compress.
    const chain = { ...identity, certificates: [identity.certificates[0]!, identity.certificates[0]!] };
    const pair = await shake({
      client: { ...only13, certificateCompression: [compressor], identity },
      server: {
        ...only13,
        identity: chain,
        certificateCompression: [compressor],
        trace: ({ data }) => traced.push(String(data["message"])),
      },
    });
    await talks(pair);
    assert.ok(traced.includes("CompressedCertificate"), traced.join());
  });
}

test("a compressed certificate that does not unfold is a bad certificate", async () => {
  const broken = { ...compressors["zlib"]!, decompress: () => undefined };
  const identity = identityFor("P-256");
  const chain = { ...identity, certificates: [identity.certificates[0]!, identity.certificates[0]!] };
  const pair = await shake({
    client: { ...only13, certificateCompression: [broken] },
    server: { ...only13, identity: chain, certificateCompression: [compressors["zlib"]!] },
  });
  assert.equal(pair.client.failure?.reason, "bad-certificate");
  assert.equal(pair.server.failure?.at, "bad_certificate");
});

test("stapled OCSP and timestamps reach the application and the verifier", async () => {
  const stapled = { ocspResponse: utf8("an OCSP response"), signedCertificateTimestamps: utf8("a list") };
  const seen: (Uint8Array | undefined)[] = [];
  const { trusting } = await import("../../../support/tls-pair.js");
  const pair = await shake({
    client: {
      ...only13,
      verify: (ask) => {
        seen.push(ask.ocspResponse, ask.signedCertificateTimestamps);
        return trusting(ask);
      },
    },
    server: { ...only13, identity: { ...identityFor("P-256"), ...stapled } },
  });
  await talks(pair);
  assert.deepEqual(seen, [stapled.ocspResponse, stapled.signedCertificateTimestamps]);
  assert.deepEqual(pair.client.outcome?.ocspResponse, stapled.ocspResponse);
});

test("identities are chosen by name, and a name that nobody serves is unrecognized", async () => {
  const identity = [
    { ...identityFor("P-256"), names: ["a.test"] },
    { ...identityFor("Ed25519"), names: ["*.b.test"] },
  ];
  const schemes = async (serverName: string) => {
    const pair = await shake({ client: { ...only13, serverName }, server: { ...only13, identity } });
    return pair.client.outcome?.peerScheme ?? pair.client.failure?.at;
  };
  assert.equal(await schemes("a.test"), "ecdsa_secp256r1_sha256");
  assert.equal(await schemes("www.b.test"), "ed25519");
  assert.equal(await schemes("x.www.b.test"), "unrecognized_name");
});

test("a verifier's no becomes the alert that it names", async () => {
  const { tlsFailure } = await import("../../../../src/protocols/tls/index.js");
  const failure = tlsFailure("certificate-revoked", "Certificate", "it was revoked");
  const pair = await shake({ client: { ...only13, verify: () => ({ trusted: false, failure }) }, server: only13 });
  assert.equal(pair.client.failure, failure);
  assert.equal(pair.server.failure?.at, "certificate_revoked");
});

test("without a verifier nobody is trusted", async () => {
  const { TlsPair } = await import("../../../support/tls-pair.js");
  const options: TlsClientOptions = { ...only13 };
  const pair = new TlsPair({ client: { ...options, verify: undefined as never }, server: only13 });
  await pair.open();
  assert.equal(pair.client.failure?.reason, "certificate-unknown");
});

test("an application's extensions travel in ClientHello and EncryptedExtensions", async () => {
  const type = 0x1234;
  const pair = await shake({
    client: { ...only13, extensions: [{ type, data: utf8("ask"), required: true }] },
    server: { ...only13, extensions: [{ type, data: (offered) => concatAll([utf8("re:"), offered!]) }] },
  });
  await talks(pair);
  assert.deepEqual(pair.server.outcome?.extensions.get(type), utf8("ask"));
  assert.deepEqual(pair.client.outcome?.extensions.get(type), utf8("re:ask"));
});

test("an extension that the application requires and the server lacks is missing", async () => {
  const pair = await shake({
    client: { ...only13, extensions: [{ type: 0x1234, data: utf8("ask"), required: true }] },
    server: only13,
  });
  assert.equal(pair.client.failure?.reason, "missing-extension");
});

test("a delegated key signs in the certificate's place, for clients that take such credentials and for no others", async () => {
  const { delegationUsage, makeDelegatedCredential } = await import("../../../../src/protocols/tls/delegated.js");
  const key = (seed: string, kind: "P-256" | "Ed25519") =>
    provider.privateKey(makePrivateKey(kind, seededEntropy(seed)).expose())!;
  const [owner, delegate] = [key("owner", "P-256"), key("delegate", "Ed25519")];
  const day = 86_400_000;
  const { raw } = makeCertificate({
    provider,
    entropy: seededEntropy("delegating"),
    key: owner,
    san: ["server.test"],
    notBefore: startOfTime - day,
    notAfter: startOfTime + 90 * day,
    extensions: [{ oid: delegationUsage, critical: false, value: Uint8Array.of(5, 0) }],
  });
  const identityWith = async (role: "client" | "server"): Promise<TlsIdentity> => ({
    certificates: [raw],
    publicKey: owner.publicKey,
    sign: (algorithm, message) => owner.sign(algorithm, message),
    delegatedCredential: {
      scheme: "ed25519",
      sign: ({ algorithm, message }) => delegate.sign(algorithm, message),
      credential: await makeDelegatedCredential({
        certificate: raw,
        sign: (algorithm, message) => owner.sign(algorithm, message),
        algorithm: "ecdsa_secp256r1_sha256",
        role,
        publicKey: delegate.publicKey,
        scheme: "ed25519",
        notAfter: startOfTime + day,
      }),
    },
  });
  const server = { ...only13, identity: await identityWith("server") };
  const taking = { ...only13, delegatedCredentials: ["ed25519"] } as const;
  const delegated = await shake({ client: taking, server });
  await talks(delegated);
  assert.equal(delegated.client.outcome?.peerScheme, "ed25519");
  const plain = await shake({ client: only13, server });
  await talks(plain);
  assert.equal(plain.client.outcome?.peerScheme, "ecdsa_secp256r1_sha256");
  const late = await shake({ client: taking, server, now: startOfTime + 2 * day });
  assert.equal(late.client.failure?.reason, "bad-delegated-credential");
  const mutual = await shake({
    client: { ...only13, identity: await identityWith("client") },
    server: { ...server, clientAuthentication: "require", delegatedCredentials: ["ed25519"] },
  });
  await talks(mutual);
  assert.equal(mutual.server.outcome?.peerScheme, "ed25519");
});

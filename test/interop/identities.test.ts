import assert from "node:assert/strict";
import { type SchemeName, schemes } from "../../src/protocols/tls/index.js";
import { everyone, type Row, tabulate, versions } from "./conversation.js";
import { type IdentityName, ocspResponse } from "./peers/index.js";

/** Which key makes a scheme's signatures. */
const signer: Partial<Record<SchemeName, IdentityName>> = {
  ecdsa_secp256r1_sha256: "p256",
  ecdsa_secp384r1_sha384: "p384",
  ecdsa_secp521r1_sha512: "p521",
  ed25519: "ed25519",
  ed448: "ed448",
  rsa_pss_rsae_sha256: "rsa",
  rsa_pss_rsae_sha384: "rsa",
  rsa_pss_rsae_sha512: "rsa",
  rsa_pss_pss_sha256: "rsa-pss",
  rsa_pss_pss_sha384: "rsa-pss",
  rsa_pss_pss_sha512: "rsa-pss",
  rsa_pkcs1_sha256: "rsa",
  rsa_pkcs1_sha384: "rsa",
  rsa_pkcs1_sha512: "rsa",
};

const rows = (version: "1.3" | "1.2"): Row[] =>
  schemes.flatMap((scheme): Row[] => {
    const identity = signer[scheme.name];
    if (identity === undefined || (version === "1.3" && !scheme.in13)) return [];
    // The authority's signatures are ECDSA with P-256 and SHA-256 whatever the key that they certify.
    const wanted: SchemeName[] =
      scheme.name === "ecdsa_secp256r1_sha256" ? [scheme.name] : [scheme.name, "ecdsa_secp256r1_sha256"];
    return [
      {
        what: `${scheme.name} in TLS ${version}`,
        both: { version, schemes: wanted },
        server: { identity },
        with: ["OpenSSL 3.0", "GnuTLS 3.7"],
        check: ({ peerScheme }, seat) => seat === "client" && assert.equal(peerScheme, scheme.name),
      },
    ];
  });

for (const version of versions) tabulate(`every signature scheme of TLS ${version}`, rows(version));

for (const version of versions) {
  tabulate(`who is who in TLS ${version}`, [
    ...(["p256", "rsa", "ed25519"] as const).map(
      (identity): Row => ({
        what: `the client proves that it holds ${identity}`,
        both: { version },
        client: { identity },
        server: { askClient: "required" },
        with: everyone,
        check: ({ peer }, seat) => seat === "server" && assert.equal(peer?.kind, "certificate"),
      }),
    ),
    {
      what: "a client without a certificate is let in where it is asked and need not",
      both: { version },
      server: { askClient: "optional" },
      with: everyone,
      check: ({ peer }, seat) => seat === "server" && assert.equal(peer, undefined),
    },
    {
      what: "a chain with an intermediate",
      both: { version },
      server: { identity: "chained" },
      with: everyone,
    },
    {
      what: "one of two identities is chosen by what the other side can check",
      both: { version },
      server: { identity: "ed25519", alternative: "rsa" },
      client: { schemes: ["rsa_pss_rsae_sha256", "ecdsa_secp256r1_sha256"] },
      with: ["OpenSSL 3.0", "OpenSSL 3.5", "GnuTLS 3.7"],
      check: ({ peerScheme }, seat) => seat === "client" && assert.equal(peerScheme, "rsa_pss_rsae_sha256"),
    },
    {
      what: "a stapled OCSP answer",
      both: { version },
      server: { staple: ocspResponse("p256") },
      client: { staple: true },
      with: ["OpenSSL 3.0", "OpenSSL 3.5", "node:tls"],
      check: ({ ocspResponse }, seat) => seat === "client" && assert.ok((ocspResponse?.length ?? 0) > 100),
      seen: { client: /OCSP Response Status: successful|^STAPLE 30/m },
    },
    {
      what: "raw public keys on both sides (RFC 7250)",
      both: { version, rawPublicKey: true },
      server: { identity: "p256", askClient: "optional" },
      client: { identity: "client" },
      with: version === "1.3" ? ["OpenSSL 3.5", "GnuTLS 3.7", "GnuTLS 3.8"] : ["OpenSSL 3.5", "GnuTLS 3.8"],
      check: ({ peer }) => assert.equal(peer?.kind, "raw-public-key"),
    },
  ]);
}

tabulate("compressed certificates (RFC 8879)", [
  ...(["zlib"] as const).map(
    (compression): Row => ({
      what: compression,
      both: { version: "1.3", compression },
      with: ["OpenSSL 3.5", "GnuTLS 3.7", "GnuTLS 3.8"],
    }),
  ),
  { what: "brotli", both: { version: "1.3", compression: "brotli" }, with: ["GnuTLS 3.7", "GnuTLS 3.8"] },
]);

import assert from "node:assert/strict";
import { everyone, type Row, tabulate, versions } from "./conversation.js";

const psk = { identity: "harbour", key: new Uint8Array(32).fill(7) };

for (const version of versions) {
  tabulate(`extensions in TLS ${version}`, [
    {
      what: "ALPN",
      both: { version },
      client: { alpn: ["h3-nobody", "http/1.1", "h2"] },
      server: { alpn: ["http/1.1"] },
      with: everyone,
      agreed: { alpn: "http/1.1" },
    },
    {
      what: "no ALPN when one side does not speak of it",
      both: { version },
      client: { alpn: ["h2"] },
      with: everyone,
      agreed: { alpn: undefined },
    },
    {
      what: "SNI",
      both: { version },
      client: { serverName: "p256.sealport.test" },
      with: everyone,
      seats: ["server"],
      agreed: { serverName: "p256.sealport.test" },
    },
    ...([512, 1024, 2048, 4096] as const).map(
      (maxFragmentLength): Row => ({
        what: `max_fragment_length ${maxFragmentLength}`,
        both: { version },
        client: { maxFragmentLength },
        with: ["OpenSSL 3.0", "OpenSSL 3.5"],
      }),
    ),
    {
      what: "record_size_limit",
      both: { version },
      server: { recordSizeLimit: 900 },
      client: { recordSizeLimit: 1000 },
      with: ["GnuTLS 3.7", "GnuTLS 3.8"],
    },
  ]);
}

tabulate("external pre-shared keys", [
  {
    what: "TLS 1.3 with key exchange",
    both: { version: "1.3", psk, suites: ["TLS_AES_128_GCM_SHA256"] },
    with: everyone.filter((name) => name !== "node:tls"),
    agreed: { mode: "psk" },
    check: ({ group, peer }) => {
      assert.ok(group);
      assert.equal(peer?.kind, "pre-shared-key");
    },
  },
  {
    what: "a client with a key that the server does not ask for goes on with certificates",
    both: { version: "1.3" },
    client: { psk },
    with: ["OpenSSL 3.0", "GnuTLS 3.7"],
    seats: ["client"],
    agreed: { mode: "full" },
  },
]);

tabulate("habits of OpenSSL in TLS 1.3", [
  {
    what: "it pads its records",
    both: { version: "1.3", args: ["-record_padding", "512"] },
    with: ["OpenSSL 3.0", "OpenSSL 3.5"],
  },
  {
    what: "it cuts its records at 512 bytes",
    both: { version: "1.3", args: ["-max_send_frag", "512"] },
    with: ["OpenSSL 3.0", "OpenSSL 3.5"],
  },
  {
    what: "it does without the compatibility mode for middleboxes",
    both: { version: "1.3", args: ["-no_middlebox"] },
    with: ["OpenSSL 3.0", "OpenSSL 3.5"],
  },
  {
    what: "we pad our records, and do without that mode",
    both: { version: "1.3" },
    extras: {
      client: { padding: (size) => Math.ceil(size / 256) * 256, middleboxCompatibility: false, helloPadding: 512 },
      server: { padding: (size) => Math.ceil(size / 256) * 256 },
    },
    with: everyone,
  },
  {
    what: "a pre-shared key without a key exchange, where both allow it",
    both: {
      version: "1.3",
      psk,
      suites: ["TLS_AES_128_GCM_SHA256"],
      args: ["-allow_no_dhe_kex", "-prefer_no_dhe_kex"],
    },
    extras: { client: { pskModes: ["psk_ke"] }, server: { pskModes: ["psk_ke"] } },
    with: ["OpenSSL 3.5"],
    agreed: { mode: "psk", group: undefined },
  },
]);

const both = versions.includes("1.2");

tabulate("versions", [
  { what: "1.3 is agreed on when both have both", with: everyone, agreed: { version: "1.3" } },
  {
    what: "1.2 is agreed on with a server that stops there",
    server: { version: "1.2" },
    with: both ? everyone : [],
    agreed: { version: "1.2" },
  },
  {
    what: "1.2 is agreed on with a client that stops there",
    client: { version: "1.2" },
    with: both ? everyone : [],
    agreed: { version: "1.2" },
  },
]);

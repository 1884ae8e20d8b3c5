import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  ocspResponse,
  type StrangerName,
  type StrangerServer,
  scratch,
  strangers,
  type TlsSetup,
} from "./peers/index.js";
import { Relay } from "./relay.js";

// What each setup of the harness makes a stranger do is tried between strangers before our own end relies on it.

const psk = { identity: "harbour", key: new Uint8Array(32).fill(7) };

interface Row {
  readonly what: string;
  readonly server: readonly [StrangerName, TlsSetup];
  readonly client: readonly [StrangerName, TlsSetup];
  /** What must be read in either side's output. */
  readonly seen?: { readonly server?: RegExp; readonly client?: RegExp };
}

const rows: readonly Row[] = [
  {
    what: "an external PSK",
    server: ["OpenSSL 3.0", { version: "1.3", psk, mode: "lines" }],
    client: ["GnuTLS 3.8", { psk, suites: ["TLS_AES_128_GCM_SHA256"] }],
    seen: { client: /\(PSK\)|ECDHE-PSK|DHE-PSK|PSK/ },
  },
  {
    what: "an external PSK the other way",
    server: ["GnuTLS 3.7", { version: "1.3", psk }],
    client: ["OpenSSL 3.5", { psk }],
    seen: { client: /Reused, TLSv1\.3/ },
  },
  {
    what: "HelloRetryRequest",
    server: ["OpenSSL 3.0", { groups: ["secp384r1"] }],
    client: ["OpenSSL 3.5", { groups: ["x25519", "secp384r1"], args: ["-msg"] }],
    seen: {
      client:
        /<<< TLS 1\.3, Handshake \[length [0-9a-f]+\], ServerHello[\s\S]*>>> TLS 1\.3, Handshake \[length [0-9a-f]+\], ClientHello[\s\S]*ServerHello/,
    },
  },
  {
    what: "X25519MLKEM768",
    server: ["OpenSSL 3.5", { groups: ["X25519MLKEM768"] }],
    client: ["OpenSSL 3.5", { groups: ["X25519MLKEM768"] }],
    seen: { client: /Negotiated TLS1\.3 group: X25519MLKEM768/ },
  },
  {
    what: "a required client certificate",
    server: ["GnuTLS 3.8", { askClient: "required" }],
    client: ["OpenSSL 3.0", { identity: "client" }],
    seen: { server: /client\.sealport\.test/ },
  },
  {
    what: "ALPN",
    server: ["node:tls", { alpn: ["h2", "http/1.1"] }],
    client: ["GnuTLS 3.7", { alpn: ["http/1.1"] }],
    seen: { server: /alpn=http\/1\.1/, client: /Application protocol: http\/1\.1/ },
  },
  {
    what: "raw public keys",
    server: ["GnuTLS 3.8", { rawPublicKey: true, identity: "ed25519" }],
    client: ["OpenSSL 3.5", { rawPublicKey: true }],
    seen: { client: /Server raw public key|Verify return code: 0/ },
  },
  {
    what: "a compressed certificate",
    server: ["OpenSSL 3.5", { version: "1.3", compression: "zlib" }],
    client: ["GnuTLS 3.8", { compression: "zlib" }],
    seen: {},
  },
  {
    what: "a stapled OCSP answer",
    server: ["OpenSSL 3.0", { staple: ocspResponse("p256") }],
    client: ["node:tls", { staple: true }],
    seen: { client: /^STAPLE 30/m },
  },
  {
    what: "max_fragment_length",
    server: ["OpenSSL 3.0", {}],
    client: ["OpenSSL 3.5", { maxFragmentLength: 512 }],
  },
  {
    what: "record_size_limit",
    server: ["GnuTLS 3.8", { recordSizeLimit: 600 }],
    client: ["GnuTLS 3.7", { recordSizeLimit: 700 }],
  },
  ...(["p256", "p384", "p521", "rsa", "rsa-pss", "ed25519", "ed448", "chained"] as const).map(
    (identity): Row => ({
      what: `the identity ${identity}`,
      server: ["OpenSSL 3.0", { identity }],
      client: ["GnuTLS 3.7", {}],
      seen: { client: /certificate is trusted/ },
    }),
  ),
  ...(
    [
      "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
      "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
      "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8",
    ] as const
  ).map(
    (suite): Row => ({
      what: suite,
      server: ["OpenSSL 3.0", { version: "1.2", suites: [suite] }],
      client: ["GnuTLS 3.7", { version: "1.2", suites: [suite] }],
    }),
  ),
];

describe("what the harness can ask of strangers", { concurrency: 2 }, () => {
  for (const { what, server: serverSide, client: clientSide, seen } of rows) {
    test(`${what}: ${clientSide[0]} to ${serverSide[0]}`, async () => {
      await using server = await strangers[serverSide[0]].serve(serverSide[1]);
      await using client = strangers[clientSide[0]].connect(server.port, clientSide[1]);
      await client.say("over the water");
      await server.hears("over the water");
      if (seen?.server) await server.program.says(seen.server);
      if (seen?.client) await client.program.says(seen.client);
    });
  }
});

const heard = (server: StrangerServer, text: string) => server.hears(text);

describe("sessions between strangers", { concurrency: 2 }, () => {
  for (const name of ["OpenSSL 3.0", "OpenSSL 3.5", "node:tls"] as const) {
    test(`${name} resumes a saved session`, async () => {
      const session = join(scratch(), "session");
      await using server = await strangers["OpenSSL 3.0"].serve({ version: "1.3" });
      {
        await using first = strangers[name].connect(server.port, { saveSession: session });
        await first.say("first");
        await heard(server, "first");
        await server.say("tickets came before this");
        await first.hears("tickets came before this");
        await first.close();
        await first.program.ends();
      }
      assert.ok(statSync(session).size > 0);
      await using second = strangers[name].connect(server.port, { useSession: session });
      await second.program.says(/^Reused, TLSv1\.3|reused=true/m);
    });
  }

  test("early data reach a server and are said to be accepted", async () => {
    const folder = scratch();
    const session = join(folder, "session");
    writeFileSync(join(folder, "early"), "early bird\n");
    await using server = await strangers["OpenSSL 3.5"].serve({ version: "1.3", earlyDataMax: 4096 });
    {
      await using first = strangers["OpenSSL 3.0"].connect(server.port, { saveSession: session });
      await first.say("first");
      await heard(server, "first");
      await server.say("tickets came before this");
      await first.hears("tickets came before this");
      await first.close();
      await first.program.ends();
    }
    await using second = strangers["OpenSSL 3.0"].connect(server.port, {
      useSession: session,
      earlyDataFile: join(folder, "early"),
    });
    await second.program.says("Early data was accepted");
    await heard(server, "early bird");
  });

  test("GnuTLS sends early data, which OpenSSL accepts", async () => {
    const early = join(scratch(), "early");
    writeFileSync(early, "early bird\n");
    await using server = await strangers["OpenSSL 3.0"].serve({ version: "1.3", earlyDataMax: 4096 });
    await using client = strangers["GnuTLS 3.7"].connect(server.port, { version: "1.3", earlyDataFile: early });
    await client.program.says(/This is a resumed session/);
    await server.hears("early bird");
  });

  for (const [clientName, requestPeer] of [
    ["OpenSSL 3.0", true],
    ["OpenSSL 3.5", false],
    ["GnuTLS 3.7", true],
    ["GnuTLS 3.8", false],
  ] as const) {
    test(`${clientName} updates its keys${requestPeer ? " and its peer's" : ""}`, async () => {
      await using server = await strangers["OpenSSL 3.5"].serve({ version: "1.3", args: ["-msg"] });
      await using client = strangers[clientName].connect(server.port, { version: "1.3" });
      await client.say("before");
      await heard(server, "before");
      await client.updateKeys(requestPeer);
      await server.program.says(/<<< TLS 1\.3, Handshake \[length 0005\], KeyUpdate/);
      await client.say("after");
      await heard(server, "after");
      await server.say("and back");
      if (requestPeer) await server.program.says(/>>> TLS 1\.3, Handshake \[length 0005\], KeyUpdate/);
      await client.hears("and back");
    });
  }
});

for (const version of ["1.3", "1.2"] as const) {
  test(`tshark reads a TLS ${version} conversation of strangers through the relay with their key log`, async () => {
    const keyLog = join(scratch(), "keys");
    await using server = await strangers["OpenSSL 3.0"].serve({ version });
    await using relay = await Relay.to(server.port);
    await using client = strangers["OpenSSL 3.5"].connect(relay.port, { version, keyLog });
    await client.say("nobody hears this");
    await server.hears("nobody hears this");
    const said = relay.decrypted(keyLog);
    assert.match(said, /nobody hears this/);
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { BulkSink, BulkSource } from "./bulk.js";
import { meet, versions } from "./conversation.js";
import type { OurEnd } from "./ours.js";
import type { Program, StrangerName, TlsSetup } from "./peers/index.js";

const whole = 100 << 20;
/** gnutls-cli moves about a megabyte a second, and hears its keyboard only when its peer is silent. */
const small = 2 << 20;
/** How often our end changes its keys on the way, and asks for the same. */
const renewals = 6;

// One after the other: each keeps both cores busy.
const cases: readonly (readonly [StrangerName, "client" | "server", "1.3" | "1.2", number])[] = [
  ["OpenSSL 3.0", "client", "1.3", whole],
  ["OpenSSL 3.0", "server", "1.3", whole],
  ["OpenSSL 3.5", "client", "1.3", whole],
  ["OpenSSL 3.5", "server", "1.2", whole],
  ["GnuTLS 3.7", "server", "1.3", small],
  ["node:tls", "client", "1.2", whole],
  ["node:tls", "server", "1.3", whole],
];

for (const [name, seat, version, size] of cases.filter(([, , version]) => versions.includes(version))) {
  const keys = version === "1.3" ? ", with new keys in both directions on the way" : "";
  test(`${size >> 20} MiB each way at once between our ${seat} and ${name} by TLS ${version}${keys}`, async () => {
    const both: TlsSetup = { version, mode: "data" };
    await meet(name, seat, { both }, async (ours, theirs) => {
      await ours.outcome();
      const theirSink = new BulkSink(size);
      const ourSink = new BulkSink(size);
      theirs.program.stream((bytes) => theirSink.take(bytes));
      ours.stream((bytes) => ourSink.take(bytes));
      const [sent, fed] = await Promise.all([push(ours, size, version === "1.3"), feed(theirs.program, size)]);
      assert.equal(await theirSink.digest, sent, `what ${name} received`);
      assert.equal(await ourSink.digest, fed, "what we received");
      if (version === "1.3") {
        assert.equal(ours.session.statistics.keyGenerationSent, renewals);
        assert.ok(ours.session.statistics.keyGenerationReceived >= 1);
      }
    });
  });
}

test("100 MiB through the echo of a GnuTLS server come back whole", async () => {
  await meet("GnuTLS 3.8", "client", { both: { version: "1.3", args: ["--quiet"] } }, async (ours) => {
    await ours.outcome();
    const back = new BulkSink(whole);
    ours.stream((bytes) => back.take(bytes));
    const sent = await push(ours, whole, true);
    assert.equal(await back.digest, sent);
  });
});

async function push(ours: OurEnd, size: number, renew: boolean): Promise<string> {
  const source = new BulkSource(size, "ours");
  let sent = 0;
  let renewed = 0;
  for (let piece = source.next(); piece; piece = source.next()) {
    if (renew && renewed < renewals && sent > ((renewed + 1) * size) / (renewals + 1)) {
      renewed++;
      await ours.updateKeys(true);
    }
    await ours.push(piece);
    sent += piece.length;
  }
  return source.digest();
}

async function feed(program: Program, size: number): Promise<string> {
  const source = new BulkSource(size, "theirs");
  for (let piece = source.next(); piece; piece = source.next()) await program.write(piece);
  return source.digest();
}

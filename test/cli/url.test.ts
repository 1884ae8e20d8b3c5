import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { UsageError } from "../../src/cli/exit.js";
import { nearest } from "../../src/cli/suggest.js";
import { schemes, target } from "../../src/cli/url.js";

test("a URL names protocols, peer, port and options", () => {
  assert.deepEqual(target("tls://Example.COM:8443?alpn=h2,http/1.1&groups=x25519"), {
    scheme: "tls",
    allowed: ["TLS"],
    host: "example.com",
    port: 8443,
    query: { alpn: ["h2", "http/1.1"], groups: ["x25519"] },
  });
});

test("addresses are hosts, IPv6 in brackets", () => {
  assert.equal(target("tls://127.0.0.1:1").host, "127.0.0.1");
  assert.equal(target("tls://[2001:DB8::1]:1").host, "2001:db8::1");
});

test("a port is written out, unless the scheme has one; 443 is kept", () => {
  assert.equal(target("https://example.com").port, 443);
  assert.equal(target("tls://example.com:443").port, 443);
  assert.equal(target("tls://[::1]:443/").port, 443);
  assert.throws(() => target("tls://example.com"), /no port/);
  assert.throws(() => target("tls://example.com:65536"), /not a URL/);
});

test("cleartext has a scheme of its own, and no scheme but that is without security", () => {
  assert.deepEqual(target("tcp://h:1").allowed, []);
  for (const [name, { allowed }] of Object.entries(schemes)) assert.equal(allowed.length === 0, name === "tcp", name);
});

test("what is not in the table is a usage error that says what was perhaps meant", () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["tsl://h:1", /tls/],
    ["tls://h:1?aplx=h2", /alpn/],
    ["tls://h:1?suite=x", /suites/],
    ["example.com:443", /SCHEME/],
    ["tls://user:secret@h:1", /secrets/],
    ["tls://user:secret@h:99999", /secrets/],
    ["tls://user:secret@h", /secrets/],
  ];
  for (const [text, hint] of wrong) {
    assert.throws(
      () => target(text),
      (error) => error instanceof UsageError && hint.test(error.hint ?? "") && !error.message.includes("secret@"),
      text,
    );
  }
  assert.throws(() => target("tls://h:1/path"), UsageError);
  assert.throws(() => target("tls://h:1#part"), UsageError);
  assert.throws(() => target("__proto__://h:1"), UsageError);
});

test("any text is a target or a usage error", () => {
  const texts = fc.oneof(
    fc.string(),
    fc.webUrl(),
    fc.tuple(fc.constantFrom(...Object.keys(schemes)), fc.string()).map(([scheme, rest]) => `${scheme}://${rest}`),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        assert.ok(target(text).port <= 65_535);
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error));
      }
    }),
    { seed: 8922, numRuns: 500 },
  );
});

test("a suggestion is near: one slip in a short word, two in a longer one, never another word", () => {
  assert.equal(nearest("servay", ["survey", "bench"]), "survey");
  assert.equal(nearest("surevy", ["survey", "bench"]), "survey");
  assert.equal(nearest("completely", ["survey", "bench"]), undefined);
});

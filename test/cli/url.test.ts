import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { exitFor, UsageError } from "../../src/cli/exit.js";
import { nearest } from "../../src/cli/suggest.js";
import { target } from "../../src/cli/url.js";
import { Failure } from "../../src/contract/index.js";
import { urlSchemes } from "../../src/taps/index.js";

test("a URL names a scheme, a peer, a port and options", () => {
  const { url, scheme, host, port, query } = target("tls://Example.COM:8443?alpn=h2,http/1.1&groups=x25519");
  assert.deepEqual([url, scheme, host, port], ["tls://Example.COM:8443", "tls", "Example.COM", 8443]);
  assert.deepEqual(query, { alpn: ["h2", "http/1.1"], groups: ["x25519"] });
});

test("IPv6 addresses stand in brackets", () => {
  assert.equal(target("tls://127.0.0.1:1").host, "127.0.0.1");
  assert.equal(target("tls://[2001:db8::1]:1").host, "2001:db8::1");
});

test("what is in no table is a usage error that says what was perhaps meant, and no secret is repeated", () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["tsl://h:1", /tls/],
    ["tls://h:1?aplx=h2", /alpn/],
    ["tls://h:1?suite=x", /suites/],
    ["example.com:443", /SCHEME/],
    ["tls://user:secret@h:1", /secrets/],
    ["tls://user:secret@h", /secrets/],
  ];
  for (const [text, hint] of wrong) {
    assert.throws(
      () => target(text),
      (error) => {
        assert.ok(error instanceof UsageError || error instanceof Failure);
        assert.equal(exitFor(error), "usage");
        return hint.test(error.hint ?? "") && !error.message.includes("secret@");
      },
      text,
    );
  }
  for (const text of ["tls://h:1/path", "tls://h:1#part", "__proto__://h:1", "tls://h:70000", "tcp://h:1?alpn=h2"]) {
    assert.throws(
      () => target(text),
      (error) => exitFor(error) === "usage",
      text,
    );
  }
});

test("any text is a target or a usage error", () => {
  const texts = fc.oneof(
    fc.string(),
    fc.webUrl(),
    fc.tuple(fc.constantFrom(...Object.keys(urlSchemes)), fc.string()).map(([scheme, rest]) => `${scheme}://${rest}`),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        assert.ok((target(text).port ?? 0) <= 65_535);
      } catch (error) {
        assert.equal(exitFor(error), "usage", String(error));
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

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { dial, serve } from "../../../src/index.js";
import { readUrl, TapsFailure } from "../../../src/taps/index.js";

test("dial and serve speak TCP and UDP on this host, by URL alone", async () => {
  for (const scheme of ["tcp", "udp"]) {
    const stop = new AbortController();
    const server = await serve(
      `${scheme}://127.0.0.1:0`,
      async (connection, signal) => {
        signal.addEventListener("abort", () => connection.abort());
        for await (const { data, final } of connection) {
          if (data.length > 0) await connection.send(data);
          if (final) return;
        }
      },
      { signal: stop.signal },
    );
    await using connection = await dial(`${scheme}://127.0.0.1:${server.port}`, { timeout: 5_000 });
    await connection.send(Uint8Array.of(1, 2, 3));
    assert.deepEqual((await connection.receive()).data, Uint8Array.of(1, 2, 3));
    await connection.close();
    stop.abort();
    await server.done;
  }
});

test("a URL that is not in the scheme table is refused with a suggestion", () => {
  assert.throws(
    () => readUrl("tlss://example.com:1"),
    (error: unknown) => error instanceof TapsFailure && error.hint === "did you mean tls?",
  );
  for (const wrong of ["", "tls:", "tls://", "tls://a:1/path", "tls://u@a:1", "tls://a:b", "constructor://a:1"]) {
    assert.throws(() => readUrl(wrong), TapsFailure, wrong);
  }
  const { host, port } = readUrl("tls://[::1]:8443");
  assert.deepEqual([host, port], ["::1", 8443]);
});

test("no text makes the URL reader throw anything but invalid-configuration (seed 3986)", () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."tlscpud:/[]@?#.0123456789*a") }));
  fc.assert(
    fc.property(text, (each) => {
      try {
        assert.ok(readUrl(`tls://${each}`).host.length > 0);
      } catch (error) {
        assert.ok(error instanceof TapsFailure && error.reason === "invalid-configuration");
      }
    }),
    { seed: 3986, numRuns: 3_000 },
  );
});

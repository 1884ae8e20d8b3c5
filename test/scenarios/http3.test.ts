import assert from "node:assert/strict";
import {
  connectHttp3,
  type Http3Client,
  type Http3Handler,
  type Http3ListenOptions,
  type Http3Server,
  http3Errors,
  listenHttp3,
} from "../../src/adapters/http3/index.js";
import { Failure } from "../../src/contract/index.js";
import type { LinkOptions, World } from "../../src/hosts/simulator/index.js";
import { MemorySessionStore } from "../../src/protocols/tls/index.js";
import { pattern } from "../laws/port.js";
import { scenario } from "../support/scenario.js";
import { identityFor, startOfTime, trusting } from "../support/tls-pair.js";

/** HTTP/3 on our QUIC in virtual time. */

const server = { address: "198.51.100.1", port: 443 };
const quic = { verify: trusting };

async function served(
  world: World,
  link: LinkOptions,
  handler: Http3Handler,
  options: Partial<Http3ListenOptions> = {},
): Promise<{ readonly listening: Http3Server; open(sessions?: MemorySessionStore): Promise<Http3Client> }> {
  const near = world.host("client", { addresses: ["192.0.2.1"] });
  const far = world.host("server", { addresses: [server.address] });
  world.link(near, far, link);
  const listening = await listenHttp3(
    { host: far, ...server, identity: identityFor("Ed25519"), quic, ...options },
    handler,
  );
  return {
    listening,
    open: (sessions) =>
      connectHttp3(`https://${server.address}`, { host: near, quic, ...(sessions !== undefined && { sessions }) }),
  };
}

scenario(
  "requests and answers arrive whole over a link that loses, repeats and overtakes",
  3,
  async (world, seed) => {
    const bad = {
      delayMs: 15,
      loss: { in: 1, of: 40 },
      duplication: { in: 1, of: 50 },
      reordering: { in: 1, of: 20 },
      corruption: { in: 1, of: 100 },
    };
    const { listening, open } = await served(world, bad, async ({ path, body }) => ({
      headers: { "x-path": path },
      body: path === "/echo" ? body : pattern(100_000, seed),
      trailers: { "x-end": "yes" },
    }));
    await world.finish(
      (async () => {
        const client = await open();
        const sent = pattern(80_000, seed + 1);
        // All are read at once: one that is not read would hold bytes of the connection's window.
        await Promise.all([
          (async () => {
            const echo = await client.request({ path: "/echo", body: sent });
            assert.deepEqual(await echo.bytes(), sent);
          })(),
          ...Array.from({ length: 5 }, async (_, i) => {
            const page = await client.request({ path: `/${i}` });
            assert.equal(page.headers.get("x-path"), `/${i}`);
            assert.deepEqual(await page.bytes(), pattern(100_000, seed));
            assert.equal((await page.trailers)?.get("x-end"), "yes");
          }),
        ]);
        await client.close();
      })(),
    );
    await world.finish(listening.close());
  },
  { start: startOfTime },
);

scenario(
  "a resumed client's GET is answered within one round trip as 0-RTT, its POST waits for the handshake",
  2,
  async (world) => {
    const seen: string[] = [];
    const { listening, open } = await served(
      world,
      { delayMs: 50 },
      ({ method, early }) => {
        seen.push(`${method} ${early}`);
        return { body: "answer" };
      },
      { earlyData: true },
    );
    const sessions = new MemorySessionStore();
    await world.finish(
      (async () => {
        const first = await open(sessions);
        await (await first.request()).text();
        await first.close();
        const second = await open(sessions);
        const started = world.elapsed;
        const [got, posted] = await Promise.all([second.request(), second.request({ body: "x" })]);
        assert.equal(await got!.text(), "answer");
        assert.ok(world.elapsed - started < 250, `${world.elapsed - started} ms`);
        await posted!.text();
        assert.equal((await second.session.confirmed).earlyData, "accepted");
        await second.close();
      })(),
    );
    assert.deepEqual(seen, ["GET false", "GET true", "POST false"]);
    await world.finish(listening.close());
  },
  { start: startOfTime },
);

scenario(
  "GOAWAY: what the server has taken is finished, what comes later is told so, and both ends close",
  3,
  async (world) => {
    let go!: () => void;
    const gate = new Promise<void>((open) => {
      go = open;
    });
    const { listening, open } = await served(world, { delayMs: 20 }, async () => {
      await gate;
      return { body: "late" };
    });
    const client = await world.finish(open());
    const first = client.request();
    await world.run(100);
    const closing = listening.close();
    await world.run(100);
    await assert.rejects(
      client.request(),
      (error: unknown) => error instanceof Failure && error.reason === "going-away",
    );
    go();
    await world.finish((async () => assert.equal(await (await first).text(), "late"))());
    await world.finish(Promise.all([closing, client.done]));
    assert.equal(client.failure, undefined);
  },
  { start: startOfTime },
);

scenario(
  "a download that is not read is held back by the stream's window; given up, the server hears of it",
  2,
  async (world) => {
    let sent = 0;
    let ended: unknown;
    const { listening, open } = await served(world, { delayMs: 5 }, ({ signal }) => {
      signal.addEventListener("abort", () => {
        ended = signal.reason;
      });
      return {
        body: (async function* () {
          for (;;) {
            sent += 65_536;
            yield new Uint8Array(65_536);
          }
        })(),
      };
    });
    const client = await world.finish(open());
    const abort = new AbortController();
    const response = await world.finish(client.request({ signal: abort.signal }));
    await world.run(3_000);
    const held = sent;
    assert.ok(held < 8_000_000, `${held} bytes were made`);
    await world.run(3_000);
    assert.equal(sent, held);
    abort.abort(new Error("enough"));
    await assert.rejects(response.bytes(), /enough/);
    await world.run(1_000);
    assert.ok(ended instanceof Failure && ended.code === http3Errors.H3_REQUEST_CANCELLED, String(ended));
    assert.equal(sent, held);
    await world.finish(client.close());
    await world.finish(listening.close());
  },
  { start: startOfTime },
);

scenario(
  "an end that breaks HTTP/3 is told why by CONNECTION_CLOSE",
  2,
  async (world) => {
    const { listening, open } = await served(world, { delayMs: 5 }, () => ({ body: "x" }));
    const client = await world.finish(open());
    // A second control stream (RFC 9114 §6.2.1).
    const silent = { bytes: () => {}, ended: () => {}, drained: () => {}, closed: () => {} };
    client.session.openStream(silent, { direction: "unidirectional" }).write(Uint8Array.of(0));
    const failure = await world.finish(client.done);
    assert.equal(failure?.code, http3Errors.H3_STREAM_CREATION_ERROR);
    assert.equal(failure?.at, "H3_STREAM_CREATION_ERROR");
    await world.finish(listening.close());
  },
  { start: startOfTime },
);

import assert from "node:assert/strict";
import { test } from "node:test";
import { hqGet, hqServer, http3Errors } from "../../../../src/adapters/http3/index.js";
import { Failure } from "../../../../src/contract/index.js";
import { echoHandler, http3Pair } from "../../../support/http3.js";
import { sessionPair } from "../../../support/stream-pair.js";

const isFailure =
  (reason: string, code?: keyof typeof http3Errors) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof Failure, String(error));
    assert.equal(error.reason, reason);
    if (code !== undefined) assert.equal(error.code, http3Errors[code]);
    return true;
  };

const turns = async (count = 50): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise<void>((go) => setImmediate(go));
};

test("GET: control data, fields and content arrive as they were sent", async () => {
  const { client } = http3Pair((request) => {
    assert.equal(request.method, "GET");
    assert.equal(request.url.href, "https://server.test/a%20b?c=d");
    assert.equal(request.headers.get("x-one"), "1");
    assert.equal(request.headers.get("cookie"), "a=1; b=2");
    assert.equal(request.early, false);
    return {
      status: 203,
      headers: [
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
      ],
      body: "grüße",
    };
  });
  const response = await client.request({ path: "/a%20b?c=d", headers: { "X-One": "1", cookie: "a=1; b=2" } });
  assert.equal(response.status, 203);
  assert.ok(response.ok);
  assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
  assert.equal(response.headers.get("content-length"), "7");
  assert.equal(await response.text(), "grüße");
  assert.equal(await response.trailers, undefined);
});

test("POST: a body of each kind comes back, in pieces of any size", async () => {
  for (const pieceMax of [1, 2, 7, 100_000]) {
    const { client } = http3Pair(echoHandler, { pieceMax });
    const text = "0123456789".repeat(pieceMax < 10 ? 20 : 20_000);
    const pieces = async function* () {
      yield new TextEncoder().encode(text.slice(0, 5));
      yield new Uint8Array();
      yield new TextEncoder().encode(text.slice(5));
    };
    for (const body of [text, new TextEncoder().encode(text), pieces(), new Response(text).body!]) {
      const response = await client.request({ body, headers: { "content-type": "text/plain" } });
      assert.equal(response.headers.get("x-method"), "POST");
      assert.equal(response.headers.get("content-type"), "text/plain");
      assert.equal(await response.text(), text);
    }
    assert.equal(client.open, 0);
  }
});

test("fetch: the platform's Response on both sides", async () => {
  const { client } = http3Pair(async ({ url, body }) => Response.json({ path: url.pathname, body: await body.text() }));
  const response = await client.fetch("/json", { method: "PUT", body: "{}" });
  assert.ok(response instanceof Response);
  assert.deepEqual(await response.json(), { path: "/json", body: "{}" });
  const empty = http3Pair(() => new Response(null, { status: 304 })).client;
  assert.equal((await empty.fetch("https://other.test/")).body, null);
});

test("HEAD, 204 and 304 have no content, whatever their length says", async () => {
  const { client } = http3Pair(({ path }) =>
    path === "/head" ? { headers: { "content-length": "1000" }, body: "x" } : { status: Number(path.slice(1)) },
  );
  const head = await client.request({ method: "HEAD", path: "/head" });
  assert.equal(head.headers.get("content-length"), "1000");
  assert.equal(await head.text(), "");
  for (const status of [204, 304]) {
    const response = await client.request({ path: `/${status}` });
    assert.equal(response.status, status);
    assert.equal(response.headers.get("content-length"), null);
    assert.equal(await response.text(), "");
  }
});

test("what HEAD and 304 do not send is told that it is not wanted; an interim response comes too late behind the answer", async () => {
  const cancelled: string[] = [];
  const late: unknown[] = [];
  const { client } = http3Pair(({ path, method, interim }) => {
    if (path === "/late") {
      return {
        body: (async function* () {
          yield new Uint8Array(1);
          try {
            interim(103);
          } catch (error) {
            late.push(error);
          }
        })(),
      };
    }
    return {
      status: path === "/304" ? 304 : 200,
      body: new ReadableStream({ cancel: () => void cancelled.push(method) }),
    };
  });
  await (await client.request({ method: "HEAD" })).text();
  await (await client.request({ path: "/304" })).text();
  assert.deepEqual(cancelled, ["HEAD", "GET"]);
  assert.equal((await (await client.request({ path: "/late" })).bytes()).length, 1);
  assert.ok(isFailure("misuse")(late[0]));
});

test("trailers and interim responses go both ways", async () => {
  const { client } = http3Pair(async (request) => {
    request.interim(103, { link: "</style.css>" });
    assert.equal(await request.body.text(), "content");
    assert.equal((await request.body.trailers)?.get("x-sum"), "7");
    return { body: "answer", trailers: () => ({ "x-done": "yes" }) };
  });
  const heard: string[] = [];
  const response = await client.request({
    body: "content",
    trailers: { "x-sum": "7" },
    interim: (status, headers) => heard.push(`${status} ${headers.get("link")}`),
  });
  assert.equal(await response.text(), "answer");
  assert.equal((await response.trailers)?.get("x-done"), "yes");
  assert.deepEqual(heard, ["103 </style.css>"]);
});

test("a hundred requests at once share the connection", async () => {
  const { client } = http3Pair(({ path }) => ({ body: path }));
  const answers = await Promise.all(
    Array.from({ length: 100 }, async (_, i) => (await client.request({ path: `/${i}` })).text()),
  );
  assert.deepEqual(
    answers,
    Array.from({ length: 100 }, (_, i) => `/${i}`),
  );
});

test("backpressure: an unread body holds the sender back, and an unread request its client", async () => {
  let sent = 0;
  const endless = async function* () {
    for (;;) {
      sent += 16_384;
      yield new Uint8Array(16_384);
    }
  };
  const { client, sessions } = http3Pair(() => ({ body: endless() }));
  const response = await client.request();
  await turns();
  const held = sent;
  assert.ok(held > 0 && held < 500_000, `${held} bytes were taken from the source`);
  await turns();
  assert.equal(sent, held);
  // Reading some lets as much follow.
  const reader = response.body.stream().getReader();
  for (let i = 0; i < 20; i++) await reader.read();
  await turns();
  assert.ok(sent > held);
  await reader.cancel();
  await turns();
  assert.equal(sessions.client.streams.get(0)!.stoppedWith, http3Errors.H3_REQUEST_CANCELLED);
  assert.equal(client.open, 0);
});

test("a body is read once; one that is too large or no JSON says so", async () => {
  const { client } = http3Pair(() => ({ body: "x".repeat(100) }));
  const once = await client.request();
  await once.text();
  await assert.rejects(once.text(), isFailure("misuse"));
  await assert.rejects((await client.request()).bytes(99), isFailure("body-too-large"));
  await assert.rejects((await client.request()).json(), SyntaxError);
});

test("the client gives a request up: before the answer, and within it", async () => {
  const signals: AbortSignal[] = [];
  const { client, sessions } = http3Pair(async ({ path, signal }) => {
    signals.push(signal);
    if (path === "/never") await new Promise(() => {});
    return { body: new ReadableStream<Uint8Array>({ pull: (c) => void c.enqueue(new Uint8Array(10)) }) };
  });
  const before = new AbortController();
  const never = client.request({ path: "/never", signal: before.signal });
  await turns();
  before.abort(new Error("enough"));
  await assert.rejects(never, /enough/);
  await turns();
  assert.equal(sessions.client.streams.get(0)!.stoppedWith, http3Errors.H3_REQUEST_CANCELLED);
  const within = new AbortController();
  const response = await client.request({ signal: within.signal, path: "/stream" });
  within.abort(new Error("enough of it"));
  await assert.rejects(response.text(), /enough of it/);
  await turns();
  assert.equal(client.open, 0);
  await assert.rejects(client.request({ signal: AbortSignal.abort(new Error("too late")) }), /too late/);
  assert.equal(signals.length, 2);
});

test("a handler that throws is a 500, one that fails within its body a reset", async () => {
  const heard: unknown[] = [];
  const { client, sessions } = http3Pair(
    ({ path }) => {
      if (path === "/throw") throw new Error("no");
      return {
        body: (async function* () {
          yield new Uint8Array(3);
          throw new Error("half way");
        })(),
      };
    },
    { server: { onError: (error) => heard.push(error) } },
  );
  assert.equal((await client.request({ path: "/throw" })).status, 500);
  const broken = await client.request({ path: "/break" });
  await assert.rejects(broken.bytes(), isFailure("stream-reset", "H3_INTERNAL_ERROR"));
  assert.deepEqual(
    heard.map((error) => (error as Error).message),
    ["no", "half way"],
  );
  assert.equal(sessions.server.closedWith, undefined);
});

test("an answer without the request's end: the client is told to stop, and keeps the answer", async () => {
  const { client, sessions } = http3Pair(() => ({ status: 403, body: "no" }));
  const endless = new ReadableStream<Uint8Array>({ pull: (c) => c.enqueue(new Uint8Array(1_000)) });
  const response = await client.request({ body: endless });
  assert.equal(response.status, 403);
  assert.equal(await response.text(), "no");
  await turns();
  assert.equal(sessions.server.streams.get(0)!.stoppedWith, http3Errors.H3_NO_ERROR);
  assert.equal(client.open, 0);
});

test("GOAWAY: the server finishes what it has, refuses what comes later, and closes", async () => {
  let let_go!: () => void;
  const gate = new Promise<void>((go) => (let_go = go));
  const { client, server, sessions } = http3Pair(async () => {
    await gate;
    return { body: "late" };
  });
  const first = client.request();
  await turns();
  const closing = server.close();
  await turns();
  await assert.rejects(client.request(), isFailure("going-away"));
  let_go();
  assert.equal(await (await first).text(), "late");
  await closing;
  assert.equal(sessions.server.closedWith?.code, http3Errors.H3_NO_ERROR);
  assert.equal(await client.done, undefined);
  await assert.rejects(client.request(), isFailure("going-away"));
});

test("a request that GOAWAY did not see is rejected as not processed", async () => {
  const { client, server } = http3Pair();
  await turns();
  const closing = server.close();
  // Sent before the GOAWAY arrives.
  await assert.rejects(client.request(), (error: unknown) => {
    assert.ok(error instanceof Failure);
    assert.ok(["going-away", "request-rejected"].includes(error.reason), error.reason);
    return true;
  });
  await closing;
});

test("the client closes when its last request is done, and its server with it", async () => {
  const { client, server, sessions } = http3Pair(() => ({ body: "done" }));
  const response = client.request();
  const closing = client.close();
  await assert.rejects(client.request(), isFailure("going-away"));
  assert.equal(await (await response).text(), "done");
  await closing;
  await server.done;
  assert.equal(sessions.client.closedWith?.code, http3Errors.H3_NO_ERROR);
});

test("a session that is lost fails what is open, with its reason", async () => {
  const { client, sessions } = http3Pair(() => new Promise(() => {}));
  const open = client.request();
  await turns();
  sessions.server.close(http3Errors.H3_INTERNAL_ERROR, "out of order");
  await assert.rejects(open, (error: unknown) => error instanceof Failure);
  const failure = await client.done;
  assert.equal(failure?.reason, "connection-closed");
  assert.equal(failure?.at, "H3_INTERNAL_ERROR");
  assert.ok(failure?.byPeer);
});

test("fields that cannot be sent are misuse, and nothing of the request leaves", async () => {
  const { client } = http3Pair();
  await assert.rejects(client.request({ headers: { connection: "close" } }), isFailure("misuse"));
  await assert.rejects(client.request({ path: "/a b" }), isFailure("misuse"));
  await assert.rejects(client.request({ headers: { te: "gzip" } }), isFailure("misuse"));
  assert.equal(client.open, 0);
});

test("field sections: a request too large is 431, a response too large is given up, a known limit is kept", async () => {
  const large = { "x-large": "v".repeat(3_000) };
  const small = http3Pair(() => ({ headers: large }), {
    server: { fieldSectionMax: 2_000 },
    clientFieldSectionMax: 2_000,
  });
  // The server's SETTINGS have not come yet.
  assert.equal((await small.client.request({ headers: large })).status, 431);
  // Now they have.
  assert.equal(small.client.peerSettings.maxFieldSectionSize, 2_000);
  await assert.rejects(small.client.request({ headers: large }), isFailure("misuse"));
  assert.equal(small.sessions.client.closedWith, undefined);
  // A server whose answer is larger than the client takes cannot send it.
  await assert.rejects(small.client.request(), isFailure("stream-reset", "H3_INTERNAL_ERROR"));
});

test("hq-interop: paths are served, others are refused, content is held back", async () => {
  const { client, server } = sessionPair();
  server.sink = hqServer((path) => (path === "/file" ? "x".repeat(1_000_000) : undefined))(server);
  assert.equal((await hqGet(client, "/file").bytes()).length, 1_000_000);
  await assert.rejects(hqGet(client, "/none").bytes(), isFailure("request-rejected"));
  assert.throws(() => hqGet(client, "no path"), isFailure("misuse"));
  const slow = hqGet(client, "/file");
  await turns();
  assert.ok(client.streams.get(8)!.pauses > 0);
  assert.equal((await slow.bytes()).length, 1_000_000);
});

test("hq-interop: what is no request of it ends its stream alone", async () => {
  const { client, server } = sessionPair({ pieceMax: 1_000 });
  server.sink = hqServer(() => "x")(server);
  const ask = async (text: string, finish = true) => {
    const stream = client.openStream({
      bytes: () => {},
      ended: () => {},
      drained: () => {},
      peerReset: () => {},
      closed: () => {},
    });
    stream.write(Buffer.from(text, "latin1"));
    if (finish) stream.finish();
    await turns();
    return server.streams.get(stream.id)!.resetWith;
  };
  assert.equal(await ask("POST /\r\n"), http3Errors.H3_MESSAGE_ERROR);
  assert.equal(await ask("GET nothing\r\n"), http3Errors.H3_MESSAGE_ERROR);
  assert.equal(await ask("GET /\u0000\r\n"), http3Errors.H3_MESSAGE_ERROR);
  assert.equal(await ask(""), http3Errors.H3_MESSAGE_ERROR);
  assert.equal(await ask(`GET /${"a".repeat(10_000)}`, false), http3Errors.H3_EXCESSIVE_LOAD);
  assert.equal(await ask("GET /\r\nmore", true), http3Errors.H3_MESSAGE_ERROR);
  assert.equal(await ask("GET / HTTP/0.9\r\n"), undefined);
  assert.equal(server.closedWith, undefined);
});

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { Agent, createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Parsed,
  parseCredentials,
  parseGreeting,
  parseRequest,
  parseUdpHeader,
  writeUdpDatagram,
} from "../../../src/adapters/forward/socks.js";
import { authorityOf, forwardLocal, ProxyServer, parseForward } from "../../../src/adapters/index.js";
import { plainWay } from "../../support/way.js";

const seed = 1_928;
const parsers = { parseGreeting, parseCredentials, parseRequest };
const text = (value: string): number[] => [...Buffer.from(value)];

test("no bytes make a SOCKS parser throw or read past their end", () => {
  for (const parse of [...Object.values(parsers), parseUdpHeader]) {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const parsed: Parsed<unknown> | undefined = parse(bytes);
        if (typeof parsed === "object") assert.ok(parsed.size <= bytes.length);
      }),
      { seed, numRuns: 2_000 },
    );
  }
});

test("every strict prefix of a SOCKS message asks for more, and the whole says how long it was", () => {
  const messages: readonly (readonly [keyof typeof parsers, readonly number[]])[] = [
    ["parseGreeting", [5, 2, 0, 2]],
    ["parseCredentials", [1, 3, ...text("ann"), 4, ...text("pass")]],
    ["parseRequest", [5, 1, 0, 1, 10, 0, 0, 1, 0, 80]],
    ["parseRequest", [5, 1, 0, 3, 9, ...text("db.office"), 0x15, 0x38]],
    ["parseRequest", [5, 3, 0, 4, ...new Array<number>(15).fill(0), 1, 0, 53]],
  ];
  for (const [name, message] of messages) {
    const whole = Uint8Array.from([...message, 1, 2, 3]);
    for (let size = 0; size < message.length; size++) {
      assert.equal(parsers[name](whole.subarray(0, size)), "more", `${name} ${size}`);
    }
    assert.equal((parsers[name](whole) as { readonly size: number }).size, message.length);
  }
});

test("targets are read as names and addresses, and those of another shape are refused", () => {
  const request = (...target: number[]) => parseRequest(Uint8Array.of(5, 1, 0, ...target, 0, 80));
  const hostOf = (parsed: ReturnType<typeof parseRequest>) =>
    typeof parsed === "object" && typeof parsed.value === "object" ? parsed.value.host : parsed;
  assert.equal(hostOf(request(1, 10, 0, 0, 1)), "10.0.0.1");
  assert.equal(hostOf(request(3, 9, ...text("db.office"))), "db.office");
  assert.equal(hostOf(request(3, 5, ...text("[::1]"))), "::1");
  assert.equal(hostOf(request(4, ...new Array<number>(15).fill(0), 1)), "::1");
  assert.equal(request(3, 4, ...text("a\nb ")), "bad");
  assert.equal(request(3, 0), "bad");
  assert.equal((request(9, 1) as { readonly value: unknown }).value, "unknown-address");
  assert.equal(parseUdpHeader(Uint8Array.of(0, 0, 1, 1, 10, 0, 0, 1, 0, 53)), undefined, "a fragment");
  const datagram = writeUdpDatagram("fd00::1", 53, Uint8Array.of(7));
  assert.deepEqual(parseUdpHeader(datagram), { value: { host: "fd00::1", port: 53 }, size: 22 });
});

test("forwards and authorities are read as ssh and HTTP write them", () => {
  assert.deepEqual(parseForward("8080:db.office:80"), {
    bind: undefined,
    port: 8080,
    to: { host: "db.office", port: 80 },
    isUdp: false,
  });
  assert.deepEqual(parseForward("[::1]:53:[fd00::1]:53/udp"), {
    bind: "::1",
    port: 53,
    to: { host: "fd00::1", port: 53 },
    isUdp: true,
  });
  assert.equal(parseForward("0.0.0.0:0:10.0.0.1:22")?.bind, "0.0.0.0");
  for (const wrong of ["", "80", "80:host", "host:80", "99999:a:1", "1:a:0", "1:a:2/sctp", "1:a b:2", "1:fd00::1:2"]) {
    assert.equal(parseForward(wrong), undefined, wrong);
  }
  assert.deepEqual(authorityOf("db.office:443"), { host: "db.office", port: 443 });
  assert.deepEqual(authorityOf("[fd00::1]:443"), { host: "fd00::1", port: 443 });
  for (const wrong of ["", "a", "a:", "a:0", "a:65536", "/a:1", "a@b:1", "fd00::1:2", `${"a".repeat(300)}:1`]) {
    assert.equal(authorityOf(wrong), undefined, wrong);
  }
});

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const heardBy = new WeakMap<Socket, { bytes: Buffer; isOver: boolean; wake: () => void }>();

/** Reads exactly so many bytes. */
async function read(socket: Socket, size: number): Promise<Buffer> {
  const heard = heardBy.get(socket) ?? { bytes: Buffer.alloc(0), isOver: false, wake: () => {} };
  if (!heardBy.has(socket)) {
    heardBy.set(socket, heard);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      heard.bytes = Buffer.concat([heard.bytes, chunk]);
      heard.wake();
    });
    socket.on("close", () => {
      heard.isOver = true;
      heard.wake();
    });
  }
  while (heard.bytes.length < size) {
    if (heard.isOver) throw new Error("it hung up");
    await new Promise<void>((resolve) => (heard.wake = resolve));
  }
  const taken = heard.bytes.subarray(0, size);
  heard.bytes = heard.bytes.subarray(size);
  return taken;
}

/** A proxy, and servers behind it: one that echoes, one that speaks HTTP. */
async function stage(options: ConstructorParameters<typeof ProxyServer>[1] = {}) {
  const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket).on("error", () => {}));
  const http = createHttpServer((request, response) => {
    const hidden = "proxy-authorization" in request.headers || "proxy-connection" in request.headers;
    request.on("data", () => {}).on("end", () => response.end(`${request.method} ${request.url} ${hidden}`));
  });
  const [echoPort, httpPort] = [await listening(echo), await listening(http)];
  const proxy = new ProxyServer(plainWay, options);
  const { port } = await proxy.listen(0, "127.0.0.1");
  return {
    proxy,
    port,
    echoPort,
    httpPort,
    dial: () => connect(port, "127.0.0.1"),
    async [Symbol.asyncDispose]() {
      await proxy.close();
      http.closeAllConnections();
      await Promise.all([echo, http].map((each) => new Promise((resolve) => each.close(resolve))));
    },
  };
}

const requestFor = (port: number, command = 1) => Uint8Array.of(5, command, 0, 1, 127, 0, 0, 1, port >> 8, port & 255);

test("SOCKS5 CONNECT carries bytes both ways, one byte at a time or all at once, and half-closes", async () => {
  await using all = await stage();
  const slow = all.dial();
  for (const byte of [5, 1, 0]) slow.write(Uint8Array.of(byte));
  assert.deepEqual([...(await read(slow, 2))], [5, 0]);
  for (const byte of requestFor(all.echoPort)) slow.write(Uint8Array.of(byte));
  assert.deepEqual([...(await read(slow, 4))], [5, 0, 0, 1]);
  await read(slow, 6);
  slow.end("half-closed");
  assert.equal(String(await read(slow, 11)), "half-closed");

  const eager = all.dial();
  eager.write(Buffer.concat([Uint8Array.of(5, 1, 0), requestFor(all.echoPort), Buffer.from("early")]));
  await read(eager, 12);
  assert.equal(String(await read(eager, 5)), "early");
  eager.destroy();
});

test("SOCKS5 says why it could not: nobody listens, a command or address type that it does not know", async () => {
  await using all = await stage();
  const closed = createServer();
  const nobody = await listening(closed);
  await new Promise((resolve) => closed.close(resolve));
  const unknown = Uint8Array.of(5, 1, 0, 9, 1, 2, 3);
  for (const [request, reply] of [
    [requestFor(nobody), 5],
    [requestFor(all.echoPort, 2), 7],
    [unknown, 8],
  ] as const) {
    const socket = all.dial();
    socket.write(Buffer.concat([Uint8Array.of(5, 1, 0), request]));
    await read(socket, 2);
    assert.equal((await read(socket, 10))[1], reply);
    socket.destroy();
  }
});

test("a user and password are asked for where they are set, and wrong ones are refused", async () => {
  await using all = await stage({ credentials: { user: "ann", password: "secret" } });
  const without = all.dial();
  without.write(Uint8Array.of(5, 1, 0));
  assert.deepEqual([...(await read(without, 2))], [5, 0xff]);
  for (const [password, verdict] of [
    ["wrong!", 1],
    ["secret", 0],
  ] as const) {
    const socket = all.dial();
    socket.write(Uint8Array.of(5, 2, 0, 2));
    assert.deepEqual([...(await read(socket, 2))], [5, 2]);
    socket.write(Uint8Array.of(1, 3, ...text("ann"), 6, ...text(password)));
    assert.deepEqual([...(await read(socket, 2))], [1, verdict]);
    if (verdict === 1) {
      await assert.rejects(read(socket, 1), /hung up/);
      continue;
    }
    socket.write(requestFor(all.echoPort));
    assert.equal((await read(socket, 10))[1], 0);
    socket.destroy();
  }
  const http = all.dial();
  http.write(`CONNECT 127.0.0.1:${all.echoPort} HTTP/1.1\r\nHost: a\r\n\r\n`);
  assert.match(String(await read(http, 12)), /^HTTP\/1.1 407$/);
  http.destroy();
  const let_in = all.dial();
  const basic = Buffer.from("ann:secret").toString("base64");
  let_in.write(`CONNECT 127.0.0.1:${all.echoPort} HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic ${basic}\r\n\r\n`);
  assert.match(String(await read(let_in, 12)), /^HTTP\/1.1 200$/);
  let_in.destroy();
});

test("UDP ASSOCIATE carries datagrams, for its client alone and as long as its connection", async () => {
  await using all = await stage();
  const echo = createSocket("udp4", (bytes, { port, address }) => echo.send(bytes, port, address));
  await new Promise<void>((resolve) => echo.bind(0, "127.0.0.1", resolve));
  const control = all.dial();
  control.write(Buffer.concat([Uint8Array.of(5, 1, 0), requestFor(0, 3)]));
  await read(control, 2);
  const reply = await read(control, 10);
  assert.equal(reply[1], 0);
  const relayPort = reply.readUInt16BE(8);
  const [client, stranger] = [createSocket("udp4"), createSocket("udp4")];
  const heard: string[] = [];
  stranger.on("message", (bytes) => heard.push(String(bytes)));
  const datagram = (body: string) => writeUdpDatagram("127.0.0.1", echo.address().port, Buffer.from(body));
  client.send(datagram("first"), relayPort, "127.0.0.1");
  const [back] = (await once(client, "message")) as [Buffer];
  assert.deepEqual(new Uint8Array(back), datagram("first"));
  stranger.send(datagram("not mine"), relayPort, "127.0.0.1");
  const fragment = Uint8Array.from(datagram("fragment"));
  fragment[2] = 1;
  client.send(fragment, relayPort, "127.0.0.1");
  client.send(datagram("second"), relayPort, "127.0.0.1");
  const [again] = (await once(client, "message")) as [Buffer];
  assert.deepEqual(new Uint8Array(again), datagram("second"));
  assert.deepEqual(heard, []);
  control.destroy();
  for (const each of [client, stranger, echo]) each.close();
});

test("HTTP clients get CONNECT and plain requests on the same port", async () => {
  const agent = new Agent();
  await using all = await stage({ agent });
  const tunnelled = all.dial();
  tunnelled.write(`CONNECT 127.0.0.1:${all.echoPort} HTTP/1.1\r\nHost: a\r\n\r\nearly`);
  const said = await read(tunnelled, "HTTP/1.1 200 Connection established\r\n\r\nearly".length);
  assert.match(String(said), /^HTTP\/1.1 200 .*\r\n\r\nearly$/s);
  tunnelled.destroy();
  const plain = all.dial();
  const url = `http://127.0.0.1:${all.httpPort}/path?q`;
  plain.write(
    `PUT ${url} HTTP/1.1\r\nHost: a\r\nProxy-Connection: close\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok`,
  );
  let whole = "";
  for await (const chunk of plain) whole += chunk;
  assert.match(whole, /^HTTP\/1.1 200 OK\r\n/);
  assert.match(whole, /PUT \/path\?q false/);
  for (const wrong of ["GET /local HTTP/1.1", "CONNECT nowhere HTTP/1.1", "GET ftp://a/ HTTP/1.1"]) {
    const socket = all.dial();
    socket.write(`${wrong}\r\nHost: a\r\nConnection: close\r\n\r\n`);
    assert.match(String(await read(socket, 12)), /^HTTP\/1.1 400$/, wrong);
    socket.destroy();
  }
  agent.destroy();
});

test("what is neither SOCKS5 nor HTTP is hung up on, and the proxy goes on", async () => {
  await using all = await stage();
  const hostile: readonly Uint8Array[] = [
    Uint8Array.of(4, 1, 0, 80, 1, 2, 3, 4, 0),
    Uint8Array.of(5, 0),
    Buffer.concat([Uint8Array.of(5, 1, 0), Uint8Array.of(4, 1, 0, 1, 1, 1, 1, 1, 0, 1)]),
    Buffer.concat([Uint8Array.of(5, 1, 0), Uint8Array.of(5, 1, 9, 1, 1, 1, 1, 1, 0, 1)]),
    Uint8Array.of(22, 3, 1, 0, 5, 1, 0, 0, 1, 0),
    Buffer.from(`GET / HTTP/1.1\r\nX: ${"a".repeat(40_000)}`),
  ];
  for (const bytes of hostile) {
    const socket = all.dial();
    socket.on("error", () => {}).resume();
    socket.write(bytes);
    await once(socket, "close");
  }
  // Gone in the middle of a message.
  for (let size = 1; size < 13; size++) {
    const socket = all.dial();
    await once(socket, "connect");
    socket.write(Buffer.concat([Uint8Array.of(5, 1, 0), requestFor(all.echoPort)]).subarray(0, size));
    socket.resetAndDestroy();
  }
  const fine = all.dial();
  fine.write(Buffer.concat([Uint8Array.of(5, 1, 0), requestFor(all.echoPort), Buffer.from("still here")]));
  await read(fine, 12);
  assert.equal(String(await read(fine, 10)), "still here");
  fine.destroy();
});

test("a local forward passes TCP and UDP on, each sender apart", async () => {
  const echo = createServer((socket) => socket.on("error", () => {}).pipe(socket));
  const port = await listening(echo);
  const forward = await forwardLocal(plainWay, parseForward(`0:127.0.0.1:${port}`)!);
  const socket = connect(forward.port, "127.0.0.1");
  socket.write("through");
  assert.equal(String(await read(socket, 7)), "through");
  socket.destroy();
  await forward.close();
  await new Promise((resolve) => echo.close(resolve));

  const udp = createSocket("udp4", (bytes, from) => udp.send(`${bytes} ${from.port}`, from.port, from.address));
  await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
  const other = await forwardLocal(plainWay, parseForward(`0:127.0.0.1:${udp.address().port}/udp`)!);
  const clients = [createSocket("udp4"), createSocket("udp4")];
  const answers = clients.map(async (client, i) => {
    client.send(`client ${i}`, other.port, "127.0.0.1");
    return String((await once(client, "message"))[0]);
  });
  const [one, two] = await Promise.all(answers);
  assert.match(one!, /^client 0 \d+$/);
  assert.match(two!, /^client 1 \d+$/);
  assert.notEqual(one!.split(" ")[2], two!.split(" ")[2]);
  for (const client of clients) client.close();
  await other.close();
  udp.close();
});

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { test } from "node:test";
import { fromUtf8, utf8 } from "../../../src/bytes/index.js";
import { nodeHost } from "../../../src/hosts/node/index.js";
import {
  type Connection,
  disabled,
  EstablishmentError,
  lengthPrefixed,
  protocolStacks,
  reliableMessage,
  TransportServices,
  unreliableDatagram,
} from "../../../src/taps/index.js";
import { freePort } from "../../support/free-port.js";
import { provider } from "../../support/provider.js";

const system = new TransportServices({ host: nodeHost({ crypto: provider }), stacks: protocolStacks });
const loopback = "127.0.0.1";

test("a TCP Connection echoes through a Listener, half-closes with a final Message, and closes", async () => {
  const listener = await system.preconnection({ local: { address: loopback }, security: disabled() }).listen();
  const serving = listener.serve(async (connection) => {
    for await (const { data, final } of connection) {
      if (data.length > 0) await connection.send(data);
      if (final) break;
    }
  });
  const { port } = listener.localEndpoints[0]!;
  const connection = await system
    .preconnection({ remote: { address: loopback, port }, security: disabled() })
    .connect({ timeout: 5_000 });
  assert.equal(connection.state, "established");
  assert.equal(connection.stack, "TCP");
  assert.equal(connection.get("reliability"), true);
  assert.equal(connection.get("preserveMsgBoundaries"), false);
  await connection.send(utf8("hello, "));
  await connection.send(utf8("world"), { final: true });
  assert.equal(connection.get("canSend"), false);
  let text = "";
  let finals = 0;
  for await (const { data, final } of connection) {
    text += fromUtf8(data);
    if (final) finals++;
  }
  assert.equal(text, "hello, world");
  assert.equal(finals, 1);
  await connection.close();
  assert.equal(connection.state, "closed");
  await listener.stop();
  await serving;
});

test("a framer keeps Messages apart over TCP, and so satisfies who requires boundaries", async () => {
  const framers = [lengthPrefixed()];
  const listener = await system
    .preconnection({ local: { address: loopback }, transport: reliableMessage, security: disabled(), framers })
    .listen();
  const { port } = listener.localEndpoints[0]!;
  const connection = system
    .preconnection({ remote: { address: loopback, port }, transport: reliableMessage, security: disabled(), framers })
    .initiate();
  const sent = [utf8("one"), utf8(""), new Uint8Array(200_000).fill(7)];
  for (const data of sent) void connection.send(data);
  const accepted = (await listener.accept())!;
  for (const data of sent) {
    const received = await accepted.receive();
    assert.deepEqual(received.data, data);
    assert.equal(received.endOfMessage, true);
  }
  assert.equal(accepted.get("preserveMsgBoundaries"), true);
  await Promise.all([connection.close(), accepted.close(), listener.stop()]);
});

test("UDP Connections carry Messages both ways, and a Listener tells its peers apart", async () => {
  const listener = await system
    .preconnection({ local: { address: loopback }, transport: unreliableDatagram, security: disabled() })
    .listen();
  const { port } = listener.localEndpoints[0]!;
  // UDP says no goodbyes: the server's Connections end when the server ends them.
  const stop = new AbortController();
  const serving = listener.serve(
    async (connection, signal) => {
      signal.addEventListener("abort", () => void connection.close());
      for await (const { data } of connection) await connection.send(data);
    },
    { signal: stop.signal },
  );
  const dial = () =>
    system
      .preconnection({ remote: { address: loopback, port }, transport: unreliableDatagram, security: disabled() })
      .connect();
  const [a, b] = await Promise.all([dial(), dial()]);
  assert.equal(a.stack, "UDP");
  assert.equal(a.get("sendMsgMaxLen"), 65_507);
  await a.send(utf8("a"));
  await b.send(utf8("b"));
  assert.equal(fromUtf8((await a.receive()).data), "a");
  assert.equal(fromUtf8((await b.receive()).data), "b");
  await Promise.all([a.close(), b.close()]);
  assert.equal(listener.statistics.delivered, 2);
  stop.abort();
  await serving;
});

test("a refused connection is an EstablishmentError that carries the whole candidate tree", async () => {
  const listener = await system.preconnection({ local: { address: loopback }, security: disabled() }).listen();
  const { port } = listener.localEndpoints[0]!;
  await listener.stop();
  const connection = system.preconnection({ remote: { address: loopback, port }, security: disabled() }).initiate();
  const events: string[] = [];
  connection.on("establishmentError", () => events.push("establishmentError"));
  connection.on("ready", () => events.push("ready"));
  await assert.rejects(connection.ready, (error: unknown) => {
    assert.ok(error instanceof EstablishmentError);
    assert.equal(error.fault, "unreachable");
    const leaf = error.candidates!.children[0]!.children.find(({ name }) => name === "TCP")!.children[0]!;
    assert.equal(leaf.verdict.state, "failed");
    return true;
  });
  assert.deepEqual(events, ["establishmentError"]);
  assert.equal(connection.state, "closed");
});

test("members of a multicast group meet by Rendezvous, and a member that is no Connection of ours hears them and is heard", async () => {
  const on = system.network.interfaces().find(({ type }) => type === "loopback")!.name;
  const group = "239.255.7.11";
  const port = await freePort();
  const meet = () =>
    system
      .preconnection({
        local: { port, interface: on, multicast: { group } },
        remote: { port, multicast: { group, hopLimit: 1 } },
        security: disabled(),
        transport: unreliableDatagram,
      })
      .rendezvous({ timeout: 10_000 });
  const [one, other] = [await meet(), await meet()];
  const stranger = createSocket({ type: "udp4", reuseAddr: true });
  await new Promise<void>((bound) => stranger.bind(port, bound));
  stranger.addMembership(group, loopback);
  stranger.setMulticastInterface(loopback);
  const heard: string[] = [];
  const accepted: Connection[] = [];
  stranger.on("message", (bytes) => heard.push(`stranger: ${bytes}`));
  for (const [name, { listener }] of Object.entries({ one, other })) {
    listener!.on("connectionReceived", (connection) => {
      assert.equal(connection.localEndpoint?.port, port);
      connection.on("received", ({ data }) => void heard.push(`${name}: ${fromUtf8(data)}`));
      connection.receive().catch(() => undefined);
      accepted.push(connection);
    });
  }
  const all = ["one", "other", "stranger"].flatMap((who) =>
    ["from one", "from the other", "from the stranger"].map((what) => `${who}: ${what}`),
  );
  try {
    // A datagram may be lost: each speaks until everybody has been heard by all.
    for (let tries = 0; tries < 200 && !all.every((each) => heard.includes(each)); tries++) {
      await one.connection.send(utf8("from one"));
      await other.connection.send(utf8("from the other"));
      stranger.send("from the stranger", port, group);
      await new Promise((later) => setTimeout(later, 20));
    }
    assert.deepEqual([...new Set(heard)].toSorted(), all.toSorted());
    assert.equal(one.connection.remoteEndpoint?.address, group);
  } finally {
    stranger.close();
    for (const { connection, listener } of [one, other]) {
      connection.abort();
      await listener!.stop();
    }
    for (const each of accepted) each.abort();
  }
});

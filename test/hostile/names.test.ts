import assert from "node:assert/strict";
import { type Answer, decode, encode, TRUNCATED_RESPONSE } from "dns-packet";
import { dnsCodec } from "../../src/adapters/tunnel/dns-codec.js";
import type { DatagramPort, Failure, SocketAddress, StreamPort } from "../../src/contract/index.js";
import type { World } from "../../src/hosts/simulator/index.js";
import { aliasesMax, nameLifetimeMaxMs } from "../../src/tunnels/limits.js";
import { Resolver } from "../../src/tunnels/resolver.js";
import { scenario } from "../support/scenario.js";

const name = "db.office.test";
const right: Answer = { type: "A", name, ttl: 60, data: "10.0.0.5" };

interface Lie {
  readonly id?: number;
  readonly name?: string;
  readonly type?: "A" | "AAAA" | "TXT";
  readonly answers?: readonly Answer[];
  readonly flags?: number;
}

/** An answer to the query, but for what is a lie. */
function answer(query: Uint8Array, { answers = [right], flags = 0, ...lie }: Lie = {}): Uint8Array {
  const { id = 0, questions = [] } = decode(Buffer.from(query));
  const asked = questions[0]!;
  const question = { ...asked, name: lie.name ?? asked.name, type: lie.type ?? asked.type };
  const message = { type: "response" as const, id: ((lie.id ?? 0) + id) & 0xffff, flags, questions: [question] };
  return Uint8Array.from(encode({ ...message, answers: [...answers] }));
}

/** A resolver, a name server that says what the test wants, and a stranger beside it. */
async function office(
  world: World,
  says: (query: Uint8Array, send: (bytes: Uint8Array) => void, from: SocketAddress, stranger: DatagramPort) => void,
  overTcp: (port: StreamPort, query: Uint8Array) => void = () => {},
) {
  const client = world.host("client", { addresses: ["192.0.2.1"] });
  const server = world.host("server", { addresses: ["192.0.2.53"] });
  const other = world.host("stranger", { addresses: ["192.0.2.66"] });
  const router = world.router("router");
  for (const host of [client, server, other]) world.link(host, router, { delayMs: 5 });
  let asked = 0;
  const stranger = await other.network.bindDatagrams(
    { address: "192.0.2.66", port: 53 },
    { datagrams() {}, closed() {} },
  );
  const udp = await server.network.bindDatagrams(
    { address: "192.0.2.53", port: 53 },
    {
      datagrams: (bytes, from) => {
        asked++;
        says(bytes.slice(), (made) => udp.send(made, from), from, stranger);
      },
      closed() {},
    },
  );
  await server.network.listenStreams({ address: "192.0.2.53", port: 53 }, (port) => ({
    bytes: (bytes) => overTcp(port, bytes.slice(2)),
    ended() {},
    drained() {},
    closed() {},
  }));
  const resolver = new Resolver(client, client.network, ["192.0.2.53"], [], dnsCodec);
  return {
    resolve: (text = name, signal?: AbortSignal): Promise<readonly string[] | Failure> =>
      world.finish(
        resolver.resolve(text, { family: 4, ...(signal && { signal }) }).catch((failure: Failure) => failure),
      ),
    get asked() {
      return asked;
    },
  };
}

scenario(
  "answers with another number, question or sender are not heard, however many come before the true one",
  3,
  async (world) => {
    const evil: Answer = { ...right, data: "6.6.6.6" };
    const { resolve } = await office(world, (query, send, from, stranger) => {
      for (let i = 1; i <= 2_000; i++) send(answer(query, { id: i, answers: [evil] }));
      send(answer(query, { name: "www.office.test", answers: [{ ...evil, name: "www.office.test" }] }));
      send(answer(query, { type: "AAAA", answers: [evil] }));
      send(query);
      send(new Uint8Array(0));
      send(answer(query, { answers: [evil] }).subarray(0, 20));
      stranger.send(answer(query, { answers: [evil] }), from);
      send(answer(query));
    });
    assert.deepEqual(await resolve(), ["10.0.0.5"]);
  },
);

scenario("records about other names are neither answered nor remembered", 1, async (world) => {
  const office_ = await office(world, (query, send) => {
    const [{ name: asked } = { name: "" }] = decode(Buffer.from(query)).questions ?? [];
    const poison: Answer = { type: "A", name: "bank.test", ttl: 9_999, data: "6.6.6.6" };
    send(answer(query, { answers: asked === name ? [poison, right] : [{ ...right, name: asked }] }));
  });
  assert.deepEqual(await office_.resolve(), ["10.0.0.5"]);
  assert.deepEqual(await office_.resolve("bank.test"), ["10.0.0.5"]);
});

scenario("aliases that go round, or on without an end, lead to no address", 1, async (world) => {
  for (const aliases of [
    [
      [name, "a.test"],
      ["a.test", name],
    ],
    [[name, name]],
    Array.from({ length: 2 * aliasesMax }, (_, i) => [i === 0 ? name : `a${i}.test`, `a${i + 1}.test`]),
  ] as const) {
    const answers = aliases.map(([from, data]): Answer => ({ type: "CNAME", name: from!, ttl: 60, data: data! }));
    const last: Answer = { ...right, name: `a${2 * aliasesMax}.test` };
    const { resolve } = await office(world, (query, send) => send(answer(query, { answers: [...answers, last] })));
    assert.equal(((await resolve()) as Failure).reason, "name-not-found");
  }
});

scenario("a lifetime of decades ends within the hour", 1, async (world) => {
  const all = await office(world, (query, send) => send(answer(query, { answers: [{ ...right, ttl: 0x7fff_ffff }] })));
  await all.resolve();
  await world.run(nameLifetimeMaxMs - 1_000);
  await all.resolve();
  assert.equal(all.asked, 1);
  await world.run(2_000);
  await all.resolve();
  assert.equal(all.asked, 2);
});

for (const [what, overTcp] of Object.entries({
  "hangs up": (port) => port.abort(),
  "says nothing": () => {},
  "promises more than it sends": (port, query) => {
    const whole = answer(query);
    port.write(Uint8Array.of(255, 255, ...whole));
    port.finish();
  },
  "sends another's answer": (port, query) => {
    const whole = answer(query, { id: 1 });
    port.write(Uint8Array.of(whole.length >> 8, whole.length & 255, ...whole));
  },
  "sends rubbish without an end": (port) => {
    for (let i = 0; i < 20; i++) port.write(new Uint8Array(65_536).fill(i));
  },
} satisfies Record<string, (port: StreamPort, query: Uint8Array) => void>)) {
  scenario(`a server that cuts its answer short, and by TCP ${what}, costs some time and no more`, 1, async (world) => {
    const { resolve } = await office(
      world,
      (query, send) => send(answer(query, { flags: TRUNCATED_RESPONSE, answers: [] })),
      overTcp,
    );
    const failure = (await resolve()) as Failure;
    assert.equal(failure.fault, "unreachable", String(failure));
    assert.ok(world.elapsed < 60_000, `${world.elapsed} ms`);
  });
}

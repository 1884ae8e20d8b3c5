import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, AUTHORITATIVE_ANSWER, decode, encode, TRUNCATED_RESPONSE } from "dns-packet";
import fc from "fast-check";
import { dnsCodec } from "../../../src/adapters/tunnel/dns-codec.js";
import type { Failure } from "../../../src/contract/index.js";
import { type SimulatedHost, simulate } from "../../../src/hosts/simulator/index.js";
import { Resolver } from "../../../src/tunnels/resolver.js";

const seed = 1_035;

test("no bytes make the codec throw, and no strict prefix of an answer is one", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void dnsCodec.response(bytes)),
    { seed, numRuns: 2_000 },
  );
  const query = dnsCodec.query(7, "db.office.test", "A", 1_232);
  const whole = answer(query, [{ type: "A", name: "db.office.test", ttl: 60, data: "10.0.0.1" }]);
  assert.deepEqual(dnsCodec.response(whole)?.answers, [
    { name: "db.office.test", type: "A", ttlS: 60, data: "10.0.0.1" },
  ]);
  for (let size = 0; size < whole.length; size++) assert.equal(dnsCodec.response(whole.slice(0, size)), undefined);
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
      const bent = whole.slice();
      bent[at] = value;
      dnsCodec.response(bent);
    }),
    { seed, numRuns: 2_000 },
  );
});

test("a query is not taken for an answer", () => {
  assert.equal(dnsCodec.response(dnsCodec.query(7, "db.office.test", "A", 1_232)), undefined);
});

type Zone = (name: string, type: string, over: "udp" | "tcp") => Reply | undefined;
interface Reply {
  readonly answers?: Answer[];
  readonly code?: number;
  readonly truncated?: boolean;
}

function answer(query: Uint8Array, answers: Answer[], code = 0, truncated = false): Uint8Array {
  const { id, questions } = decode(Buffer.from(query));
  const flags = AUTHORITATIVE_ANSWER | code | (truncated ? TRUNCATED_RESPONSE : 0);
  return Uint8Array.from(encode({ type: "response", id: id!, flags, questions: questions!, answers }));
}

/** A name server in a simulated world, and a resolver beside it. */
async function office(zone: Zone, searchDomains: readonly string[] = []) {
  const world = simulate({ seed });
  const client: SimulatedHost = world.host("client", { addresses: ["192.0.2.1"] });
  const server = world.host("server", { addresses: ["192.0.2.53"] });
  world.link(client, server, { delayMs: 5 });
  const asked: string[] = [];
  const reply = (query: Uint8Array, over: "udp" | "tcp"): Uint8Array | undefined => {
    const { name, type } = decode(Buffer.from(query)).questions![0]!;
    asked.push(`${over} ${type} ${name}`);
    const made = zone(name, type, over);
    return made && answer(query, made.answers ?? [], made.code, made.truncated);
  };
  const udp = await server.network.bindDatagrams(
    { address: "192.0.2.53", port: 53 },
    {
      datagrams: (bytes, from) => {
        const made = reply(bytes, "udp");
        if (made !== undefined) udp.send(made, from);
      },
      closed() {},
    },
  );
  await server.network.listenStreams({ address: "192.0.2.53", port: 53 }, (port) => ({
    bytes(bytes) {
      const made = reply(bytes.subarray(2), "tcp")!;
      // Cut in two, as a network may.
      port.write(Uint8Array.of(made.length >> 8, made.length & 255, ...made.subarray(0, 9)));
      port.write(made.slice(9));
    },
    ended() {},
    drained() {},
    closed() {},
  }));
  const resolver = new Resolver(client, client.network, ["192.0.2.53"], searchDomains, dnsCodec);
  const resolve = async (name: string, family?: 4 | 6): Promise<readonly string[] | Failure> => {
    let told: readonly string[] | Failure | undefined;
    resolver.resolve(name, family && { family }).then(
      (addresses) => (told = addresses),
      (failure: Failure) => (told = failure),
    );
    await world.until(() => told !== undefined);
    return told!;
  };
  return { resolve, asked, world };
}

const addressed =
  (names: Readonly<Record<string, string>>): Zone =>
  (name, type) =>
    type === "A" && names[name] !== undefined
      ? { answers: [{ type: "A", name, ttl: 60, data: names[name] }] }
      : { code: names[name] === undefined ? 3 : 0 };

test("a name is looked up over UDP, and not again while its record lives", async () => {
  const { resolve, asked, world } = await office(addressed({ "db.office.test": "10.0.0.5" }));
  assert.deepEqual(await resolve("DB.office.test"), ["10.0.0.5"]);
  assert.deepEqual(await resolve("db.office.test."), ["10.0.0.5"]);
  assert.deepEqual(asked.toSorted(), ["udp A db.office.test", "udp AAAA db.office.test"]);
  await world.run(61_000);
  assert.deepEqual(await resolve("db.office.test", 4), ["10.0.0.5"]);
  assert.equal(asked.length, 3);
});

test("an answer that is cut is asked for again over TCP", async () => {
  const { resolve, asked } = await office((name, type, over) =>
    over === "udp"
      ? { truncated: true }
      : { answers: Array.from({ length: 90 }, (_, i) => ({ type, name, ttl: 60, data: `10.0.1.${i}` }) as Answer) },
  );
  assert.equal(((await resolve("many.office.test", 4)) as readonly string[]).length, 90);
  assert.deepEqual(asked, ["udp A many.office.test", "tcp A many.office.test"]);
});

test("a name without dots is tried in the search domains, in their order, before it stands alone", async () => {
  const zone = addressed({ "db.second.test": "10.0.0.6" });
  const { resolve, asked } = await office(zone, ["first.test", "second.test"]);
  assert.deepEqual(await resolve("db", 4), ["10.0.0.6"]);
  assert.deepEqual(asked, ["udp A db.first.test", "udp A db.second.test"]);
});

test("aliases are followed to their address, and lead nowhere else", async () => {
  const { resolve } = await office((name, type) => ({
    answers: [
      { type: "CNAME", name, ttl: 60, data: "behind.office.test" },
      { type: "A", name: "stranger.test", ttl: 60, data: "10.0.0.66" },
      ...(type === "A" ? [{ type, name: "behind.office.test", ttl: 60, data: "10.0.0.7" } as Answer] : []),
    ],
  }));
  assert.deepEqual(await resolve("www.office.test"), ["10.0.0.7"]);
});

test("no such name, no answer and a broken server each have their reason", async () => {
  const reasons = async (zone: Zone) => ((await (await office(zone)).resolve("gone.test", 4)) as Failure).reason;
  assert.equal(await reasons(() => ({ code: 3 })), "name-not-found");
  assert.equal(await reasons(() => ({})), "name-not-found");
  assert.equal(await reasons(() => ({ code: 2 })), "name-server-failed");
  assert.equal(await reasons(() => undefined), "name-server-failed");
});

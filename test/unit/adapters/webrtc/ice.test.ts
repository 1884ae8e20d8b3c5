import assert from "node:assert/strict";
import {
  bindIce,
  type IceEndpoint,
  type IceSession,
  parseStun,
  readXorMappedAddress,
  type StunField,
  stunAttribute,
  stunType,
  verifyStun,
  writeStun,
} from "../../../../src/adapters/webrtc/index.js";
import { concat, toHex, utf8 } from "../../../../src/bytes/index.js";
import { Secret, type SocketAddress } from "../../../../src/contract/index.js";
import type { SimulatedHost, World } from "../../../../src/hosts/simulator/index.js";
import { provider as crypto } from "../../../support/provider.js";
import { scenario } from "../../../support/scenario.js";

const local = { address: "198.51.100.1", port: 3478 };

/** A browser's side, asking by hand. */
class Peer {
  readonly heard: Uint8Array[] = [];
  #send!: (bytes: Uint8Array) => void;
  #count = 0;

  static async on(host: SimulatedHost, from: SocketAddress): Promise<Peer> {
    const peer = new Peer();
    const port = await host.network.bindDatagrams(from, {
      datagrams: (bytes) => void peer.heard.push(bytes.slice()),
      closed() {},
    });
    peer.#send = (bytes) => port.send(bytes, local);
    return peer;
  }

  send(bytes: Uint8Array): void {
    this.#send(bytes);
  }

  check(
    session: IceSession,
    username: string,
    more: readonly StunField[] = [],
    password = session.credentials.password,
  ): void {
    const transaction = new Uint8Array(12).fill(++this.#count);
    const priority = [stunAttribute.priority, Uint8Array.of(1, 2, 3, 4)] as const;
    this.send(
      writeStun(
        crypto,
        stunType.bindingRequest,
        transaction,
        [[stunAttribute.username, utf8(username)], priority, ...more],
        password,
      ),
    );
  }
}

const nominate: StunField = [stunAttribute.useCandidate, new Uint8Array(0)];
const codeOf = (bytes: Uint8Array): number => {
  const value = parseStun(bytes)!.attributes.get(stunAttribute.errorCode)!;
  return value[2]! * 100 + value[3]!;
};

async function setUp(
  world: World,
): Promise<{ ice: IceEndpoint; session: IceSession; got: string[]; peer: Peer; far: SimulatedHost }> {
  const near = world.host("us", { addresses: [local.address] });
  const far = world.host("browser", { addresses: ["192.0.2.1", "192.0.2.2"] });
  world.link(near, far, { delayMs: 5 });
  const ice = await bindIce(near, local);
  const got: string[] = [];
  const session = ice.expect("them", () => ({
    datagrams: (bytes) => void got.push(toHex(bytes)),
    closed: () => void got.push("closed"),
    selected: ({ port }) => void got.push(`selected ${port}`),
  }));
  return { ice, session, got, peer: await Peer.on(far, { address: "192.0.2.1", port: 1000 }), far };
}

scenario(
  "a check is answered with where it came from; a nomination opens the way, a later one moves it",
  1,
  async (world) => {
    const { session, got, peer, far, ice } = await setUp(world);
    const username = `${session.credentials.ufrag}:them`;
    session.send(Uint8Array.of(128, 1));
    peer.send(Uint8Array.of(128, 2));
    await world.run(50);
    assert.deepEqual([peer.heard.length, got.length, ice.strays], [0, 0, 1]);
    peer.check(session, username);
    await world.run(50);
    const answer = parseStun(peer.heard[0]!)!;
    assert.equal(answer.type, stunType.bindingSuccess);
    assert.ok(verifyStun(crypto, answer, session.credentials.password));
    assert.deepEqual(readXorMappedAddress(answer.attributes.get(stunAttribute.xorMappedAddress)!, answer.transaction), {
      address: "192.0.2.1",
      port: 1000,
    });
    assert.equal(session.remote, undefined, "checked, and not yet nominated");
    peer.check(session, username, [nominate]);
    peer.send(Uint8Array.of(128, 3));
    await world.run(50);
    session.send(Uint8Array.of(128, 4));
    await world.run(50);
    assert.deepEqual(got, ["selected 1000", "8003"]);
    assert.equal(toHex(peer.heard.at(-1)!), "8004");
    const other = await Peer.on(far, { address: "192.0.2.2", port: 2000 });
    other.check(session, username, [nominate]);
    await world.run(50);
    session.send(Uint8Array.of(128, 5));
    await world.run(50);
    assert.equal(toHex(other.heard.at(-1)!), "8005");
    session.close();
    await world.run(1);
    assert.equal(got.at(-1), "closed");
    ice.close();
  },
);

scenario(
  "consent lapses thirty seconds after the last check, and a new check renews it (RFC 7675)",
  1,
  async (world) => {
    const { session, peer } = await setUp(world);
    const username = `${session.credentials.ufrag}:them`;
    peer.check(session, username, [nominate]);
    await world.run(20_000);
    peer.check(session, username);
    await world.run(29_000);
    assert.ok(session.hasConsent);
    await world.run(2_000);
    assert.ok(!session.hasConsent);
    const before = peer.heard.length;
    session.send(Uint8Array.of(128, 1));
    await world.run(50);
    assert.equal(peer.heard.length, before, "nothing goes to who does not want it");
    peer.check(session, username);
    await world.run(50);
    assert.ok(session.hasConsent);
  },
);

scenario("who lacks the password, the name or the role is told so, and changes nothing", 1, async (world) => {
  const { session, peer, got, ice } = await setUp(world);
  const { ufrag } = session.credentials;
  const unsigned = writeStun(crypto, stunType.bindingRequest, new Uint8Array(12), [
    [stunAttribute.username, utf8(`${ufrag}:them`)],
    nominate,
  ]);
  const tries: readonly [() => void, number][] = [
    [() => peer.check(session, `${ufrag}:them`, [nominate], new Secret(utf8("guessed"))), 401],
    [() => peer.check(session, `${ufrag}:other`, [nominate]), 401],
    [() => peer.send(unsigned), 400],
    [() => peer.check(session, `${ufrag}:them`, [[stunAttribute.iceControlled, new Uint8Array(8)]]), 487],
    [() => peer.check(session, `${ufrag}:them`, [[0x7fff, new Uint8Array(4)]]), 420],
  ];
  for (const [act, code] of tries) {
    const before = peer.heard.length;
    act();
    await world.run(50);
    assert.equal(codeOf(peer.heard[before]!), code);
  }
  peer.check(session, "nobody:them", [nominate]);
  peer.send(concat(unsigned.subarray(0, 30), new Uint8Array(2)));
  await world.run(50);
  assert.deepEqual([session.refusedChecks, session.remote, got, ice.strays], [5, undefined, [], 2]);
});

scenario("addresses of one session are bounded: the oldest is forgotten", 1, async (world) => {
  const { session, far, got, peer } = await setUp(world);
  const username = `${session.credentials.ufrag}:them`;
  peer.check(session, username, [nominate]);
  await world.run(20);
  for (let i = 0; i < 16; i++) (await Peer.on(far, { address: "192.0.2.2", port: 5_000 + i })).check(session, username);
  await world.run(50);
  peer.send(Uint8Array.of(128, 1));
  await world.run(50);
  assert.deepEqual(got, ["selected 1000"], "what comes from there is a stranger's until it asks again");
});

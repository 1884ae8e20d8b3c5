import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkInterface } from "../../../src/contract/index.js";
import {
  disabled,
  EstablishmentError,
  type Preference,
  type PreferenceName,
  type ProtocolStack,
  preferenceNames,
  protocolStacks,
  secure,
  TapsFailure,
  TransportProperties,
  TransportServices,
  unreliableDatagram,
} from "../../../src/taps/index.js";
import { tcp } from "../../../src/taps/stacks/tcp.js";
import { clientAddress, neighbours, nodeNamed, serverAddress } from "../../support/taps.js";

const remote = { address: serverAddress, port: 7 };
const security = disabled();

/** TCP twice: one that provides what a preference asks for, one that does not. */
function twoStacks(name: PreferenceName): readonly ProtocolStack[] {
  const provides = (stack: string, provision: "always" | "never"): ProtocolStack => ({
    ...tcp,
    name: stack,
    provides: { ...tcp.provides, [name]: provision },
  });
  return [provides("without", "never"), provides("with", "always")];
}

test("every Preference decides between stacks that differ in it alone, and reads back as what the stack provides", async () => {
  const chosen: Record<Preference, string[]> = { require: [], prefer: [], none: [], avoid: [], prohibit: [] };
  for (const name of preferenceNames.filter((each) => each !== "useTemporaryLocalAddress")) {
    const both = neighbours({ stacks: twoStacks(name) });
    await both.server.preconnection({ local: { port: 7 }, security }).listen();
    for (const preference of Object.keys(chosen) as Preference[]) {
      // Messages to a stack without reliability must be safe to repeat.
      const transport = new TransportProperties({ [name]: preference, safelyReplayable: true });
      const connection = await both.world.finish(both.client.preconnection({ remote, security, transport }).connect());
      chosen[preference].push(connection.stack!);
      assert.equal(connection.get(name), connection.stack === "with", name);
    }
  }
  const all = (stack: string) => Array(12).fill(stack);
  assert.deepEqual(chosen.require, all("with"));
  assert.deepEqual(chosen.prefer, all("with"));
  assert.deepEqual(chosen.avoid, all("without"));
  assert.deepEqual(chosen.prohibit, all("without"));
  // Without a preference the table's order stands.
  assert.deepEqual(chosen.none, all("without"));
});

test("what no stack provides is no-candidates when required, with the reason on each branch", async () => {
  const both = neighbours();
  const transport = new TransportProperties().require("multistreaming");
  const failing = both.client.preconnection({ remote, security, transport }).connect();
  await assert.rejects(both.world.finish(failing), (error: unknown) => {
    assert.ok(error instanceof EstablishmentError);
    assert.equal(error.reason, "no-candidates");
    assert.deepEqual(nodeNamed(error.candidates!, "TCP")!.verdict, {
      state: "excluded",
      why: "multistreaming is required",
    });
    return true;
  });
});

test("an explicit preference outweighs a default one, and the system's breaks ties", async () => {
  const stack = (name: string, more: Partial<ProtocolStack["provides"]>): ProtocolStack => ({
    ...tcp,
    name,
    provides: { ...tcp.provides, ...more },
  });
  const stacks = [
    stack("multistreaming", { multistreaming: "always" }),
    stack("soft errors", { softErrorNotify: "always" }),
  ];
  const choose = async (transport: TransportProperties, system = {}) => {
    const both = neighbours({ stacks, policy: { transport: system } });
    await both.server.preconnection({ local: { port: 7 }, security }).listen();
    return (await both.world.finish(both.client.preconnection({ remote, security, transport }).connect())).stack;
  };
  const plain = new TransportProperties();
  // By default multistreaming is preferred (§6.2.6).
  assert.equal(await choose(plain), "multistreaming");
  assert.equal(await choose(plain.prefer("softErrorNotify")), "soft errors");
  assert.equal(await choose(plain.noPreference("multistreaming")), "multistreaming");
  assert.equal(await choose(plain.noPreference("multistreaming"), { softErrorNotify: "prefer" }), "soft errors");
  assert.equal(await choose(plain, { multistreaming: "prohibit" }), "soft errors");
});

test("UDP is chosen only where Messages are safe to repeat, and TCP outruns it where both would do", async () => {
  const both = neighbours();
  await both.server.preconnection({ local: { port: 7 }, security }).listen();
  const stackOf = async (transport: TransportProperties) =>
    (await both.world.finish(both.client.preconnection({ remote, security, transport }).connect())).stack;
  assert.equal(await stackOf(unreliableDatagram), "UDP");
  assert.equal(await stackOf(unreliableDatagram.noPreference("preserveMsgBoundaries")), "TCP");
  await assert.rejects(stackOf(unreliableDatagram.with({ safelyReplayable: false })), /safelyReplayable/);
});

test("the interface property chooses the path: required, prohibited, preferred and avoided, by name and by type", async () => {
  const both = neighbours();
  const { world } = both;
  const laptop = world.host("laptop", {
    interfaces: {
      eth0: { type: "ethernet", addresses: ["10.0.0.1"] },
      wlan0: { type: "wifi", addresses: ["10.0.1.1"] },
    },
  });
  const desk = world.host("desk", { addresses: ["10.0.9.9"] });
  const router = world.router("router");
  for (const on of ["eth0", "wlan0"]) world.link(laptop.interface(on), router);
  world.link(router, desk);
  const there = new TransportServices({ host: desk, stacks: protocolStacks });
  await there.preconnection({ local: { port: 7 }, security }).listen();
  const here = new TransportServices({ host: laptop, stacks: protocolStacks });
  const from = async (wanted: Readonly<Record<string, Preference>>, system = here) => {
    const transport = new TransportProperties({ interface: wanted });
    const pre = system.preconnection({ remote: { address: "10.0.9.9", port: 7 }, security, transport });
    const connection = await world.finish(pre.connect());
    const { address } = connection.localEndpoint!;
    connection.abort();
    return address;
  };
  assert.equal(await from({ eth0: "require" }), "10.0.0.1");
  assert.equal(await from({ wlan0: "require" }), "10.0.1.1");
  assert.equal(await from({ eth0: "prohibit", lo: "prohibit" }), "10.0.1.1");
  assert.equal(await from({ wifi: "prefer" }), "10.0.1.1");
  assert.equal(await from({ ethernet: "avoid", loopback: "prohibit" }), "10.0.1.1");
  const ruled = new TransportServices({
    host: laptop,
    stacks: protocolStacks,
    policy: { interface: { eth0: "prohibit" } },
  });
  assert.equal(await from({ wifi: "none", loopback: "prohibit" }, ruled), "10.0.1.1");
  await assert.rejects(from({ eth0: "require" }, ruled), EstablishmentError);
});

test("a local endpoint binds the Connection, and one on a prohibited interface is a contradiction", async () => {
  const both = neighbours();
  await both.server.preconnection({ local: { port: 7 }, security }).listen();
  const pre = both.client.preconnection({ remote, local: { address: clientAddress, port: 4_242 }, security });
  const connection = await both.world.finish(pre.connect());
  assert.deepEqual(connection.localEndpoint, { address: clientAddress, port: 4_242 });
  const contradictory = both.client
    .preconnection({
      remote,
      local: { interface: "eth0" },
      security,
      transport: new TransportProperties({ interface: { eth0: "prohibit" } }),
    })
    .connect();
  await assert.rejects(
    both.world.finish(contradictory),
    (error: unknown) => (error as TapsFailure).reason === "invalid-configuration",
  );
});

test("a required provisioning domain is refused, since no host knows one", async () => {
  const both = neighbours();
  const transport = new TransportProperties({ pvd: { "example.com": "require" } });
  const failing = both.client.preconnection({ remote, security, transport }).connect();
  await assert.rejects(
    both.world.finish(failing),
    (error: unknown) => (error as TapsFailure).reason === "invalid-configuration",
  );
});

test("useTemporaryLocalAddress requires and prohibits temporary addresses, excludes IPv4 when required, and reads back", async () => {
  const [lasting, passing] = ["2001:db8::1", "2001:db8::ffff"];
  const both = neighbours({ clientAddresses: [clientAddress, lasting, passing] });
  await both.server.preconnection({ local: { port: 7 }, security }).listen();
  const { network } = both.clientHost;
  const known = network.interfaces.bind(network);
  network.interfaces = (): readonly NetworkInterface[] =>
    known().map((each) => ({
      ...each,
      addresses: each.addresses.map((one) => ({ ...one, temporary: one.address === passing })),
    }));
  const connect = (preference: Preference) =>
    both.world.finish(
      both.client
        .preconnection({
          remote: { host: "server.test", port: 7 },
          security,
          transport: new TransportProperties({ useTemporaryLocalAddress: preference, interface: { lo: "prohibit" } }),
        })
        .connect(),
    );
  const required = await connect("require");
  assert.equal(required.localEndpoint!.address, passing);
  assert.equal(required.get("useTemporaryLocalAddress"), true);
  const prohibited = await connect("prohibit");
  assert.equal(prohibited.localEndpoint!.address, lasting);
  assert.equal(prohibited.get("useTemporaryLocalAddress"), false);
});

test("direction takes the other direction away, at both ends of the API", async () => {
  const both = neighbours();
  const listener = await both.server.preconnection({ local: { port: 7 }, security }).listen();
  await both.world.finish(
    (async () => {
      const sends = await both.client
        .preconnection({ remote, security, transport: new TransportProperties({ direction: "unidirectional-send" }) })
        .connect();
      assert.deepEqual([sends.get("canSend"), sends.get("canReceive")], [true, false]);
      await assert.rejects(sends.receive(), /only sends/);
      const receives = await both.client
        .preconnection({
          remote,
          security,
          transport: new TransportProperties({ direction: "unidirectional-receive" }),
        })
        .connect();
      assert.deepEqual([receives.get("canSend"), receives.get("canReceive")], [false, true]);
      await assert.rejects(receives.send(new Uint8Array(1)), /only receives/);
      await listener.stop();
    })(),
  );
});

test("multipath and advertisesAltaddr: a stack that does not act on them says so in the trace", async () => {
  const both = neighbours();
  await both.server.preconnection({ local: { port: 7 }, security }).listen();
  const transport = new TransportProperties({ multipath: "active", advertisesAltaddr: true });
  const connection = await both.world.finish(both.client.preconnection({ remote, security, transport }).connect());
  assert.equal(connection.get("multipath"), "disabled");
  assert.equal(connection.get("advertisesAltaddr"), false);
  assert.equal(connection.asked.multipath, "active");
  const told = both.world.traces
    .filter(({ name }) => name === "taps:property_unsupported")
    .map(({ data }) => data["property"]);
  assert.deepEqual(told, ["multipath", "advertisesAltaddr"]);
});

test("Listen needs a local endpoint, Initiate a remote one, Rendezvous both", async () => {
  const { client } = neighbours();
  const nothing = client.preconnection({ security: secure() });
  const invalid = (error: unknown) => error instanceof TapsFailure && error.reason === "invalid-configuration";
  assert.throws(() => nothing.initiate(), invalid);
  await assert.rejects(nothing.listen(), invalid);
  await assert.rejects(nothing.rendezvous(), invalid);
  await assert.rejects(client.preconnection({ local: { port: 1 } }).rendezvous(), invalid);
});

test("contradictory bounds fail before anything is tried", () => {
  const { client } = neighbours();
  const transport = new TransportProperties({ minSendRate: 2_000, maxSendRate: 1_000 });
  assert.throws(
    () => client.preconnection({ remote, security, transport }).initiate(),
    /minSendRate is above maxSendRate/,
  );
});

test("changes to what a Preconnection was made of, or to it, do not reach what it began", async () => {
  const both = neighbours();
  await both.server.preconnection({ local: { port: 7 }, security }).listen();
  const mutable = { address: serverAddress, port: 7 };
  const list = [mutable];
  const pre = both.client.preconnection({ remote: list, security });
  mutable.port = 9;
  list.push({ address: "203.0.113.1", port: 9 });
  const connection = pre.initiate();
  pre.addFramer(() => {
    throw new Error("added too late to run");
  });
  await both.world.finish(connection.ready);
  assert.equal(connection.remoteEndpoint!.port, 7);
  // It stays usable, and knows each endpoint once.
  pre.addRemote({ address: serverAddress, port: 7 });
  const { remotes } = await both.world.finish(pre.resolve());
  assert.deepEqual(remotes, [{ address: serverAddress, port: 7 }]);
});

test("Resolve answers concrete endpoints on both sides", async () => {
  const both = neighbours();
  const { locals, remotes } = await both.world.finish(
    both.client.preconnection({ remote: { host: "server.test", port: 7 }, local: { port: 8 } }).resolve(),
  );
  assert.deepEqual(
    remotes.map(({ address, port }) => [address, port]),
    [
      ["2001:db8::2", 7],
      [serverAddress, 7],
    ],
  );
  assert.deepEqual(locals[0], { address: clientAddress, port: 8, interface: "eth0" });
});

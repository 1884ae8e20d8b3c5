import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix, utf8 } from "../../../src/bytes/index.js";
import { Secret } from "../../../src/contract/index.js";
import { espProposal, type IkeConnection, ikeId, ikeProposal, selector } from "../../../src/protocols/ikev2/index.js";
import { addresses, connectionOf, IkePair, meet, type Side } from "../../support/ike-pair.js";

const sides = ["initiator", "responder"] as const;
const established = (pair: IkePair): boolean => sides.every((side) => pair.of(side, "established").length === 1);
const reasons = (pair: IkePair, side: Side): readonly string[] =>
  pair.of(side, "closed").map(({ failure }) => failure.reason);

test("a post-quantum pre-shared key: the same, another, optional, required (RFC 8784)", () => {
  const ppk = (word: string, id = "ppk", isRequired = true) => ({
    ppk: { id, secret: Secret.copy(utf8(word)), isRequired },
  });
  const plain = new IkePair().connect().run();
  const both = new IkePair({ initiator: ppk("one"), responder: ppk("one") }).connect().run();
  assert.ok(established(both) && meet(both.pairs("initiator")[0]!, both.pairs("responder")[0]!));
  // Of the same seed, and still other keys.
  assert.ok(!both.pairs("initiator")[0]!.keysIn.encryption.equals(plain.pairs("initiator")[0]!.keysIn.encryption));
  const another = new IkePair({ initiator: ppk("one"), responder: ppk("two") }).connect().run();
  assert.deepEqual(reasons(another, "initiator"), ["authentication-refused"]);
  const required = new IkePair({ initiator: ppk("one") }).connect().run();
  assert.deepEqual(reasons(required, "initiator"), ["no-proposal-chosen"]);
  const refused = new IkePair({ responder: ppk("one") }).connect().run();
  assert.deepEqual(reasons(refused, "initiator"), ["authentication-refused"]);
  // Known by another name to the responder, who goes on without it.
  const optional = new IkePair({ initiator: ppk("one", "a", false), responder: ppk("one", "b", false) })
    .connect()
    .run();
  assert.ok(established(optional) && meet(optional.pairs("initiator")[0]!, optional.pairs("responder")[0]!));
});

test("a newcomer is sent to another gateway, and goes (RFC 5685)", () => {
  const pair = new IkePair({ responder: { redirectTo: "203.0.113.5" } }).connect().run(200);
  const [event] = pair.of("initiator", "redirected");
  assert.equal(event?.to, "203.0.113.5");
  assert.equal(pair.sent.at(-1)?.to.address, "203.0.113.5");
  assert.equal(pair.responder.status().length, 0);
  const staying = new IkePair({ initiator: { followRedirects: false }, responder: { redirectTo: "203.0.113.5" } });
  assert.ok(established(staying.connect().run()));
});

test("whoever is connected is sent to another gateway", () => {
  const pair = new IkePair().connect().run();
  pair.give("responder", { kind: "redirect", ike: 1, to: "203.0.113.5" }).run(500);
  assert.equal(pair.of("initiator", "redirected")[0]?.to, "203.0.113.5");
  assert.equal(pair.of("initiator", "child-deleted").length, 1);
  assert.ok(pair.sent.some(({ to }) => to.address === "203.0.113.5" && to.port === addresses.responder.port));
});

test("transport mode, if both want it", () => {
  const hosts = (side: Side): Partial<IkeConnection> => {
    const [own, theirs] = side === "initiator" ? ["192.0.2.1", "198.51.100.1"] : ["198.51.100.1", "192.0.2.1"];
    return { children: [{ name: "lan", mode: "transport", local: [selector(own!)], remote: [selector(theirs!)] }] };
  };
  const pair = new IkePair({ initiator: hosts("initiator"), responder: hosts("responder") }).connect().run();
  for (const side of sides) assert.equal(pair.pairs(side)[0]?.mode, "transport");
  assert.deepEqual([...pair.pairs("initiator")[0]!.ends!.local], [192, 0, 2, 1]);
  const [tunnel] = hosts("responder").children!;
  const one = new IkePair({ initiator: hosts("initiator"), responder: { children: [{ ...tunnel!, mode: "tunnel" }] } });
  assert.equal(one.connect().run().of("initiator", "child-failed").length, 1);
});

test("addresses are leased, given back, and run out", () => {
  const asking: Partial<IkeConnection> = {
    requestAddresses: [4],
    children: [{ name: "lan", local: ["dynamic"], remote: [selector("10.2.0.0/24")] }],
  };
  const giving: Partial<IkeConnection> = {
    pools: [parsePrefix("10.3.0.8/32")!],
    dns: ["10.2.0.53"],
    domains: ["corp.test"],
    children: [{ name: "lan", local: [selector("10.2.0.0/24")], remote: ["dynamic"] }],
  };
  const pair = new IkePair({ initiator: asking, responder: giving }).connect().run();
  const [given] = pair.of("initiator", "configured");
  assert.deepEqual(given && [[...given.addresses[0]!.address], given.dns, given.domains], [
    [10, 3, 0, 8],
    ["10.2.0.53"],
    ["corp.test"],
  ]);
  assert.deepEqual([...pair.pairs("responder")[0]!.remote[0]!.start], [10, 3, 0, 8]);
  assert.deepEqual([...pair.pairs("initiator")[0]!.local[0]!.end], [10, 3, 0, 8]);
  pair.connect().run();
  // The second is the same peer's, which begins with the first still there: there is no address left for it.
  assert.equal(pair.of("initiator", "child-failed")[0]?.failure.reason, "no-address");
  pair.give("initiator", { kind: "disconnect", ike: 1 }).run();
  pair.connect().run();
  assert.equal(pair.of("initiator", "configured").at(-1)?.addresses.length, 1);
});

test("a silent peer is asked, and given up", () => {
  const pair = new IkePair({ initiator: { deadPeerMs: 5_000 } }).connect().run();
  const before = pair.sent.length;
  pair.run(20_000);
  assert.ok(pair.sent.length > before, "it was asked");
  assert.deepEqual(reasons(pair, "initiator"), []);
  pair.meddle = () => [];
  pair.run(120_000);
  assert.deepEqual(reasons(pair, "initiator"), ["unanswered"]);
  assert.equal(pair.of("initiator", "child-deleted").length, 1);
});

test("what came by a child is a sign of life", () => {
  const pair = new IkePair({ initiator: { deadPeerMs: 5_000 } }).connect().run();
  const before = pair.sent.length;
  for (let i = 0; i < 5; i++)
    pair.give("initiator", { kind: "heard", spiIn: pair.pairs("initiator")[0]!.spiIn }).run(4_000);
  assert.equal(pair.sent.length, before);
});

test("a peer that lost its memory begins anew, and the old IKE SA is forgotten", () => {
  const pair = new IkePair().connect().run();
  const fresh = new IkePair({ seed: 2 });
  fresh.connect();
  // The second initiator's messages, from the same address.
  for (let i = 0; i < 4; i++) {
    const message = fresh.sent.filter(({ from }) => from === "initiator").at(-1)!;
    const sent = pair.sent.length;
    pair.deliver("responder", message.bytes);
    for (const { bytes } of pair.sent.slice(sent)) fresh.deliver("initiator", bytes);
  }
  assert.equal(fresh.of("initiator", "established").length, 1);
  assert.deepEqual(reasons(pair, "responder"), ["closed-by-peer"]);
  assert.equal(pair.responder.status().length, 1);
});

test("with MOBIKE the peer follows what it is told; without, the NAT that it sees", () => {
  for (const mobike of [true, false]) {
    const pair = new IkePair({ initiator: { mobike } }).connect().run();
    pair.at.initiator = { address: "203.0.113.7", port: 6_000 };
    const move = { kind: "move", ike: 1, local: pair.at.initiator } as const;
    pair.give("initiator", move).give("initiator", { kind: "probe", ike: 1 }).run();
    const [moved] = pair.of("responder", "moved");
    assert.deepEqual(moved?.to, pair.at.initiator, `MOBIKE: ${mobike}`);
    assert.deepEqual(moved?.spisIn, [pair.pairs("responder")[0]!.spiIn]);
    pair.give("responder", { kind: "rekey-child", spiIn: pair.pairs("responder")[0]!.spiIn }).run();
    assert.ok(meet(pair.pairs("initiator")[1]!, pair.pairs("responder")[1]!));
  }
});

test("an honest end is believed: without a NAT nothing is encapsulated, nor marked from port 500", () => {
  const options = { encapsulation: "when-nat" as const };
  const remote = { ...addresses.responder, port: 500 };
  const pair = new IkePair({ initiator: { ...options, remote }, responder: options });
  pair.at.initiator = { ...addresses.initiator, port: 500 };
  pair.at.responder = remote;
  pair.connect().run();
  // An initiator that does not know where it sends from pretends to a NAT all the same, for it cannot say.
  assert.ok(established(pair));
  const told = pair.initiator.status()[0]!.isNatDetected;
  assert.deepEqual(told, { local: false, remote: false });
});

test("IKE SAs and children renew by themselves", () => {
  const pair = new IkePair({ initiator: { rekeySeconds: 100 }, responder: { rekeySeconds: 0 } }).connect().run(500_000);
  assert.ok(pair.of("responder", "rekeyed").length >= 4);
  assert.equal(pair.responder.status().length, 1);
});

test("more children of a connection, made and deleted by name", () => {
  const children = (side: Side) => [
    ...connectionOf(side).children,
    {
      name: "dmz",
      proposals: [espProposal("aes256-sha512-ecp384")],
      local: [selector(side === "initiator" ? "10.5.0.0/16" : "10.6.0.0/16", 6, 80)],
      remote: [selector(side === "initiator" ? "10.6.0.0/16" : "10.5.0.0/16", 6)],
    },
  ];
  const pair = new IkePair({
    initiator: { children: children("initiator") },
    responder: { children: children("responder") },
  });
  pair.connect().run().give("initiator", { kind: "acquire", ike: 1, child: "dmz" }).run();
  const [, ours] = pair.pairs("initiator");
  assert.ok(ours && meet(ours, pair.pairs("responder")[1]!));
  assert.deepEqual([ours.local[0]!.protocol, ours.local[0]!.endPort], [6, 80]);
  pair.give("responder", { kind: "delete-child", spiIn: ours.spiOut }).run();
  for (const side of sides) assert.equal(pair.of(side, "child-deleted")[0]?.name, "dmz");
});

test("proposals and identities in text", () => {
  for (const text of [
    "",
    "aes128",
    "aes128gcm16-sha256-x25519",
    "null-sha256-x25519",
    "aes128-sha256-mlkem768",
    "aes128-md5-x25519",
  ]) {
    assert.throws(() => ikeProposal(text), { reason: "bad-configuration" }, text);
  }
  assert.throws(() => espProposal("aes128"), { reason: "bad-configuration" });
  assert.throws(() => ikeId(""), { reason: "bad-configuration" });
  assert.deepEqual(
    ["10.0.0.1", "fd00::1", "a@b.test", "@b.test", "keyid:x", "email:c@d"].map((text) => ikeId(text).type),
    [1, 5, 3, 2, 11, 3],
  );
});

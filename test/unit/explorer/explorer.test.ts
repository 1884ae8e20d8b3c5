import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { seededEntropy } from "../../../src/crypto/index.js";
import { asJson, choiceFrom, explorerServer, page, play, type Recording, scenes } from "../../../src/explorer/index.js";
import * as labels from "../../../src/explorer/labels.js";
import { limits } from "../../../src/explorer/limits.js";
import { blocksOf } from "../../support/pcapng.js";
import { provider } from "../../support/provider.js";

const under = (conditions: Readonly<Record<string, number>>) =>
  choiceFrom((name) => conditions[name]?.toString()).conditions;

for (const scene of scenes) {
  test(`${scene.title} is played from handshake to goodbye, and the same packets pass every time`, async () => {
    const conditions = under({ delay: 15, bytes: 3_000 });
    const recording = await play(scene, conditions, provider);
    assert.equal(recording.failure, undefined);
    assert.ok(recording.standingMs! >= 30, "no session stands before a round trip");
    assert.ok(recording.outcome.some(([what, value]) => what === "echoed" && value === "3000 bytes of 3000"));
    for (const { at, arrival, label } of recording.packets) {
      assert.equal(arrival! - at, 15);
      assert.doesNotMatch(label, /^no /);
    }
    const again = await play(scene, conditions, provider);
    assert.deepEqual(asJson(again), asJson(recording));
    assert.notDeepEqual(
      asJson(await play(scene, under({ delay: 15, bytes: 3_000, seed: 2 }), provider)),
      asJson(recording),
    );
  });

  test(`${scene.title} over a link that loses one packet in ten: what was lost never comes, and the page says so`, async () => {
    const conditions = under({ loss: 10, bytes: 20_000, seed: 3 });
    const recording = await play(scene, conditions, provider);
    assert.equal(recording.failure, undefined);
    const lost = recording.packets.filter(({ arrival }) => arrival === undefined);
    assert.ok(lost.length > 0 && lost.every(({ what }) => what === "lost"));
    const text = page({ scene, beside: undefined, conditions }, [recording], false);
    assert.equal(text.split('class="cross"').length - 1, lost.length);
    assertWell(text);
  });
}

test("a scene that cannot end is ended, and what went wrong is on the page", async () => {
  const [scene] = scenes;
  const conditions = under({ loss: limits.lossPercentMax, seed: 5, bytes: 200_000 });
  const never = { ...scene!, play: () => new Promise<void>(() => {}) };
  const recording = await play(never, conditions, provider);
  assert.ok(recording.failure !== undefined);
  assert.match(page({ scene: scene!, beside: undefined, conditions }, [recording], true), /<dt>failed<\/dt>/);
});

test("QUIC's packets in one batch are told apart, and its window is drawn", async () => {
  const scene = scenes.find(({ name }) => name === "quic1")!;
  const conditions = under({ bytes: 50_000 });
  const recording = await play(scene, conditions, provider);
  const data = recording.packets.filter(({ label }) => label === "1-RTT");
  assert.ok(data.length > 40);
  for (const { messages } of data) assert.equal(messages.filter((each) => each.startsWith("1RTT")).length, 1);
  assert.match(page({ scene, beside: undefined, conditions }, [recording], false), /congestion window/);
});

test("a label is found for any bytes", () => {
  const entropy = seededEntropy("labels");
  const all: readonly [string, labels.Label][] = [
    ["tls", labels.tlsRecords],
    ["dtls", labels.dtlsRecords],
    ["quic", labels.quicPackets],
    ["curvecp", labels.curvecpPackets],
    ["wireguard", labels.wireguardMessages],
    ["openvpn", labels.openvpnPackets],
    ["media", labels.mediaPackets],
    ["minimalt", labels.minimaltPackets],
  ];
  for (let i = 0; i < 3_000; i++) {
    const bytes = entropy.fill(new Uint8Array(1 + (i % 64)));
    if (i % 3 === 0) bytes.set([22, 3, 3].slice(0, bytes.length));
    for (const [name, label] of all) assert.equal(typeof label(bytes), "string", name);
  }
});

test("conditions and scenes that cannot be are refused by name", () => {
  const given = (name: string, value: string) => () => choiceFrom((each) => (each === name ? value : undefined));
  for (const value of ["-1", "1.5", "5001", "NaN", "0x10", "1e3", " 1"])
    assert.throws(given("delay", value), /^RangeError: delay is/);
  assert.throws(given("loss", "51"), /loss is a whole number from 0 to 50/);
  assert.throws(given("bytes", "0"), /bytes is/);
  assert.throws(given("seed", "4294967296"), /seed is/);
  assert.throws(given("scene", "__proto__"), /scene is one of tls13,/);
  assert.throws(given("beside", "<script>"), /beside is one of/);
});

test("the server answers whoever sits here: a page, its JSON, its capture; all else is refused", async () => {
  const server = explorerServer(provider).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const get = async (path: string, options: { method?: string; host?: string } = {}) => {
    const { method = "GET", host = `127.0.0.1:${port}` } = options;
    const asked = request({ port, host: "127.0.0.1", path, method, headers: { host } }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    const pieces: Buffer[] = [];
    for await (const piece of response) pieces.push(piece as Buffer);
    return { status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces) };
  };
  try {
    const whole = await get("/?scene=dtls13&beside=wireguard&delay=7");
    assert.equal(whole.status, 200);
    assert.match(String(whole.headers["content-security-policy"]), /^default-src 'none'/);
    const text = whole.body.toString();
    assertWell(text);
    assert.match(text, /<option value="dtls13" selected>/);
    assert.match(text, /DTLS 1\.3/);
    assert.match(text, /Handshake Initiation/);
    const [, link] = /href="(\/capture[^"]+)"/.exec(text)!;
    const capture = await get(link!.replaceAll("&amp;", "&"));
    assert.ok(blocksOf(capture.body).filter(({ packet }) => packet !== undefined).length > 8);
    const json = JSON.parse((await get("/recording.json?scene=wireguard&delay=7")).body.toString()) as Recording;
    assert.equal(json.scene, "wireguard");
    assert.equal(json.packets[0]!.label, "Handshake Initiation");
    assert.equal((await get("/", { method: "POST" })).status, 405);
    assert.equal((await get("/", { method: "HEAD" })).body.length, 0);
    assert.equal((await get("/etc/passwd")).status, 404);
    assert.equal((await get("/?scene=%3Cb%3E")).status, 400);
    assert.equal((await get("/", { host: "attacker.example" })).status, 421);
    assert.equal((await get("/", { host: `localhost:${port}` })).status, 200);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

/** No script, nothing from elsewhere, and every SVG element closed. */
function assertWell(text: string): void {
  assert.doesNotMatch(text, /<script|javascript:|\son\w+=|https?:\/\/|src=/i);
  for (const [svg] of text.matchAll(/<svg[\s\S]*?<\/svg>/g)) {
    const open: string[] = [];
    for (const [, close, name, self] of svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
      if (close) assert.equal(open.pop(), name);
      else if (!self) open.push(name!);
    }
    assert.deepEqual(open, []);
  }
}

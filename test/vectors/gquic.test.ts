import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fromHex, toHex, utf8 } from "../../src/bytes/index.js";
import { zlib } from "../../src/hosts/zlib.js";
import {
  type Certificate,
  createVerifier,
  isPkiFailure,
  parseCertificate,
  readCertificates,
} from "../../src/pki/index.js";
import { compressChain, decompressChain } from "../../src/protocols/gquic/messages/certificates.js";
import { decodeMessage, encodeMessage } from "../../src/protocols/gquic/messages/message.js";
import { proofAlgorithm, proofInput } from "../../src/protocols/gquic/messages/proof.js";
import { Tag, tagText } from "../../src/protocols/gquic/messages/tags.js";
import { fnv64, hashPacket } from "../../src/protocols/gquic/protection/fnv.js";
import { deriveKeys, diversify, obfuscationKeys } from "../../src/protocols/gquic/protection/keys.js";
import {
  AeadProtection,
  hideHeader,
  NullProtection,
  type Protection,
  showHeader,
} from "../../src/protocols/gquic/protection/protection.js";
import { FrameType, FrameView } from "../../src/protocols/gquic/wire/frames.js";
import { HeaderPlan, HeaderView, Level } from "../../src/protocols/gquic/wire/header.js";
import { float16Of, u32At } from "../../src/protocols/gquic/wire/numbers.js";
import { versionByCode, versions } from "../../src/protocols/gquic/wire/versions.js";
import { decodePacketNumber } from "../../src/protocols/quic/protection/packet-number.js";
import {
  type Capture,
  type CapturePacket,
  capture,
  directionKeys,
  fixture,
  rawOf,
  secret,
  versionOf,
} from "../support/gquic-capture.js";
import { provider } from "../support/provider.js";

const names = readdirSync(new URL("../../../test/vectors/data/gquic/", import.meta.url))
  .filter((name) => /^(q0|vn-).*\.json$/.test(name))
  .map((name) => name.replace(".json", ""));
assert.ok(names.length >= 38, `${names.length} captures`);

const sha256 = (bytes: Uint8Array): string => toHex(provider.hash("SHA-256").digest(bytes)).slice(0, 32);

test("published values: keys, null encryption, hashes, proofs, messages", () => {
  const values = JSON.parse(fixture("values.json"));
  const { keyDerivation: k, nullEncryption: n } = values;
  for (const [level, name] of [
    ["initial", "initial"],
    ["forward-secure", "forwardSecure"],
  ] as const) {
    const keys = deriveKeys(provider, {
      version: versions.Q043,
      level,
      nonces: fromHex(k.nonces),
      cid: fromHex(k.connectionId),
      hello: fromHex(k.chlo),
      config: fromHex(k.scfg),
      leaf: fromHex(k.leafCert),
      shared: secret(k.sharedSecret),
    });
    const wanted = k[name];
    const server = wanted.divNonce ? diversify(provider, keys.server, fromHex(wanted.divNonce)) : keys.server;
    assert.equal(toHex(keys.client.key.expose()), wanted.clientKey);
    assert.equal(toHex(keys.client.iv.expose()), wanted.clientIV);
    assert.equal(toHex(server.key.expose()), wanted.serverKey);
    assert.equal(toHex(server.iv.expose()), wanted.serverIV);
  }
  const header = fromHex(n.aad);
  const plain = fromHex(n.plaintext);
  for (const [word, expected] of [
    ["Client", n.fromClient],
    ["Server", n.fromServer],
  ]) {
    const whole = new Uint8Array([...header, ...new Uint8Array(12), ...plain]);
    hashPacket(whole, 0, header.length, header.length + 12, whole.length, utf8(word), whole, header.length);
    assert.equal(toHex(whole.subarray(header.length)), expected);
  }
  assert.equal(toHex(fnv64(fromHex(values.certHashFnv1a64.cert))), values.certHashFnv1a64.valueLittleEndian);
  const input = proofInput(provider, fromHex(values.proofDigest.chlo), fromHex(values.proofDigest.scfg));
  assert.equal(toHex(provider.hash("SHA-256").digest(fromHex(values.proofDigest.chlo))), toHex(input.subarray(42, 74)));
  const raw = fromHex(values.handshakeMessage.bytes);
  const message = decodeMessage(raw);
  assert.equal(tagText(message.tag), "CHLO");
  assert.equal(toHex(encodeMessage(message.tag, message.values)), values.handshakeMessage.bytes);
  const { q050Initial: q } = values;
  const hidden = obfuscationKeys(provider, fromHex(q.connectionId));
  assert.deepEqual(
    [hidden.client, hidden.server].flatMap(({ key, iv, header }) => [key, iv, header!].map((s) => toHex(s.expose()))),
    [q.clientKey, q.clientIV, q.clientHP, q.serverKey, q.serverIV, q.serverHP],
  );
});

const certificatesOf = (name: string): readonly Uint8Array[] => {
  const read = readCertificates(fixture(name));
  if (isPkiFailure(read)) throw read;
  return read;
};

/** Everything that a capture's packets may be protected by. */
class Keyring {
  readonly #capture: Capture;
  readonly #made = new Map<string, Protection[]>();

  constructor(capture: Capture) {
    this.#capture = capture;
  }

  of(
    from: "client" | "server",
    level: Level,
    cid: string,
    nonce: Uint8Array | undefined,
    direction: "read" | "write",
  ): Protection[] {
    const name = `${from} ${level} ${cid} ${nonce && toHex(nonce)} ${direction}`;
    let made = this.#made.get(name);
    if (made === undefined) this.#made.set(name, (made = this.#make(from, level, cid, nonce, direction)));
    return made;
  }

  #make(
    from: "client" | "server",
    level: Level,
    cid: string,
    nonce: Uint8Array | undefined,
    direction: "read" | "write",
  ) {
    const version = versionOf(this.#capture);
    if (level === Level.clear) {
      if (!version.hidesHeaders) return [new NullProtection(from)];
      return [new AeadProtection(provider, version, obfuscationKeys(provider, fromHex(cid))[from], direction)];
    }
    return this.#capture.keys
      .filter((keys) => keys.phase === (level === Level.initial ? "I" : "F"))
      .map((keys) => {
        const given = directionKeys(keys, from);
        const used =
          from === "server" && level === Level.initial && !keys.diversified
            ? diversify(provider, given, nonce!)
            : given;
        return new AeadProtection(provider, version, used, direction);
      });
  }
}

/** A frame as the captures' log has it. */
function describe(frame: FrameView, bytes: Uint8Array): string {
  const reason = () => `'${new TextDecoder().decode(bytes.subarray(frame.dataAt, frame.dataAt + frame.dataSize))}'`;
  switch (frame.type) {
    case FrameType.padding:
      return `PADDING x${frame.dataSize}`;
    case FrameType.stream:
      return `STREAM id=${frame.id} off=${frame.offset} len=${frame.dataSize}${frame.fin ? " FIN" : ""}`;
    case FrameType.crypto:
      return `CRYPTO off=${frame.offset} len=${frame.dataSize}`;
    case FrameType.ack: {
      const { bounds } = frame;
      const blocks: string[] = [];
      for (let i = 1; i < frame.count; i++) {
        blocks.push(`(${bounds[2 * i - 2]! - bounds[2 * i + 1]! - 1}, ${bounds[2 * i + 1]! - bounds[2 * i]! + 1})`);
      }
      const first = bounds[1]! - bounds[0]! + 1;
      const more = blocks.length > 0 ? ` blocks=[${blocks.join(", ")}]` : "";
      return `ACK largest=${bounds[1]} delay16=${float16Of(frame.delayUs)} first=${first}${more} ts=${frame.timestamps}`;
    }
    case FrameType.stopWaiting:
      return `STOP_WAITING least_unacked_delta=${frame.delta}`;
    case FrameType.connectionClose:
      return `CONNECTION_CLOSE err=${frame.code} reason=${reason()}`;
    case FrameType.goaway:
      return `GOAWAY err=${frame.code} last=${frame.id} reason=${reason()}`;
    case FrameType.windowUpdate:
      return `WINDOW_UPDATE id=${frame.id} off=${frame.offset}`;
    case FrameType.blocked:
      return `BLOCKED id=${frame.id}`;
    case FrameType.rstStream:
      return `RST_STREAM id=${frame.id} off=${frame.offset} err=${frame.code}`;
    case FrameType.ping:
      return "PING";
    default:
      return `type ${frame.type}`;
  }
}

/** Opens a packet with what the capture knows, and seals it again to the same bytes. Answers its number. */
function replay(packet: CapturePacket, capture: Capture, keyring: Keyring, largest: number, cid: string): number {
  const original = rawOf(packet);
  const header = new HeaderView();
  const version = original[0]! & 0x80 ? (versionByCode(u32At(original, 1)) ?? versionOf(capture)) : versionOf(capture);
  assert.ok(version.layout.read(header, original, 0, original.length, packet.from), "a header");
  assert.equal(header.kind, "packet");
  const level = packet.level as Level;
  const isHidden = version.hidesHeaders;
  const opened = original.slice();
  let used = -1;
  const nonce = packet.nonce === undefined ? undefined : fromHex(packet.nonce);
  const candidates = keyring.of(packet.from, level, cid, nonce, "read");
  let number = 0;
  for (const [i, protection] of candidates.entries()) {
    opened.set(original);
    version.layout.read(header, opened, 0, opened.length, packet.from);
    if (isHidden) assert.ok(showHeader(protection.mask!, header, opened, 0));
    if (header.level !== -1) assert.equal(header.level, level);
    let truncated = 0;
    for (let at = 0; at < header.numberSize; at++) truncated = truncated * 256 + opened[header.numberAt + at]!;
    number = decodePacketNumber(truncated, header.numberSize, largest + 1);
    if (!protection.open(opened, 0, header.payloadAt, header.end, number)) continue;
    used = i;
    break;
  }
  assert.ok(used >= 0, "a key opens it");
  assert.deepEqual([number, header.numberSize], [packet.number, packet.numberSize]);
  assert.equal(header.end, original.length);
  const protection = candidates[used]!;
  const from = header.payloadAt + protection.before;
  const to = header.end - protection.behind;
  if (packet.plain !== undefined) assert.equal(sha256(opened.subarray(from, to)), packet.plain);
  const frame = new FrameView();
  const frames: string[] = [];
  for (let at = from; at < to; ) {
    at = frame.read(version, opened, at, to, header.numberSize);
    assert.notEqual(at, -1, "a frame parses");
    frames.push(describe(frame, opened));
  }
  assert.deepEqual(frames, packet.frames);
  // The other way: our header and our seal over the same payload are the packet that came.
  const again = original.slice();
  again.fill(0);
  const plan = new HeaderPlan();
  plan.writer = packet.from;
  plan.version = version.code;
  plan.level = level;
  plan.cid = fromHex(cid);
  plan.nonce = nonce;
  plan.numberSize = header.numberSize as 1 | 2 | 4;
  plan.omitsCid = header.cidAt < 0;
  plan.saysVersion = header.version !== 0;
  plan.isFirst = packet.from === "client" && packet.number === 1;
  // A pure acknowledgement under forward-secure keys may have a long header: such a header is not ours to write.
  if (header.isLong && level === Level.forwardSecure) plan.level = Level.clear;
  const isForeign = level === Level.initial && packet.from === "client" && original[0] === 0xe3;
  const isForeign44 = level === Level.initial && packet.from === "client" && original[0] === 0xfd;
  if (isForeign || isForeign44) plan.level = Level.clear;
  version.layout.put(plan, again, 0);
  assert.equal(plan.payloadAt, header.payloadAt);
  for (let i = plan.numberSize - 1, rest = number; i >= 0; i--, rest = Math.floor(rest / 256)) {
    again[plan.numberAt + i] = rest % 256;
  }
  if (plan.lengthAt >= 0) {
    const length = header.end - plan.numberAt;
    again[plan.lengthAt] = 0x40 | (length >> 8);
    again[plan.lengthAt + 1] = length & 255;
  }
  again.set(opened.subarray(from, to), from);
  const sealer = keyring.of(packet.from, level, cid, nonce, "write")[used]!;
  sealer.seal(again, 0, plan.payloadAt, to, number);
  if (isHidden) hideHeader(sealer.mask!, again, 0, plan.numberAt, plan.numberSize, nonce !== undefined);
  // Q050's long length field may have one byte less in other programs.
  assert.equal(toHex(again), toHex(original));
  return number;
}

let replayed = 0;
for (const name of names.filter((each) => each.startsWith("q0") && !each.includes("reset"))) {
  test(`${name}: every packet opens, its frames are read, and it is sealed again to the same bytes`, () => {
    const recorded = capture(name);
    const keyring = new Keyring(recorded);
    const largest = { client: 0, server: 0 };
    const cid = (recorded.keys[0]?.cid ?? "").toLowerCase();
    for (const [i, packet] of recorded.packets.entries()) {
      try {
        largest[packet.from] = Math.max(
          largest[packet.from],
          replay(packet, recorded, keyring, largest[packet.from], cid),
        );
        replayed++;
      } catch (error) {
        throw new Error(`packet ${i + 1} of ${name} from the ${packet.from}: ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
  });

  test(`${name}: keys follow from the recorded private keys`, () => {
    const recorded = capture(name);
    const version = versionOf(recorded);
    for (const keys of recorded.keys) {
      const shared = keys.myPrivate
        ? provider.agreement("X25519").conclude(secret(keys.myPrivate), fromHex(keys.peerPublic!))!
        : secret(keys.shared);
      assert.equal(toHex(shared.expose()), keys.shared);
      const info = fromHex(keys.info);
      const label = keys.phase === "I" ? 19 : 34;
      const made = deriveKeys(provider, {
        version,
        level: keys.phase === "I" ? "initial" : "forward-secure",
        nonces: fromHex(keys.nonces),
        cid: info.subarray(label, label + 8),
        hello: info.subarray(label + 8),
        config: new Uint8Array(0),
        leaf: new Uint8Array(0),
        shared,
      });
      assert.equal(toHex(made.client.key.expose()), keys.clientKey);
      assert.equal(toHex(made.client.iv.expose()), keys.clientIv);
      if (keys.subkey) assert.equal(toHex(made.subkey.expose()), keys.subkey);
      if (keys.serverHeader) assert.equal(toHex(made.server.header!.expose()), keys.serverHeader);
      if (keys.diversified && keys.phase === "I") continue;
      assert.equal(toHex(made.server.key.expose()), keys.serverKey);
      assert.equal(toHex(made.server.iv.expose()), keys.serverIv);
    }
  });

  test(`${name}: messages are written again to the same bytes, and the server's proof holds`, () => {
    const { messages } = capture(name);
    const all = [...(messages.client ?? []), ...(messages.server ?? [])].map((hex) => decodeMessage(fromHex(hex)));
    for (const message of all) {
      assert.equal(toHex(encodeMessage(message.tag, message.values)), toHex(message.raw));
    }
    const authority = certificatesOf("ca.pem");
    let hello: Uint8Array | undefined;
    const rejections = all.filter(({ tag, values }) => tag === Tag.REJ && values.has(Tag.PROF));
    for (const [i, { values }] of rejections.entries()) {
      hello = fromHex(messages.client![i]!);
      const chain = values.has(Tag.CERT)
        ? decompressChain(
            values.get(Tag.CERT)!,
            ["leaf-rsa", "leaf-ecdsa", "ca"].flatMap((each) => certificatesOf(`${each}.pem`)),
            zlib,
          )
        : [];
      if (chain.length === 0) continue;
      const verifier = createVerifier({ provider, anchors: authority });
      const verdict = verifier.verify({
        chain,
        referenceIds: [{ kind: "dns", value: "gquic.example" }],
        purpose: "server",
        at: Date.UTC(2026, 10, 27),
      });
      const leaf = parseCertificate(chain[0]!) as Certificate;
      const key = verdict.trusted ? verdict.publicKey : provider.publicKey(leaf.spki)!;
      const signed = proofInput(provider, hello, values.get(Tag.SCFG)!);
      assert.ok(key.verify(proofAlgorithm(key)!, signed, values.get(Tag.PROF)!), "PROF");
      const packed = compressChain(chain, new Uint8Array(0), zlib);
      assert.deepEqual(decompressChain(packed, [], zlib), chain);
    }
  });
}

test("so many packets of strangers were opened and sealed again", () => {
  assert.ok(replayed > 900, `${replayed}`);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, toHex, utf8, Writer } from "../../../../src/bytes/index.js";
import { Secret } from "../../../../src/contract/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import {
  type Algorithms,
  available,
  cipherTypes,
  defaultAlgorithms,
} from "../../../../src/protocols/zrtp/algorithms.js";
import type { RetainedSecrets } from "../../../../src/protocols/zrtp/cache.js";
import type { ZrtpEvent } from "../../../../src/protocols/zrtp/events.js";
import { Exchange, type OurSide } from "../../../../src/protocols/zrtp/exchange.js";
import { hashChain, implicitHash, seal } from "../../../../src/protocols/zrtp/hash-chain.js";
import { kdf, other, pbxSecret } from "../../../../src/protocols/zrtp/keys.js";
import type { ConfirmFlags } from "../../../../src/protocols/zrtp/messages/confirm.js";
import { frame } from "../../../../src/protocols/zrtp/messages/frame.js";
import { decodeHello, encodeHello } from "../../../../src/protocols/zrtp/messages/hello.js";
import { putPacket } from "../../../../src/protocols/zrtp/messages/packet.js";
import { renderSas } from "../../../../src/protocols/zrtp/sas.js";
import { provider as crypto } from "../../../support/provider.js";
import { arriving, seen, start, zidOf, zrtpEnd } from "../../../support/zrtp-pair.js";

const noFlags: ConfirmFlags = { enrollment: false, verified: false, allowClear: false, disclosure: false };
const secret = (byte: number): Secret => new Secret(new Uint8Array(32).fill(byte));
const algorithms: Algorithms = available(crypto, { ...defaultAlgorithms, keyAgreements: ["X255"] });

/** A peer that has finished a key agreement with our machine and may say what ours never says: a PBX, or somebody who wants to go clear. */
class Rogue {
  readonly machine = zrtpEnd(1, "b", { algorithms, passive: true, cached: true });
  readonly events: ZrtpEvent[] = [];
  readonly exchange: Exchange;
  readonly #retained: RetainedSecrets | undefined;
  readonly #buffer = new Uint8Array(4096);

  constructor(options: {
    readonly mitm?: boolean;
    readonly flags?: Partial<ConfirmFlags>;
    readonly pbx?: Secret;
    readonly retained?: RetainedSecrets;
  }) {
    this.#retained = options.retained;
    const entropy = seededEntropy("rogue");
    const hash = implicitHash(crypto);
    const chain = hashChain(hash, entropy.fill(new Uint8Array(32)));
    const flags = { signatureCapable: false, mitm: options.mitm ?? false, passive: false };
    const hello = seal(
      hash,
      chain.h2,
      encodeHello({ client: "PBX", h3: chain.h3, zid: zidOf("a"), flags, algorithms }),
    );
    const ours: OurSide = {
      crypto,
      entropy,
      zid: zidOf("a"),
      chain,
      hello,
      algorithms,
      passive: false,
      signalledKey: undefined,
      association: undefined,
    };
    this.#handle({ kind: "opened" });
    this.say(hello);
    const theirs = this.#said("Hello");
    const known = { rs1: undefined, rs2: undefined, auxiliary: undefined, pbx: options.pbx?.expose() };
    this.exchange = new Exchange(ours, { message: theirs, hello: decodeHello(theirs)! }, known, false);
    this.say(frame("HelloACK"));
    this.say(this.exchange.begin() as Uint8Array);
    this.say(this.exchange.dhPart1Received(this.#said("DHPart1")) as Uint8Array);
    assert.equal(this.exchange.confirmReceived(this.#said("Confirm1")), undefined);
    this.say(this.exchange.confirm({ ...noFlags, ...options.flags }, 0xffff_ffff));
    assert.ok(this.machine.isSecure);
  }

  /** What the machine answered with since the last time, by type. */
  answers: { readonly type: string; readonly message: Uint8Array }[] = [];

  say(message: Uint8Array): void {
    const bytes = new Uint8Array(message.length + 16);
    putPacket(bytes, 1, 0xa11ce, message);
    this.#handle(arriving(bytes, "a"));
  }

  give(input: { readonly kind: "enroll" }): void {
    this.#handle(input);
  }

  #handle(input: Parameters<Rogue["machine"]["handle"]>[0]): void {
    this.machine.handle(input, start);
    for (;;) {
      const transmit = this.machine.transmit(this.#buffer);
      if (transmit !== undefined) {
        const { type, message } = seen(this.#buffer.slice(0, transmit.size));
        this.answers.push({ type, message });
        continue;
      }
      const event = this.machine.event();
      if (event === undefined) return;
      this.events.push(event);
      if (event.kind === "question")
        this.machine.handle({ kind: "answer", id: event.id, answer: this.#retained }, start);
    }
  }

  #said(type: string): Uint8Array {
    const found = this.answers.find((each) => each.type === type);
    assert.ok(found, `${type} was awaited among ${this.answers.map((each) => each.type)}`);
    return found.message;
  }

  mac(over: Uint8Array): Uint8Array {
    return this.exchange.hash!.hmac(this.exchange.side(this.exchange.role!).mac.expose()).compute(over).slice(0, 8);
  }

  /** A relayed SAS (RFC 6189 §5.13). */
  relay(type: string, sashash: Uint8Array): Uint8Array {
    const inner = new Writer()
      .u24(0)
      .u8(4)
      .put(utf8(type.padEnd(4)))
      .put(sashash)
      .take();
    const iv = new Uint8Array(16).fill(3);
    const { cfb } = cipherTypes[this.exchange.choice!.cipher];
    crypto
      .cipher(cfb)
      .encryptor(this.exchange.side(this.exchange.role!).zrtp.expose())
      .apply(inner, 0, inner.length, iv);
    return frame("SASrelay", (writer) => writer.put(this.mac(inner)).put(iv).put(inner));
  }

  get warnings(): string[] {
    return this.events.flatMap((event) => (event.kind === "warning" ? [event.warning] : []));
  }
}

const last = (rogue: Rogue) => rogue.answers.at(-1)!;

test("a GoClear that is the peer's own is refused with Error 0x100, told once, and the call goes on", () => {
  const rogue = new Rogue({});
  const outcome = rogue.events.find((event) => event.kind === "confirmed");
  assert.ok(outcome);
  const goClear = frame("GoClear", (writer) => writer.put(rogue.mac(utf8("GoClear "))));
  for (let i = 0; i < 2; i++) {
    rogue.say(goClear);
    assert.deepEqual([last(rogue).type, toHex(last(rogue).message.subarray(12))], ["Error", "00000100"]);
  }
  assert.deepEqual(rogue.warnings, ["clear-refused"]);
  assert.ok(rogue.machine.isSecure);
  // Reflected: under our own key it is none.
  const { hash, role } = rogue.exchange;
  const ours = hash!
    .hmac(rogue.exchange.side(other(role!)).mac.expose())
    .compute(utf8("GoClear "))
    .subarray(0, 8);
  rogue.say(frame("GoClear", (writer) => writer.put(ours)));
  assert.equal(rogue.machine.drops["bad-clear-mac"], 1);
});

test("a relayed SAS of a PBX that was enrolled with is what the users compare; it is acknowledged", () => {
  const pbx = secret(8);
  const rogue = new Rogue({
    mitm: true,
    pbx,
    retained: { rs1: undefined, rs2: undefined, pbx, verified: false, expiresAt: undefined },
  });
  const sashash = Uint8Array.from({ length: 32 }, (_, i) => 200 - i);
  rogue.say(rogue.relay("B256", sashash));
  assert.equal(last(rogue).type, "RelayACK");
  const relayed = rogue.events.find((event) => event.kind === "relayed");
  assert.equal(relayed?.words.text, renderSas("B256", sashash).text);
  assert.equal(relayed?.flags.verified, true);
  assert.deepEqual(rogue.warnings, []);
});

test("a relayed SAS of anybody else is acknowledged and not shown: no M flag, or no secret (§7.3)", () => {
  for (const options of [{}, { mitm: true }, { mitm: true, pbx: secret(8) }]) {
    const rogue = new Rogue(options);
    rogue.say(rogue.relay("B32", new Uint8Array(32).fill(1)));
    assert.equal(last(rogue).type, "RelayACK");
    assert.equal(
      rogue.events.some((event) => event.kind === "relayed"),
      false,
    );
    assert.deepEqual(rogue.warnings, ["untrusted-relay"]);
  }
});

test("enrollment: a PBX asks, nothing is kept of it until the user says so, then its secret is that of §7.3.1", () => {
  const rogue = new Rogue({ mitm: true, flags: { enrollment: true } });
  assert.deepEqual(rogue.warnings, ["enrollment"]);
  const kept = () => rogue.events.flatMap((event) => (event.kind === "retain" ? [event.secrets?.pbx] : []));
  assert.deepEqual(kept(), [undefined]);
  rogue.give({ kind: "enroll" });
  const { hash, keys, zids } = rogue.exchange;
  const expected = pbxSecret(hash!, keys!.first!.session, zids);
  assert.equal(
    toHex(expected),
    toHex(kdf(hash!, keys!.first!.session.expose(), "Trusted MiTM key", concat(zidOf("a"), zidOf("b")), 32)),
  );
  assert.ok(kept()[1]!.equals(expected));
  // Who is no PBX cannot ask.
  const phone = new Rogue({ flags: { enrollment: true } });
  phone.give({ kind: "enroll" });
  assert.deepEqual(phone.warnings, []);
  assert.ok(phone.events.every((event) => event.kind !== "retain" || event.secrets?.pbx === undefined));
});

test("a peer that gives the keys away says so, and the user is told (§11)", () => {
  assert.deepEqual(new Rogue({ flags: { disclosure: true } }).warnings, ["disclosure"]);
});

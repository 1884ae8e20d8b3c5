import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../../../../src/bytes/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import {
  type ApplicationAware,
  enoKind,
  Negotiation,
  type NegotiationConfig,
  readEnoOption,
  teps,
  writeEnoOption,
} from "../../../../src/protocols/tcpcrypt/index.js";
import { provider as crypto } from "../../../support/provider.js";

const option = (hex: string) => ({ kind: enoKind, content: fromHex(hex) });
const now = 0;

function negotiation(config: Partial<NegotiationConfig> = {}): Negotiation {
  return new Negotiation({
    crypto,
    entropy: seededEntropy("negotiation"),
    opener: "active",
    b: config.opener === "passive",
    applicationAware: "no" as ApplicationAware,
    teps,
    offered: undefined,
    sessions: undefined,
    givesUp: false,
    ...config,
  });
}

/** What an active opener makes of the options of a SYN-ACK. */
const answered = (hexes: readonly string[], config: Partial<NegotiationConfig> = {}) => {
  const eno = negotiation(config);
  assert.ok(eno.write(true) !== undefined);
  eno.read(hexes.map(option), true, true, now);
  return eno;
};

test("every form of suboption is read (RFC 8547 §4.1, Table 1; §4.2; §4.4)", () => {
  const read = (hex: string) => {
    const found = readEnoOption(fromHex(hex));
    return (
      found &&
      `${found.a ? "a" : ""}${found.b ? "b" : ""} ${found.teps
        .map(({ id, data }) => `${id.toString(16)}${data === undefined ? "" : `(${toHex(data)})`}`)
        .join(" ")}`.trim()
    );
  };
  assert.equal(read(""), "", "vacuous");
  assert.equal(read("23"), "23");
  assert.equal(read("0123"), "b 23");
  assert.equal(read("0223"), "a 23");
  assert.equal(read("1f2123"), "ab 21 23", "z bits are ignored");
  assert.equal(read("230102"), "b 23", "and so is every global suboption but the first, wherever it stands");
  assert.equal(read("a3"), "23()");
  assert.equal(read("a3010203"), "23(010203)", "to the end of the option");
  assert.equal(read("81a3010223"), "23(0102) 23", "a length byte says one less than there is");
  assert.equal(read("9fa3".concat("00".repeat(32), "21")), `23(${"00".repeat(32)}) 21`);
  assert.equal(read("7f20"), "7f 20");
});

test("an option is ill-formed where a length byte goes beyond it, or stands before no TEP with data (§4.4)", () => {
  for (const hex of ["80", "81", "81a301", "8023", "8001", "8080a3", "801f", "809f00"]) {
    assert.equal(readEnoOption(fromHex(hex)), undefined, hex);
  }
});

test("what is written: a global suboption only where it says something, data behind a length byte but for the last", () => {
  const data = Uint8Array.of(7, 8);
  const write = (a: boolean, b: boolean, offered: readonly { id: number; data: Uint8Array | undefined }[]) =>
    toHex(writeEnoOption({ a, b, teps: offered }));
  assert.equal(write(false, false, [{ id: 0x23, data: undefined }]), "450323");
  assert.equal(write(true, true, []), "450303");
  assert.equal(
    write(false, true, [
      { id: 0x21, data },
      { id: 0x23, data },
    ]),
    "450a0181a10708a30708",
  );
});

test("an active opener offers all its TEPs, and acknowledges without content (§4.6)", () => {
  const eno = negotiation();
  assert.equal(toHex(eno.write(true)!), "450623242122");
  assert.equal(toHex(eno.write(true)!), "450623242122", "the same again in a SYN that goes out again");
  eno.read([option("0123")], true, true, now);
  assert.equal(toHex(eno.write(false)!), "4502");
  assert.equal(eno.isSettled, false);
  eno.read([], false, true, now);
  assert.equal(eno.isSettled, true);
  assert.ok(eno.outcome.kind === "encrypted");
  assert.equal(toHex(eno.outcome.transcript), "45062324212245040123");
});

test("the last valid TEP of B's is negotiated (§4.5)", () => {
  const tepOf = (hex: string) => {
    const { outcome } = answered([hex]);
    return outcome.kind === "encrypted" ? outcome.tep.id : outcome.reason;
  };
  assert.equal(tepOf("012123"), 0x23);
  assert.equal(tepOf("012321"), 0x21);
  assert.equal(tepOf("0123217f"), 0x21, "of those that both have");
  assert.equal(
    tepOf("012321a3".concat("00".repeat(9))),
    0x21,
    "a repeated TEP is none, for tcpcrypt defines no repetition",
  );
  assert.equal(tepOf("017f"), "no-common-tep");
  assert.equal(tepOf("01"), "no-common-tep", "a vacuous option");
  assert.equal(
    tepOf("0121a3".concat("00".repeat(17))),
    0x21,
    "a resumption that nobody offered is ignored (RFC 8548 §3.5)",
  );
});

test("what ends in plain TCP, and why (§4.6)", () => {
  const reason = (hexes: readonly string[], config: Partial<NegotiationConfig> = {}) => {
    const { outcome, isSettled } = answered(hexes, config);
    assert.equal(isSettled, outcome.kind === "plain");
    return outcome.kind === "plain" ? outcome.reason : "encrypted";
  };
  assert.equal(reason([]), "no-option");
  assert.equal(reason(["0123", "0123"]), "ill-formed");
  assert.equal(reason(["8023"]), "ill-formed");
  assert.equal(reason(["23"]), "same-role");
  assert.equal(reason(["23242122"]), "same-role", "a load balancer that sends back what it does not know (§8.1)");
  assert.equal(reason(["0123"], { applicationAware: "require" }), "not-application-aware");
  assert.equal(reason(["0323"], { applicationAware: "require" }), "encrypted");
});

test("a passive opener answers one TEP, the one it prefers, or nothing (§4.5)", () => {
  const answer = (hexes: readonly string[], config: Partial<NegotiationConfig> = {}) => {
    const eno = negotiation({ opener: "passive", ...config });
    eno.read(hexes.map(option), true, false, now);
    const written = eno.isSettled ? undefined : eno.write(true);
    return written && toHex(written);
  };
  assert.equal(answer(["212223"]), "45040123");
  assert.equal(answer(["2122"]), "45040121");
  assert.equal(answer(["0222"], { applicationAware: "offer" }), "45040322");
  assert.equal(answer(["22"], { applicationAware: "require" }), undefined);
  assert.equal(answer(["0122"]), undefined, "an active opener that plays B");
  assert.equal(answer(["7f"]), undefined);
  assert.equal(answer([]), undefined);
  assert.equal(answer(["a3010203"]), "45040123", "too short a resumption is an offer to agree afresh (RFC 8548 §3.5)");
  assert.equal(answer(["a3".concat("00".repeat(17))]), "45040123", "and so is one of a session that nobody knows");
  assert.equal(answer(["a3".concat("00".repeat(18))]), undefined, "a nonce has eight bytes at the most");
});

test("a passive opener believes nobody who has not seen its option (§4.6)", () => {
  const heard = (...reads: readonly (readonly [readonly string[], boolean])[]) => {
    const eno = negotiation({ opener: "passive" });
    for (const [hexes, syn] of reads) eno.read(hexes.map(option), syn, !syn, now);
    return eno.outcome.kind === "plain" ? eno.outcome.reason : "encrypted";
  };
  assert.equal(heard([["23"], true]), "undecided");
  assert.equal(heard([["23"], true], [[""], false]), "encrypted");
  assert.equal(
    heard([["23"], true], [["0102"], false]),
    "encrypted",
    "what an acknowledgement holds is ignored (§4.1)",
  );
  assert.equal(heard([["23"], true], [["", ""], false]), "encrypted", "and so is how many there are");
  assert.equal(heard([["23"], true], [[], false]), "not-acknowledged");
  assert.equal(heard([["23"], true], [["23"], true], [[""], false]), "encrypted", "a SYN that came again");
  assert.equal(heard([["23"], true], [["2321"], true]), "ill-formed", "and one that had changed");
  assert.equal(heard([["23"], true], [[], true]), "no-option");
  assert.equal(heard([[""], false]), "cookie");
});

test("who goes on without encryption takes the option out of SYNs that nobody answers (§4.6)", () => {
  const eno = negotiation({ givesUp: true });
  for (let i = 0; i < 4; i++) assert.ok(eno.write(true) !== undefined);
  assert.equal(eno.write(true), undefined);
  assert.ok(eno.outcome.kind === "plain");
  assert.equal(eno.outcome.reason, "unanswered");
  const steadfast = negotiation();
  for (let i = 0; i < 20; i++) assert.ok(steadfast.write(true) !== undefined);
});

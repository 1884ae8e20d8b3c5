import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatAddress, fromUtf8 } from "../../../src/bytes/index.js";
import { Failure } from "../../../src/contract/index.js";
import { idText, parseSwanctl, type SwanctlFile } from "../../../src/protocols/ikev2/index.js";

const whole = `
# an office
connections {
  office {
    version = 2
    local_addrs = 192.0.2.7
    remote_addrs = gateway.example, 192.0.2.9   # the second is not connected to
    proposals = aes256gcm16-prfsha384-ecp384, default
    vips = 0.0.0.0,::
    dpd_delay = 30s
    rekey_time = 4h
    mobike = no
    unique = replace
    local-1 { auth = psk
      id = "carol@office.example" }
    remote { auth = psk
      id = gateway.example }
    children {
      net { remote_ts = 10.1.0.0/16, 10.2.0.5-10.2.0.9[tcp/443], fd00::/8[17/1000-2000]
        local_ts = 10.9.0.7/32
        esp_proposals = aes128gcm16-x25519
        life_time = 2h
        rekey_time = 1h
        rekey_bytes = 1000000
        start_action = start }
      other { mode = transport }
    }
  }
}
secrets {
  ike-other { id = nobody.example
    secret = wrong }
  ike-any { secret = "also wrong" }
  ike-office { id-1 = carol@office.example
    id-2 = gateway.example
    secret = 0s c2VjcmV0 }
}
`.replace("0s c2", "0sc2");

const parse = (text: string, more: object = {}): SwanctlFile => parseSwanctl(text, more);

test("a whole file is read: who, where, by what, for which traffic and for how long", () => {
  const file = parse(whole);
  assert.equal(file.name, "office");
  assert.deepEqual(file.remote, { host: "gateway.example", port: 4_500 });
  assert.equal(file.localAddress, "192.0.2.7");
  assert.deepEqual([idText(file.localId!), idText(file.remoteId!)], ["carol@office.example", "gateway.example"]);
  assert.ok(file.local.kind === "psk" && fromUtf8(file.local.secret.expose()) === "secret");
  assert.deepEqual(file.settings.requestAddresses, [4, 6]);
  assert.equal(file.settings.deadPeerMs, 30_000);
  assert.equal(file.settings.rekeySeconds, 14_400);
  assert.equal(file.settings.mobike, false);
  assert.ok(file.settings.proposals!.length > 1, "its own, and the usual ones");
  const [net, other] = file.children;
  assert.deepEqual(
    net!.remote.map(
      (each) =>
        each !== "dynamic" && [
          formatAddress(each.start),
          formatAddress(each.end),
          each.protocol,
          each.startPort,
          each.endPort,
        ],
    ),
    [
      ["10.1.0.0", "10.1.255.255", 0, 0, 65_535],
      ["10.2.0.5", "10.2.0.9", 6, 443, 443],
      ["fd00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 17, 1_000, 2_000],
    ],
  );
  assert.deepEqual(net!.lifetime, { soft: { seconds: 3_600, bytes: 1_000_000 }, hard: { seconds: 7_200 } });
  assert.deepEqual([other!.mode, other!.local, other!.remote], ["transport", ["dynamic"], ["dynamic"]]);
  const warned = file.warnings.map(({ message }) => message).join("\n");
  for (const what of [/192|gateway/, /unique/, /start_action/]) assert.match(warned, what);
});

test("certificates and keys are read by path, as they stand or from swanctl's folders", () => {
  const text = `connections { c { remote_addrs = 192.0.2.9
    local { certs = me.crt }
    remote { cacerts = /etc/ca.pem
      id = %any }
    children { c { } } } }
    secrets { private-me { file = me.key
      secret = pass } }`;
  const pem = (name: string): string => `-----BEGIN ${name}-----`;
  const asked: string[] = [];
  const files: Readonly<Record<string, string>> = { "x509/me.crt": "a", "/etc/ca.pem": "b", "private/me.key": "c" };
  const read = (name: string): string | undefined => {
    asked.push(name);
    return files[name] === undefined ? undefined : pem(files[name]);
  };
  const file = parse(text, { read });
  assert.ok(file.local.kind === "certificate" && file.authenticates.kind === "certificate");
  assert.equal(file.local.certificates, pem("a"));
  assert.deepEqual(file.authenticates.authorities, [pem("b")]);
  assert.equal(file.local.keys[0]!.text, pem("c"));
  assert.equal(file.remoteId, undefined);
  assert.ok(asked.includes("me.crt"));
});

const refused: Readonly<Record<string, (text: string) => string>> = {
  "a setting that nobody knows": (text) => text.replace("mobike = no", "mobikee = no"),
  "a section that nobody knows": (text) => text.replace("secrets {", "secretz {"),
  IKEv1: (text) => text.replace("version = 2", "version = 1"),
  "a command": (text) => text.replace("start_action = start", "updown = /bin/sh"),
  "an include": (text) => `include /etc/passwd\n${text}`,
  "a proposal that does not exist": (text) => text.replace("aes128gcm16-x25519", "rot13-x25519"),
  "encryption without integrity": (text) => text.replace("aes128gcm16-x25519", "aes128-x25519"),
  "a time that is none": (text) => text.replace("dpd_delay = 30s", "dpd_delay = soon"),
  "a selector that is none": (text) => text.replace("10.1.0.0/16", "10.1.0.0/33"),
  "no peer": (text) => text.replace("gateway.example, 192.0.2.9", "%any"),
  "no secret": (text) => text.slice(0, text.indexOf("secrets {")),
  "two rounds of authentication": (text) => text.replace("remote {", "local-2 { auth = psk }\n remote {"),
  "a brace too few": (text) => text.trimEnd().slice(0, -1),
  "a brace too many": (text) => `${text}}`,
  "a quote that is not closed": (text) => `${text}\nx = "`,
  "a setting twice": (text) => text.replace("mobike = no", "mobike = no\n mobike = yes"),
  "sections without end": () => "a {".repeat(100_000),
};

for (const [what, change] of Object.entries(refused)) {
  test(`${what} is refused, with the line where there is one`, () => {
    const text = change(whole);
    assert.notEqual(text, whole);
    assert.throws(
      () => parse(text),
      (error) => error instanceof Failure && error.fault === "misuse" && error.reason === "bad-configuration",
    );
  });
}

test("of several connections one is named", () => {
  const two = whole.replace("connections {", "connections { first { remote_addrs = 192.0.2.1\n children { c { } } }");
  assert.throws(() => parse(two), /more than one/);
  assert.equal(parse(two, { connection: "office" }).name, "office");
  assert.throws(() => parse(two, { connection: "third" }), /no connection third/);
});

test("whatever a file says, the failure is of its kind and never holds a secret", () => {
  const pieces = whole.split(/(\s+|[{}=,])/);
  const mutated = fc
    .array(
      fc.tuple(
        fc.nat(pieces.length - 1),
        fc.oneof(fc.constantFrom(...pieces.filter((each) => !/0s|wrong/.test(each))), fc.string({ maxLength: 8 })),
      ),
      {
        maxLength: 6,
      },
    )
    .map((changes) => {
      const copy = [...pieces];
      for (const [at, by] of changes) copy[at] = by;
      return copy.join("");
    });
  fc.assert(
    fc.property(fc.oneof(mutated, fc.string({ maxLength: 300 })), (text) => {
      try {
        parse(text);
      } catch (error) {
        assert.ok(error instanceof Failure && error.reason === "bad-configuration", String(error));
        assert.doesNotMatch(error.message, /c2VjcmV0|also wrong/);
      }
    }),
    { numRuns: 3_000, seed: 11 },
  );
});

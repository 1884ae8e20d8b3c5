import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { concat, parsePrefix, utf8 } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import {
  type EapTurn,
  espProposal,
  type IkeConnection,
  ikeId,
  ikeProposal,
  selector,
} from "../../src/protocols/ikev2/index.js";
import { Ours, type OursOptions, psk, signer } from "./ike-ours.js";
import type { IdentityName } from "./peers/certificates.js";
import { StrongSwan } from "./peers/strongswan.js";

/** A connection of strongSwan's: what it proves, what it wants proved, who the peer is, and more lines. */
const section = (name: string, client: string, local: string, remote: string, more = "", ts = "10.1.0.0/24") => `
  ${name} {
    version = 2
    local_addrs = LOCAL
    remote_addrs = REMOTE
    encap = yes
    proposals = aes128gcm16-prfsha256-x25519-ecp256,aes256-sha256-modp2048,chacha20poly1305-prfsha512-ecp384
    send_certreq = yes
    ${more}
    local { ${local} }
    remote { ${remote}
      id = ${client} }
    children { c { local_ts = 10.2.0.0/24
      remote_ts = ${ts}
      esp_proposals = aes128gcm16-x25519,aes256-sha256,chacha20poly1305 } }
  }`;
const server = "id = server.taps.test";
const certified = (name: IdentityName): string => `auth = pubkey
      certs = ${name}.crt
      id = ${name}.sealport.test`;
const identities = ["p256", "p384", "rsa", "ed25519", "client"] as const;

const conf = `
connections {
  ${section("t", "client.taps.test", `auth = psk\n ${server}`, "auth = psk")}
  ${section("vip", "vip.taps.test", `auth = psk\n ${server}`, "auth = psk", "pools = p, p6", "dynamic")}
  ${section("end", "end.taps.test", `auth = psk\n ${server}`, "auth = psk")}
  ${identities.map((name) => section(name, "client.sealport.test", certified(name), "auth = pubkey")).join("")}
  ${section("rsa-client", "rsa.sealport.test", certified("p256"), "auth = pubkey")}
  ${section("ed-client", "ed25519.sealport.test", certified("p256"), "auth = pubkey")}
  ${section("eap", "carol", certified("p256"), "auth = eap-md5")}
}
pools { p { addrs = 10.3.0.0/24
    dns = 10.2.0.53 }
  p6 { addrs = fd03::/112 } }
secrets {
  ike { secret = "test-psk-not-secret" }
  eap { id = carol
    secret = "Ar3etTnp" }
}
`;

let peer: StrongSwan;
before(async () => {
  peer = await StrongSwan.start({ conf, identities });
});
after(() => peer[Symbol.asyncDispose]());

const lan = { name: "c", local: [selector("10.1.0.0/24")], remote: [selector("10.2.0.0/24")] } as const;
const spi = (value: number): string => value.toString(16).padStart(8, "0");

/** Both have the same child. */
async function agrees(ours: Ours, nth = 1): Promise<void> {
  const { pair } = await ours.tells("child", nth);
  const wanted = new RegExp(`spi-in=${spi(pair.spiOut)}.*spi-out=${spi(pair.spiIn)}`, "s");
  for (let tries = 0; ; tries++) {
    const sas = peer.swanctl("--list-sas", "--raw");
    if (wanted.test(sas)) return;
    if (tries > 100) assert.match(sas, wanted);
    await new Promise((again) => setTimeout(again, 20));
  }
}

for (const [ike, esp] of [
  ["aes128gcm16-prfsha256-x25519", "aes128gcm16"],
  ["aes256-sha256-modp2048", "aes256-sha256"],
  ["chacha20poly1305-prfsha512-ecp384", "chacha20poly1305"],
] as const) {
  test(`strongSwan answers ${ike} and ${esp} by a pre-shared key`, async () => {
    await using ours = await Ours.open(peer, {
      connection: { proposals: [ikeProposal(ike)], children: [{ ...lan, proposals: [espProposal(esp)] }] },
    });
    await agrees(ours.connect());
  });
}

test("strongSwan wants another group than the first, and gets it", async () => {
  await using ours = await Ours.open(peer, {
    connection: { proposals: [ikeProposal("aes128gcm16-prfsha256-ecp521-ecp256")] },
  });
  const { algorithms } = await ours.connect().tells("established");
  assert.equal(algorithms.group, 19);
});

test("from port 500 IKE goes on at 4500", async () => {
  await using ours = await Ours.open(peer, { port: 500 });
  const { remote } = await ours.connect().tells("established");
  assert.equal(remote.port, 4_500);
  await agrees(ours);
});

test("another pre-shared key is refused by strongSwan", async () => {
  const wrong = { kind: "psk", secret: Secret.copy(utf8("another")) } as const;
  await using ours = await Ours.open(peer, { connection: { local: wrong } });
  const { failure } = await ours.connect().tells("closed");
  assert.equal(failure.reason, "authentication-refused");
});

test("strongSwan with another pre-shared key is refused, and told so", async () => {
  const from = peer.said.length;
  const wrong = { kind: "psk", secret: Secret.copy(utf8("another")) } as const;
  await using ours = await Ours.open(peer, { connection: { remoteAuthentication: wrong } });
  const { failure } = await ours.connect().tells("closed");
  assert.equal(failure.reason, "authentication-failed");
  await peer.says(/parsed INFORMATIONAL request.*N\(AUTH_FAILED\)/, from);
});

/** A connection by certificates, from one of ours to one of its. */
const byCertificate = (own: IdentityName, theirs: string, more: Partial<IkeConnection> = {}): OursOptions => {
  const identity = signer(own);
  return {
    connection: {
      localId: ikeId(`${own}.sealport.test`),
      remoteId: ikeId(theirs),
      local: { kind: "certificate", identity },
      remoteAuthentication: { kind: "certificate" },
      ...more,
    },
    knowledge: { identity },
  };
};

for (const [own, theirs] of [
  ["client", "p256"],
  ["client", "p384"],
  ["client", "rsa"],
  ["client", "ed25519"],
  ["rsa", "p256"],
  ["ed25519", "p256"],
] as const) {
  test(`certificates: ${own} of ours, ${theirs} of strongSwan's`, async () => {
    await using ours = await Ours.open(peer, byCertificate(own, `${theirs}.sealport.test`));
    const { peer: identity } = await ours.connect().tells("established");
    assert.equal(identity.kind, "certificate");
    await agrees(ours);
  });
}

test("a certificate of strongSwan's for another name is refused", async () => {
  const options = byCertificate("client", "p256.sealport.test");
  const refusing = { ...options.knowledge, also: () => false };
  await using ours = await Ours.open(peer, { ...options, knowledge: refusing });
  assert.equal((await ours.connect().tells("closed")).failure.reason, "untrusted-certificate");
});

test("messages with certificates go in fragments, both ways", async () => {
  const from = peer.said.length;
  await using ours = await Ours.open(peer, byCertificate("rsa", "p256.sealport.test", { fragmentSize: 500 }));
  await agrees(ours.connect());
  assert.match(peer.said.slice(from), /received fragment #\d of \d/);
});

test("strongSwan gives addresses and a name server", async () => {
  await using ours = await Ours.open(peer, {
    connection: {
      localId: ikeId("vip.taps.test"),
      requestAddresses: [4, 6],
      children: [{ ...lan, local: ["dynamic"] }],
    },
  });
  const { addresses, dns } = await ours.connect().tells("configured");
  assert.deepEqual(
    addresses.map(({ address }) => address.length),
    [4, 16],
  );
  assert.deepEqual(dns, ["10.2.0.53"]);
  const { pair } = await ours.tells("child");
  assert.deepEqual(pair.local[0]!.start, addresses[0]!.address);
});

test("children and the IKE SA are renewed by us and by strongSwan", async () => {
  await using ours = await Ours.open(peer, {
    connection: { children: [{ ...lan, proposals: [espProposal("aes128gcm16-x25519")] }] },
  });
  const { pair } = await ours.connect().tells("child");
  ours.give({ kind: "rekey-child", spiIn: pair.spiIn });
  assert.equal((await ours.tells("child", 2)).pair.replaces, pair.spiIn);
  await ours.tells("child-deleted", 1);
  await agrees(ours, 2);
  const { ike } = await ours.tells("established");
  ours.give({ kind: "rekey", ike });
  await ours.tells("rekeyed", 1);
  peer.swanctl("--rekey", "--child", "c");
  await ours.tells("child-deleted", 2);
  await agrees(ours, 3);
  peer.swanctl("--rekey", "--ike", "t");
  await ours.tells("rekeyed", 2);
  // The keys of the third IKE SA are good for both.
  ours.give({ kind: "rekey-child", spiIn: ours.of("child")[2]!.pair.spiIn });
  await ours.tells("child-deleted", 3);
  await agrees(ours, 4);
});

test("each closes, and the other knows", async () => {
  await using ours = await Ours.open(peer);
  const { ike } = await ours.connect().tells("established");
  await agrees(ours);
  const from = peer.said.length;
  ours.give({ kind: "disconnect", ike });
  assert.equal((await ours.tells("closed")).failure.reason, "closed-locally");
  await peer.says(/received DELETE for IKE_SA/, from);
  await using again = await Ours.open(peer, { connection: { localId: ikeId("end.taps.test") } });
  await agrees(again.connect());
  await using _ = peer.asks("--terminate", "--ike", "end");
  assert.equal((await again.tells("closed")).failure.reason, "closed-by-peer");
});

test("a move is followed by strongSwan", async () => {
  await using ours = await Ours.open(peer);
  const { ike } = await ours.connect().tells("established");
  await agrees(ours);
  const port = await ours.bind();
  const from = peer.said.length;
  ours.give({ kind: "move", ike, local: port.local });
  await peer.says(new RegExp(`received packet: from \\S+\\[${port.local.port}\\]`), from);
  ours.give({ kind: "probe", ike });
  await peer.says(new RegExp(`sending packet: from \\S+ to \\S+\\[${port.local.port}\\]`), from);
  peer.swanctl("--rekey", "--child", "c");
  await agrees(ours, 2);
});

/** EAP-MD5 (RFC 3748 §5.1, §5.4), of which there is nothing in the product: a module of the application's. */
function md5Peer({ packet }: EapTurn, user: string, password: string) {
  const [code, id, , , type] = packet!;
  if (code === 3) return {};
  const answer = (data: Uint8Array) => {
    const size = 5 + data.length;
    return { packet: Uint8Array.of(2, id!, size >> 8, size & 0xff, type!, ...data) };
  };
  if (type === 1) return answer(utf8(user));
  const challenge = packet!.subarray(6, 6 + packet![5]!);
  const hash = createHash("md5")
    .update(concat(Uint8Array.of(id!), utf8(password), challenge))
    .digest();
  return answer(Uint8Array.of(16, ...hash));
}

for (const [password, outcome] of [
  ["Ar3etTnp", "established"],
  ["wrong", "closed"],
] as const) {
  test(`EAP by a module of the application's: ${outcome}`, async () => {
    await using ours = await Ours.open(peer, {
      connection: {
        localId: ikeId("carol"),
        remoteId: ikeId("p256.sealport.test"),
        local: { kind: "eap" },
        remoteAuthentication: { kind: "certificate" },
      },
      knowledge: { eap: (turn) => md5Peer(turn, "carol", password) },
    });
    const event = await ours.connect().tells(outcome);
    if (event.kind === "closed") assert.equal(event.failure.reason, "eap-failed");
    else await agrees(ours);
  });
}

// -------------------------------------------------------------------------------------------------- strongSwan begins

/** Ours at ports 500 and 4500 of our end of the wire, which nobody else has. */
const listening = (options: OursOptions): Promise<Ours> => Ours.answering(peer, options);

const asServer: Partial<IkeConnection> = {
  localId: ikeId("client.taps.test"),
  remoteId: ikeId("server.taps.test"),
  pools: [parsePrefix("10.4.0.0/24")!],
};

test("strongSwan begins, by a pre-shared key", async () => {
  await using ours = await listening({ connection: asServer });
  await using _ = peer.asks("--initiate", "--child", "c", "--ike", "t");
  await ours.tells("established");
  await agrees(ours);
  peer.swanctl("--rekey", "--ike", "t");
  await ours.tells("rekeyed");
  peer.swanctl("--rekey", "--child", "c");
  await agrees(ours, 2);
  await ours.tells("child-deleted");
  const { ike } = ours.of("established")[0]!;
  ours.give({ kind: "rekey", ike });
  await ours.tells("rekeyed", 2);
});

test("strongSwan begins, returns a cookie, and takes another group", async () => {
  await using ours = await listening({
    connection: { ...asServer, proposals: [ikeProposal("aes128gcm16-prfsha256-ecp256")] },
    config: { cookies: "always" },
  });
  const from = peer.said.length;
  await using _ = peer.asks("--initiate", "--child", "c", "--ike", "t");
  await ours.tells("established");
  assert.match(peer.said.slice(from), /N\(COOKIE\)/);
  assert.match(peer.said.slice(from), /ECP_256/);
});

test("strongSwan begins, by certificates in fragments", async () => {
  const identity = signer("client");
  await using ours = await listening({
    connection: {
      localId: ikeId("client.sealport.test"),
      remoteId: ikeId("rsa.sealport.test"),
      local: { kind: "certificate", identity },
      remoteAuthentication: { kind: "certificate" },
      fragmentSize: 600,
    },
    knowledge: { identity },
  });
  await using _ = peer.asks("--initiate", "--child", "c", "--ike", "rsa");
  await agrees(ours);
});

test("strongSwan's identity is not believed without its key, nor another's", async () => {
  const wrong = { kind: "psk", secret: Secret.copy(utf8("another")) } as const;
  await using ours = await listening({ connection: { ...asServer, local: psk, remoteAuthentication: wrong } });
  const from = peer.said.length;
  await using asking = peer.asks("--initiate", "--child", "c", "--ike", "t", "--timeout", "20");
  await asking.ends();
  assert.match(peer.said.slice(from), /received AUTHENTICATION_FAILED/);
  assert.equal(ours.of("established").length, 0);
});

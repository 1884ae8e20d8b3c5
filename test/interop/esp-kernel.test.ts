import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parseAddress, parsePrefix, toHex } from "../../src/bytes/index.js";
import { type Host, Secret } from "../../src/contract/index.js";
import { captureToFile } from "../../src/hosts/node/capture.js";
import {
  type AssociationPair,
  Encryption,
  type EspAlgorithms,
  type EspEvent,
  Integrity,
  keySizes,
  selectorOf,
} from "../../src/protocols/esp/index.js";
import { type EspTunnel, openEsp } from "../../src/tunnels/esp.js";
import { scratch } from "./peers/certificates.js";
import { espParts, Guest } from "./peers/guest.js";
import { host, stream } from "./wireguard-ends.js";

/** A Linux kernel's own ESP in UDP with manual keys, in an emulated machine. */
let guest: Guest;
before(async () => {
  guest = await Guest.boot(espParts);
  for (const family of [4, 6]) {
    // Whoever has told the kernel that a socket is for ESP gets none of it: the kernel takes it out (UDP_ENCAP, udp(7)).
    const address = family === 4 ? "UDP4-LISTEN:4500" : "UDP6-LISTEN:4500,ipv6only=1";
    await guest.run(
      `socat -u ${address},setsockopt-listen=17:100:i2 /dev/null & ${until(`:1194 /proc/net/udp${family === 6 ? "6" : ""}`)}`,
    );
  }
  await guest.run("ip addr add 10.99.0.1/32 dev lo; ip addr add fd99::1/128 dev lo");
  await guest.run(`ip route add 10.99.0.2/32 via ${guest.host.v4} src 10.99.0.1`);
  await guest.run(`/bin/ip -6 route add fd99::2/128 via ${guest.host.v6} src fd99::1`);
});
after(() => guest[Symbol.asyncDispose]());

const until = (what: string): string => `until grep -q ${what}; do sleep 0.1; done`;
const listens = (port: number): string =>
  until(`":${port.toString(16).toUpperCase().padStart(4, "0")} .* 0A " /proc/net/tcp /proc/net/tcp6`);
const hashIn = (said: string): string | undefined => said.match(/[0-9a-f]{64}/)?.[0];
/** With a deadline `ping` goes on until it has had its answers. */
const answered = /\b3 (packets )?received/;

type Suite = Omit<EspAlgorithms, "isExtended"> & {
  readonly title: string;
  /** As `ip xfrm state` takes them. */
  readonly kernel: (encryption: string, integrity: string) => string;
};

const aead = (title: string, name: string, encryption: number, keyBits?: number): Suite => ({
  title,
  encryption,
  keyBits,
  integrity: Integrity.none,
  kernel: (key) => `aead '${name}' 0x${key} 128`,
});
const withMac = (
  title: string,
  cipher: string,
  bits: number,
  hash: string,
  encryption: number,
  keyBits: number | undefined,
  integrity: number,
): Suite => ({
  title,
  encryption,
  keyBits,
  integrity,
  kernel: (key, auth) =>
    `enc '${cipher}' ${key === "" ? "''" : `0x${key}`} auth-trunc 'hmac(${hash})' 0x${auth} ${bits}`,
});

const suites: readonly Suite[] = [
  aead("AES-128-GCM", "rfc4106(gcm(aes))", Encryption.aesGcm16, 128),
  aead("AES-192-GCM", "rfc4106(gcm(aes))", Encryption.aesGcm16, 192),
  aead("AES-256-GCM", "rfc4106(gcm(aes))", Encryption.aesGcm16, 256),
  aead("ChaCha20-Poly1305", "rfc7539esp(chacha20,poly1305)", Encryption.chaCha20Poly1305),
  withMac("AES-128-CBC and SHA-256", "cbc(aes)", 128, "sha256", Encryption.aesCbc, 128, Integrity.hmacSha256),
  withMac("AES-192-CBC and SHA-384", "cbc(aes)", 192, "sha384", Encryption.aesCbc, 192, Integrity.hmacSha384),
  withMac("AES-256-CBC and SHA-512", "cbc(aes)", 256, "sha512", Encryption.aesCbc, 256, Integrity.hmacSha512),
  withMac("AES-128-CBC and SHA-1", "cbc(aes)", 96, "sha1", Encryption.aesCbc, 128, Integrity.hmacSha1),
  withMac("NULL and SHA-256", "ecb(cipher_null)", 128, "sha256", Encryption.null, undefined, Integrity.hmacSha256),
];

let spi = 0x1000;

/** Fresh keys of both directions, for us and for `ip xfrm state`. */
function keysOf(algorithms: EspAlgorithms) {
  const sizes = keySizes(algorithms)!;
  const draw = () => ({
    encryption: host.entropy.fill(new Uint8Array(sizes.encryption)),
    integrity: host.entropy.fill(new Uint8Array(sizes.integrity)),
  });
  return { toUs: draw(), toThem: draw(), spiIn: ++spi, spiOut: ++spi };
}

type Keys = ReturnType<typeof keysOf>;

const prefixes = (...texts: readonly string[]) => texts.map((text) => selectorOf(parsePrefix(text)!));

function pairOf(
  algorithms: EspAlgorithms,
  keys: Keys,
  family: "v4" | "v6",
  more: Partial<AssociationPair> = {},
): AssociationPair {
  const secrets = ({ encryption, integrity }: Keys["toUs"]) => ({
    encryption: Secret.copy(encryption),
    integrity: integrity.length === 0 ? undefined : Secret.copy(integrity),
  });
  return {
    spiIn: keys.spiIn,
    spiOut: keys.spiOut,
    algorithms,
    keysIn: secrets(keys.toUs),
    keysOut: secrets(keys.toThem),
    mode: "tunnel",
    local: prefixes("10.99.0.2/32", "fd99::2/128"),
    remote: prefixes("10.99.0.1/32", "fd99::1/128"),
    encapsulation: "udp",
    peer: { address: guest.address[family], port: 4500 },
    ...more,
  };
}

/** Both states of the kernel for these keys. */
async function install(
  suite: Suite,
  algorithms: EspAlgorithms,
  keys: Keys,
  family: "v4" | "v6",
  port: number,
  mode = "tunnel",
): Promise<void> {
  const [ours, theirs] = [guest.host[family], guest.address[family]];
  const any = family === "v4" ? "0.0.0.0" : "::";
  const flags = `replay-window 128${algorithms.isExtended ? " flag esn af-unspec" : " flag af-unspec"}`;
  const text = ({ encryption, integrity }: Keys["toUs"]): string => suite.kernel(toHex(encryption), toHex(integrity));
  const common = `reqid 1 mode ${mode} ${mode === "tunnel" ? flags : flags.replace(" af-unspec", "").replace(/ flag$/, "")}`;
  await guest.run(
    `/bin/ip xfrm state add src ${ours} dst ${theirs} proto esp spi ${keys.spiOut} ${common} ${text(keys.toThem)} encap espinudp ${port} 4500 ${any}`,
  );
  await guest.run(
    `/bin/ip xfrm state add src ${theirs} dst ${ours} proto esp spi ${keys.spiIn} ${common} ${text(keys.toUs)} encap espinudp 4500 ${port} ${any}`,
  );
}

async function policies(
  pairs: readonly (readonly [ours: string, theirs: string])[],
  family: "v4" | "v6",
  mode = "tunnel",
  more = "",
): Promise<void> {
  const [ours, theirs] = [guest.host[family], guest.address[family]];
  for (const [own, other] of pairs) {
    await guest.run(
      `/bin/ip xfrm policy add src ${own} dst ${other} ${more} dir in tmpl src ${ours} dst ${theirs} proto esp reqid 1 mode ${mode}`,
    );
    await guest.run(
      `/bin/ip xfrm policy add src ${other} dst ${own} ${more} dir out tmpl src ${theirs} dst ${ours} proto esp reqid 1 mode ${mode}`,
    );
  }
}

const flush = (): Promise<string> => guest.run("/bin/ip xfrm policy flush; /bin/ip xfrm state flush");

interface Ours {
  readonly tunnel: EspTunnel;
  readonly keys: Keys;
  readonly algorithms: EspAlgorithms;
  readonly events: EspEvent[];
}

/** A tunnel of ours to the kernel, with fresh keys. */
async function open(suite: Suite, isExtended: boolean, family: "v4" | "v6" = "v4", on: Host = host): Promise<Ours> {
  const { encryption, keyBits, integrity } = suite;
  const algorithms = { encryption, keyBits, integrity, isExtended };
  const keys = keysOf(algorithms);
  const events: EspEvent[] = [];
  const tunnel = await openEsp(on, {
    addresses: [parsePrefix("10.99.0.2/32")!, parsePrefix("fd99::2/128")!],
    pairs: [pairOf(algorithms, keys, family)],
    local: { address: guest.host[family], port: 0 },
    on: (event) => events.push(event),
  });
  await flush();
  await install(suite, algorithms, keys, family, tunnel.local.port);
  await policies(
    [
      ["10.99.0.2/32", "10.99.0.1/32"],
      ["fd99::2/128", "fd99::1/128"],
    ],
    family,
  );
  return { tunnel, keys, algorithms, events };
}

function nothingDropped(tunnel: EspTunnel): void {
  const dropped = Object.entries(tunnel.status().drops).filter(([, count]) => count > 0);
  assert.deepEqual(dropped, []);
}

/** Bytes from us to the kernel and back, by their hashes. */
async function transfer(
  tunnel: EspTunnel,
  address: string,
  megabytes: number,
  midway?: () => Promise<void>,
): Promise<void> {
  await guest.run(`socat -u TCP6-LISTEN:7001,ipv6only=0,reuseaddr CREATE:/tmp/got & ${listens(7001)}`);
  const up = stream(tunnel.network, { address, port: 7001 });
  const digest = await up.send(host.entropy.fill(new Uint8Array(1 << 16)), megabytes * 16, async (sent) => {
    if (sent === megabytes * 8) await midway?.();
  });
  await up.closed;
  assert.equal(hashIn(await guest.run("wait %%; sha256sum < /tmp/got")), digest);
  const made = await guest.run(`head -c ${megabytes << 20} /dev/urandom > /tmp/give; sha256sum < /tmp/give`);
  await guest.run(`socat -u OPEN:/tmp/give TCP6-LISTEN:7002,ipv6only=0,reuseaddr & ${listens(7002)}`);
  const down = stream(tunnel.network, { address, port: 7002 });
  down.port.finish();
  await down.closed;
  assert.equal(down.heard.size, megabytes << 20);
  assert.equal(down.heard.digest, hashIn(made));
}

for (const [i, suite] of suites.entries()) {
  // Each suite in one of the two ways at least; those that are most used in both.
  for (const isExtended of i % 4 === 0 ? [false, true] : [i % 2 === 0]) {
    const numbers = isExtended ? "extended numbers" : "numbers of 32 bits";
    test(`${suite.title}, ${numbers}: echoes and data both ways with the kernel`, async () => {
      const { tunnel } = await open(suite, isExtended);
      for (const address of ["10.99.0.1", "fd99::1"]) await tunnel.ping(address, { timeoutMs: 20_000 });
      assert.match(await guest.run("ping -c 3 -i 0.1 -w 20 10.99.0.2"), answered);
      assert.match(await guest.run("ping -c 3 -i 0.1 -w 20 fd99::2"), answered);
      await transfer(tunnel, isExtended ? "fd99::1" : "10.99.0.1", 0.5);
      nothingDropped(tunnel);
      tunnel.close();
    });
  }
}

test("the same in UDP over IPv6", async () => {
  const { tunnel } = await open(suites[0]!, true, "v6");
  await tunnel.ping("10.99.0.1", { timeoutMs: 20_000 });
  assert.match(await guest.run("ping -c 3 -i 0.1 -w 20 fd99::2"), answered);
  await transfer(tunnel, "fd99::1", 0.5);
  nothingDropped(tunnel);
  tunnel.close();
});

for (const family of ["v4", "v6"] as const) {
  test(`transport mode over IP${family}: echoes and data both ways, with the kernel's own checks of checksums`, async () => {
    const suite = suites[4]!;
    const algorithms = {
      encryption: suite.encryption,
      keyBits: suite.keyBits,
      integrity: suite.integrity,
      isExtended: true,
    };
    const keys = keysOf(algorithms);
    const [own, other] = [guest.host[family], guest.address[family]];
    const whole = family === "v4" ? 32 : 128;
    const ends = { local: parseAddress(own)!, remote: parseAddress(other)! };
    const inside = { local: prefixes(`${own}/${whole}`), remote: prefixes(`${other}/${whole}`) };
    const tunnel = await openEsp(host, {
      addresses: [parsePrefix(`${own}/${whole}`)!],
      pairs: [pairOf(algorithms, keys, family, { mode: "transport", ends, ...inside })],
      local: { address: own, port: 0 },
    });
    await flush();
    await install(suite, algorithms, keys, family, tunnel.local.port, "transport");
    const ping = family === "v4" ? "1" : "58 type 128";
    const pong = family === "v4" ? "1" : "58 type 129";
    for (const proto of new Set([ping, pong, "6"])) {
      await policies([[`${own}/${whole}`, `${other}/${whole}`]], family, "transport", `proto ${proto}`);
    }
    await tunnel.ping(other, { timeoutMs: 20_000 });
    assert.match(await guest.run(`ping -c 3 -i 0.1 -w 20 ${own}`), answered);
    await transfer(tunnel, other, 0.5);
    nothingDropped(tunnel);
    tunnel.close();
  });
}

test("new keys in the middle of transfers both ways: not a packet is lost or refused", async () => {
  const suite = suites[0]!;
  const { tunnel, keys, algorithms } = await open(suite, false);
  let before = keys;
  await tunnel.ping("10.99.0.1", { timeoutMs: 20_000 });
  const renew = async (): Promise<void> => {
    const next = keysOf(algorithms);
    // Whoever asks for new keys has them last, and sends by them at once.
    tunnel.handle({
      kind: "install",
      pair: pairOf(algorithms, next, "v4", { replaces: before.spiIn, begins: "when-received" }),
    });
    await install(suite, algorithms, next, "v4", tunnel.local.port);
    assert.match(await guest.run("ping -c 3 -i 0.1 -w 20 10.99.0.2"), answered);
    const [guestAddress, hostAddress] = [guest.address.v4, guest.host.v4];
    await guest.run(`/bin/ip xfrm state delete src ${guestAddress} dst ${hostAddress} proto esp spi ${before.spiIn}`);
    tunnel.handle({ kind: "remove", spiIn: before.spiIn, gently: true });
    assert.match(await guest.run("ping -c 3 -i 0.1 -w 20 10.99.0.2"), answered);
    await guest.run(`/bin/ip xfrm state delete src ${hostAddress} dst ${guestAddress} proto esp spi ${before.spiOut}`);
    before = next;
  };
  await transfer(tunnel, "10.99.0.1", 2, renew);
  await transfer(tunnel, "fd99::1", 2, renew);
  nothingDropped(tunnel);
  const sending = tunnel.pairs().filter(({ sends }) => sends);
  assert.deepEqual(
    sending.map(({ spiIn }) => spiIn),
    [before.spiIn],
  );
  tunnel.close();
});

test("through netem's delay, loss, reordering and duplication, all arrives once", async () => {
  const { tunnel } = await open(suites[3]!, true);
  await tunnel.ping("10.99.0.1", { timeoutMs: 20_000 });
  await guest.run("/bin/tc qdisc add dev eth0 root netem delay 10ms 3ms loss 1% reorder 90% duplicate 2%");
  try {
    await transfer(tunnel, "10.99.0.1", 1);
    assert.ok(tunnel.status().drops["replayed"]! > 0, "what came twice was taken once");
    assert.match(await guest.run("/bin/tc -s qdisc show dev eth0"), /dropped [1-9]/);
  } finally {
    await guest.run("/bin/tc qdisc del dev eth0 root");
  }
  tunnel.close();
});

test("KE: the kernel's packets use a pair up, and we say so, soft and hard", async () => {
  const { tunnel, keys, algorithms, events } = await open(suites[0]!, false);
  const next = keysOf(algorithms);
  const lifetime = { soft: { packets: 3 }, hard: { packets: 6 } };
  tunnel.handle({ kind: "remove", spiIn: keys.spiIn });
  tunnel.handle({ kind: "install", pair: pairOf(algorithms, next, "v4", { lifetime }) });
  await guest.run("/bin/ip xfrm state flush");
  await install(suites[0]!, algorithms, next, "v4", tunnel.local.port);
  // The seventh finds nobody.
  await assert.rejects(guest.run("ping -c 8 -i 0.1 -W 1 10.99.0.2 && false"));
  assert.deepEqual(
    events.map(({ kind, ...rest }) => [kind, "limit" in rest && rest.limit]),
    [
      ["expiring", "packets"],
      ["expired", "packets"],
    ],
  );
  assert.equal(tunnel.status().isUp, false);
  tunnel.close();
});

for (const suite of [suites[0]!, suites[4]!, suites[8]!]) {
  test(`tshark opens our captures of ${suite.title} by our key log's lines`, async () => {
    const lines: string[] = [];
    const path = join(scratch(), `${suite.encryption}.pcapng`);
    const capture = captureToFile(host, path);
    const withLog: Host = { ...capture.host, network: capture.host.network, keyLog: (line) => lines.push(line) };
    const { tunnel } = await open(suite, false, "v4", withLog);
    await tunnel.ping("10.99.0.1", { timeoutMs: 20_000 });
    assert.match(await guest.run("ping -c 3 -i 0.1 -w 20 10.99.0.2"), answered);
    tunnel.close();
    await capture.close();
    assert.equal(lines.length, 2);
    const options = ["esp.enable_encryption_decode:TRUE", ...lines.map((line) => `uat:esp_sa:${line}`)];
    const said = execFileSync("tshark", ["-r", path, ...options.flatMap((each) => ["-o", each]), "-Y", "icmp"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    assert.ok(said.match(/Echo \(ping\) request/g)!.length >= 4, said);
    assert.ok(said.match(/Echo \(ping\) reply/g)!.length >= 4, said);
  });
}

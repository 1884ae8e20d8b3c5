import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { equal, fromHex, toHex } from "../../src/bytes/index.js";
import { type DatagramPort, type Host, type Network, Secret, type SocketAddress } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { SrtpReceiver } from "../../src/protocols/srtp/index.js";
import {
  type Algorithms,
  allAlgorithms,
  bind,
  formatHelloHash,
  type KeyAgreementType,
  MemoryZrtpCache,
  parseHelloHash,
  type ZrtpOptions,
  type ZrtpOutcome,
  type ZrtpSession,
} from "../../src/protocols/zrtp/index.js";
import { rtpPacket } from "../support/rtp.js";
import { compiled, Program } from "./peers/index.js";

const host = nodeHost();
const loopback = { address: "127.0.0.1", port: 0 };
const roles = ["initiator", "responder"] as const;
type Role = (typeof roles)[number];

/** The type of a ZRTP packet's message. */
const typeOf = (packet: Uint8Array): string | undefined =>
  packet[0] === 0x10 ? Buffer.from(packet.subarray(16, 24)).toString("latin1").trimEnd() : undefined;

/** The host's network, where what we send passes through `edit`, which may hold it back. */
function edited(network: Network, edit: (bytes: Uint8Array) => boolean): Network {
  return {
    name: network.name,
    resolve: network.resolve.bind(network),
    connectStream: network.connectStream.bind(network),
    listenStreams: network.listenStreams.bind(network),
    interfaces: network.interfaces.bind(network),
    async bindDatagrams(local, sink, options) {
      const port = await network.bindDatagrams(local, sink, options);
      const send: DatagramPort["send"] = (bytes, ...rest) => {
        if (edit(bytes)) port.send(bytes, ...rest);
      };
      return {
        get local() {
          return port.local;
        },
        get blocked() {
          return port.blocked;
        },
        send,
        set: (option, value) => port.set(option, value),
        close: () => port.close(),
        ref: () => port.ref(),
        unref: () => port.unref(),
      };
    },
  };
}

/** Our end, and what it was told. */
class Ours implements AsyncDisposable {
  readonly packets: Uint8Array[] = [];
  readonly warnings: string[] = [];
  /** What we sent, as it was on the wire. */
  readonly sent: Uint8Array[] = [];
  session!: ZrtpSession;

  /** Libbzrtp begins at once, so we are the initiator only if our Commit comes in place of the HelloACK (RFC 6189 §5.3). */
  static async bind(role: Role, options: ZrtpOptions, on: Host = host, local = loopback): Promise<Ours> {
    const ours = new Ours();
    const network = edited(on.network, (bytes) => {
      ours.sent.push(bytes.slice());
      return role === "responder" || typeOf(bytes) !== "HelloACK";
    });
    ours.session = await bind(
      on,
      { local },
      { algorithms: allAlgorithms, passive: role === "responder", ...options },
      {
        datagrams: (bytes) => void ours.packets.push(bytes.slice()),
        warning: (warning) => void ours.warnings.push(warning),
        closed: () => undefined,
      },
      { network },
    );
    return ours;
  }

  /** A further stream of a call, on a port that the peer knows. */
  static async bindStream(role: Role, first: ZrtpSession, local: SocketAddress): Promise<Ours> {
    const { association } = first;
    assert.ok(association);
    return Ours.bind(role, { association }, host, local);
  }

  get port(): number {
    return this.session.local.port;
  }

  get outcome(): ZrtpOutcome {
    return this.session.outcome!;
  }

  async until(isSo: () => boolean): Promise<void> {
    const giveUpAt = Date.now() + 15_000;
    while (!isSo()) {
      assert.ok(Date.now() < giveUpAt, `${this.packets.length} packets came`);
      await new Promise((again) => setTimeout(again, 2));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.abort();
  }
}

const bzrtp = (port: number, options: Readonly<Record<string, string | number>> = {}): Program => {
  const program = compiled("zrtp-peer", ["-lbzrtp", "-lsqlite3", "-lsrtp2"]);
  const args = Object.entries(options).flatMap(([word, value]) => [word, String(value)]);
  return new Program("libbzrtp", program, [`${port}`, "11112222", ...args]);
};

/** A port that is free now, for a peer that wants to know it before we have it. */
async function freeAddress(): Promise<SocketAddress> {
  const port = await host.network.bindDatagrams(loopback, { datagrams: () => undefined, closed: () => undefined });
  const { local } = port;
  port.close();
  return local;
}

const secureLine = (stream: number) =>
  new RegExp(
    `^${stream} secure hash=(\\S+) cipher=(\\S+) tag=(\\S+) ka=(\\S+) sas=(\\S+) (\\S+) verified=(\\d) mismatch=(\\d) aux=(\\d)$`,
    "m",
  );

/** What libbzrtp came to. */
async function theirs(program: Program, stream = 0) {
  const [, hash, cipher, authTag, keyAgreement, sas, words, verified, mismatch, auxiliary] = await program.says(
    secureLine(stream),
  );
  return { hash, cipher, authTag, keyAgreement, sas, words, verified, mismatch, auxiliary };
}

/** Both came to the same, and media that we send come back from libsrtp under the peer's keys. */
async function agreed(ours: Ours, program: Program, stream = 0): Promise<void> {
  await ours.session.confirmed;
  const { hash, cipher, authTag, keyAgreement, sas, words } = await theirs(program, stream);
  const { outcome } = ours;
  assert.deepEqual(
    [hash, cipher, authTag, keyAgreement],
    [outcome.hash, outcome.cipher, outcome.authTag, outcome.keyAgreement],
  );
  if (outcome.words !== undefined) {
    assert.equal(sas, outcome.words.type);
    assert.equal(words, outcome.words.text);
  }
  await media(ours, program, stream);
}

async function media(ours: Ours, program: Program, stream = 0): Promise<void> {
  // What is sent before libbzrtp has made its SRTP contexts it drops: it says when it has.
  const before = ours.packets.length;
  const packet = rtpPacket({ sequence: 1 + before, ssrc: 0x01020304, payload: `frame ${before}` });
  ours.session.send(packet);
  await ours.until(() => ours.packets.length > before);
  const back = ours.packets.at(-1)!;
  assert.ok(equal(back.subarray(12), packet.subarray(12)));
  assert.equal(back[11], packet[11]! ^ 0xff);
  await program.says(new RegExp(`^${stream} media`, "m"));
}

const others: readonly Partial<Algorithms>[] = [
  { hashes: ["S256"], ciphers: ["AES1"], authTags: ["HS32"], sas: ["B32"] },
  { hashes: ["S384"], ciphers: ["AES3"], authTags: ["HS80"], sas: ["B256"] },
];

for (const role of roles) {
  for (const keyAgreement of ["X255", "X448", "DH2k", "DH3k"] as const satisfies readonly KeyAgreementType[]) {
    for (const rest of others) {
      const algorithms: Algorithms = { ...allAlgorithms, ...rest, keyAgreements: [keyAgreement] };
      test(`libbzrtp, we are the ${role}: ${Object.values(algorithms).flat().join(" ")}, the same words, media both ways`, async () => {
        await using ours = await Ours.bind(role, { algorithms });
        await using program = bzrtp(ours.port, {
          hash: "S256,S384",
          cipher: "AES1,AES3",
          tag: "HS32,HS80",
          sas: "B32,B256",
          ka: keyAgreement,
          media: 1,
          ...(role === "responder" && {
            hash: rest.hashes![0]!,
            cipher: rest.ciphers![0]!,
            tag: rest.authTags![0]!,
            sas: rest.sas![0]!,
          }),
        });
        await agreed(ours, program);
        assert.equal(ours.outcome.role, role);
        const { hash, cipher, authTag, sas } = ours.outcome;
        assert.deepEqual(
          [hash, cipher, authTag, sas],
          [rest.hashes, rest.ciphers, rest.authTags, rest.sas].map((list) => list![0]),
        );
      });
    }
  }

  test(`libbzrtp, we are the ${role}: both have the same keys, and the same one is exported`, async () => {
    await using ours = await Ours.bind(role, {});
    await using program = bzrtp(ours.port, { export: "label", media: 1 });
    await agreed(ours, program);
    const { profile, hash } = ours.outcome;
    const [, key, salt] = (await program.says(/^0 keys \S+ \S+ (\S+) (\S+)$/m)) as [string, string, string];
    const receiver = new SrtpReceiver({
      crypto: host.crypto,
      profile,
      key: { key: new Secret(fromHex(key)), salt: fromHex(salt) },
    });
    const packet = ours.sent.find((bytes) => bytes[0] === 0x80)!.slice();
    const size = receiver.unprotect(packet, 0, packet.length);
    assert.equal(typeof size, "number", `${size}`);
    const [, exported] = (await program.says(/^exported (\S+)$/m)) as [string, string];
    assert.equal(
      toHex(ours.session.exportKey("label", host.crypto.hash(hash === "S256" ? "SHA-256" : "SHA-384").size)),
      exported,
    );
  });

  test(`libbzrtp, we are the ${role}: signalling vouches for both Hellos, and another Hello is not let in`, async () => {
    const local = await freeAddress();
    for (const isLie of [false, true]) {
      await using program = bzrtp(local.port, { waits: 1, media: 1 });
      const [, line] = (await program.says(/^hellohash (.+)$/m)) as [string, string];
      const promised = parseHelloHash(isLie ? line.replace(/.$/, (digit) => (digit === "0" ? "1" : "0")) : line);
      await using ours = await Ours.bind(role, { signalled: promised }, host, local);
      await program.write(`${formatHelloHash(ours.session.helloHash).slice("a=zrtp-hash:".length)}\n`);
      if (!isLie) {
        await agreed(ours, program);
        assert.equal(ours.outcome.signalled, true);
        assert.equal(ours.session.peer?.kind, "zid");
        continue;
      }
      await ours.until(() => ours.session.drops["not-signalled"] > 2);
      assert.deepEqual([ours.sent.length, ours.session.outcome], [0, undefined]);
    }
  });

  test(`libbzrtp, we are the ${role}: an auxiliary secret that both have, and one that differs`, async () => {
    for (const [given, expected, code] of [
      ["000102030405060708090a0b0c0d0e0f", "matched", "0"],
      ["ff0102030405060708090a0b0c0d0e0f", "mismatch", "1"],
    ] as const) {
      await using ours = await Ours.bind(role, {
        auxiliary: new Secret(fromHex("000102030405060708090a0b0c0d0e0f")),
      });
      await using program = bzrtp(ours.port, { aux: given, media: 1 });
      await agreed(ours, program);
      assert.equal(ours.outcome.auxiliary, expected);
      assert.equal((await theirs(program)).auxiliary, code);
      assert.deepEqual(ours.warnings, expected === "matched" ? [] : ["auxiliary-mismatch"]);
    }
  });

  test(`libbzrtp, we are the ${role}: retained secrets, words that were compared, and a cache that was lost`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "sealport-zrtp-"));
    try {
      const zid = host.entropy.fill(new Uint8Array(12));
      const cache = new MemoryZrtpCache();
      let file = join(folder, "one.sqlite");
      const call = async (compares: boolean, options: ZrtpOptions = { zid, cache }) => {
        await using ours = await Ours.bind(role, options);
        await using program = bzrtp(ours.port, { cache: file, media: 1 });
        await agreed(ours, program);
        const came = await theirs(program);
        if (compares) {
          ours.session.compared(true);
          await program.write("verified\n");
          await program.says(/^ok$/m);
        }
        await ours.session.stored;
        const { continuity, verified, peerVerified } = ours.outcome;
        return {
          continuity,
          verified,
          peerVerified,
          theirs: `${came.verified}${came.mismatch}`,
          warnings: ours.warnings,
        };
      };
      const calm = { warnings: [] as string[] };
      assert.deepEqual(await call(false), {
        continuity: "none",
        verified: false,
        peerVerified: false,
        theirs: "00",
        ...calm,
      });
      // The outcome is that of the moment: it is verified once the users have said so.
      assert.deepEqual(await call(true), {
        continuity: "matched",
        verified: true,
        peerVerified: false,
        theirs: "00",
        ...calm,
      });
      assert.deepEqual(await call(false), {
        continuity: "matched",
        verified: true,
        peerVerified: true,
        theirs: "10",
        ...calm,
      });
      // We have lost ours: the peer is alarmed, and we see nothing unusual.
      const forgetful = { zid, cache: new MemoryZrtpCache() };
      const lost = await call(false, forgetful);
      assert.deepEqual([lost.continuity, lost.verified, lost.theirs], ["none", false, "01"]);
      // The peer has lost its own, with its ZID: it is a stranger to us.
      file = join(folder, "two.sqlite");
      assert.equal((await call(false)).continuity, "none");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test(`libbzrtp, we are the ${role}: a second media stream without another agreement`, async () => {
    await using ours = await Ours.bind(role, {});
    const local = await freeAddress();
    await using program = bzrtp(ours.port, { streams: 2, remote2: local.port, media: 1 });
    await ours.session.confirmed;
    const second = await Ours.bindStream(role, ours.session, local);
    await using _ = second;
    await agreed(second, program, 1);
    assert.equal(second.outcome.keyAgreement, "Mult");
    assert.equal(second.outcome.words, undefined);
    assert.throws(() => second.session.exportKey("label", 32), /exports/);
    await media(ours, program);
  });
}

test("libbzrtp: every message of ours lost once, and the call is made all the same", async () => {
  for (const role of roles) {
    const lost = new Set<string>();
    const lossy: Host = Object.assign(Object.create(host) as Host, {
      network: edited(host.network, (bytes) => {
        const type = typeOf(bytes);
        if (type === undefined || lost.has(type)) return true;
        lost.add(type);
        return false;
      }),
    });
    await using ours = await Ours.bind(role, {}, lossy);
    await using program = bzrtp(ours.port, { media: 1 });
    await agreed(ours, program);
    assert.ok(lost.size >= 4, [...lost].join());
  }
});

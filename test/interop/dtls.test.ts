import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { DtlsClientOptions, DtlsOutcome, DtlsServerOptions } from "../../src/protocols/dtls/index.js";
import { ClientSessionCache, MemorySessionStore, TicketKeyRing } from "../../src/protocols/tls/index.js";
import { connectOurDtls, OurDtlsServer } from "./dtls-ours.js";
import { host } from "./ours.js";
import { scratch } from "./peers/certificates.js";
import { type DtlsSetup, type DtlsStrangerName, dtlsStrangers } from "./peers/dtls.js";

/** One way to speak DTLS, tried with strangers, from both seats unless only one makes sense. */
interface Row {
  readonly what: string;
  readonly with: readonly DtlsStrangerName[];
  readonly theirs: DtlsSetup;
  /** Our options, in either seat. */
  readonly ours?: DtlsClientOptions & DtlsServerOptions;
  readonly seats?: readonly ("client" | "server")[];
  readonly agreed?: Partial<DtlsOutcome>;
  /** What our sink must have been told by the end. */
  readonly told?: readonly string[];
  /** What the stranger must say. */
  readonly seen?: RegExp;
}

const everyone12: readonly DtlsStrangerName[] = [
  "OpenSSL 3.0",
  "OpenSSL 3.5",
  "GnuTLS 3.7",
  "GnuTLS 3.8",
  "Mbed TLS 3.6",
  "wolfSSL 5.9",
  "NSS 3.132",
];
const everyone13: readonly DtlsStrangerName[] = ["wolfSSL 5.9", "NSS 3.132"];

const rows: readonly Row[] = [
  { what: "1.2, a certificate", with: everyone12, theirs: { version: "1.2" } },
  {
    what: "1.2, both certificates",
    with: ["OpenSSL 3.0", "OpenSSL 3.5", "GnuTLS 3.8", "Mbed TLS 3.6", "wolfSSL 5.9"],
    theirs: { version: "1.2", mutual: true },
  },
  {
    what: "1.2, PSK with CCM_8",
    with: ["OpenSSL 3.0", "OpenSSL 3.5"],
    theirs: { version: "1.2", psk: true, suites: "PSK-AES128-CCM8" },
    agreed: { suite: "TLS_PSK_WITH_AES_128_CCM_8", mode: "psk" },
    ours: { versions: ["1.2"] },
  },
  {
    what: "1.2, ECDHE-PSK",
    with: ["OpenSSL 3.0"],
    theirs: { version: "1.2", psk: true, suites: "ECDHE-PSK-CHACHA20-POLY1305" },
    agreed: { suite: "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256", mode: "psk" },
    ours: { versions: ["1.2"] },
  },
  {
    what: "1.2, PSK",
    with: ["GnuTLS 3.7", "Mbed TLS 3.6"],
    theirs: { version: "1.2", psk: true },
    agreed: { mode: "psk" },
    ours: { versions: ["1.2"] },
  },
  {
    what: "1.2, a certificate with CCM",
    with: ["OpenSSL 3.0"],
    theirs: { version: "1.2", suites: "ECDHE-ECDSA-AES128-CCM8" },
    ours: { versions: ["1.2"], suites: ["TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"] },
    agreed: { suite: "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8" },
  },
  {
    what: "1.2, connection IDs and a client that moves",
    with: ["Mbed TLS 3.6", "wolfSSL 5.9"],
    theirs: { version: "1.2", connectionId: "aabbccdd", moves: true },
    ours: { versions: ["1.2"], connectionIdSize: 6 },
    seats: ["server"],
    agreed: { connectionIdSizes: { sent: 4, received: 6 } },
    told: ["moved"],
  },
  {
    what: "1.2, connection IDs",
    with: ["Mbed TLS 3.6", "wolfSSL 5.9"],
    theirs: { version: "1.2", connectionId: "aabbccdd" },
    ours: { versions: ["1.2"], connectionIdSize: 6 },
    seats: ["client"],
    agreed: { connectionIdSizes: { sent: 4, received: 6 } },
  },
  {
    what: "1.2, use_srtp",
    with: ["OpenSSL 3.0", "GnuTLS 3.8", "Mbed TLS 3.6", "NSS 3.132"],
    theirs: { version: "1.2", srtp: true },
    ours: { versions: ["1.2"], srtp: { profiles: [1] } },
    agreed: { srtp: { profile: 1, mki: new Uint8Array(0) } },
  },
  {
    what: "1.2, heartbeats that find what the path carries",
    with: ["GnuTLS 3.7"],
    theirs: { version: "1.2", args: ["--heartbeat"] },
    ours: { versions: ["1.2"], mtuMax: 1_452 },
    seats: ["client"],
    told: ["messageMax"],
  },
  { what: "1.3, a certificate", with: everyone13, theirs: { version: "1.3", group: "x25519" } },
  { what: "1.3, both certificates", with: ["wolfSSL 5.9"], theirs: { version: "1.3", mutual: true, group: "x25519" } },
  {
    what: "1.3, PSK",
    with: everyone13,
    theirs: { version: "1.3", psk: true },
    agreed: { mode: "psk" },
    ours: { versions: ["1.3"] },
  },
  {
    what: "1.3, key updates",
    with: everyone13,
    theirs: { version: "1.3", updatesKeys: true, group: "x25519", messages: 6 },
    told: ["keyUpdated read by peer"],
  },
  {
    what: "1.3, connection IDs and a client that moves",
    with: ["wolfSSL 5.9"],
    theirs: { version: "1.3", connectionId: "aabbccdd", moves: true, group: "x25519" },
    ours: { connectionIdSize: 6 },
    seats: ["server"],
    agreed: { connectionIdSizes: { sent: 4, received: 6 } },
    told: ["moved"],
  },
  {
    what: "1.3, connection IDs",
    with: ["wolfSSL 5.9"],
    theirs: { version: "1.3", connectionId: "aabbccdd", group: "x25519" },
    ours: { connectionIdSize: 6 },
    seats: ["client"],
    agreed: { connectionIdSizes: { sent: 4, received: 6 } },
  },
  {
    what: "1.3, X25519MLKEM768 in a ClientHello of two pieces",
    with: everyone13,
    theirs: { version: "1.3", group: "X25519MLKEM768" },
    ours: { versions: ["1.3"], groups: ["X25519MLKEM768", "x25519"] },
    seats: ["server"],
    agreed: { group: "X25519MLKEM768", retried: true },
  },
  {
    what: "1.3, use_srtp",
    with: ["NSS 3.132"],
    theirs: { version: "1.3", srtp: true, group: "x25519" },
    ours: { srtp: { profiles: [1] } },
    agreed: { srtp: { profile: 1, mki: new Uint8Array(0) } },
  },
];

describe("DTLS with strangers", { concurrency: 2 }, () => {
  for (const row of rows) {
    for (const name of row.with) {
      for (const seat of row.seats ?? (["client", "server"] as const)) {
        const way = seat === "client" ? `our client to ${name}` : `${name} to our server`;
        test(`${row.what}: ${way}`, () => (seat === "client" ? asClient(row, name) : asServer(row, name)));
      }
    }
  }
});

const ourOptions = (row: Row): DtlsClientOptions & DtlsServerOptions => ({
  versions: [row.theirs.version],
  ...row.ours,
});

const ourSetup = ({ theirs }: Row) => ({ psk: theirs.psk === true, mutual: theirs.mutual === true });

function check(row: Row, outcome: DtlsOutcome): void {
  for (const [key, value] of Object.entries({ version: row.theirs.version, ...row.agreed })) {
    assert.deepEqual(outcome[key as keyof DtlsOutcome], value, key);
  }
}

async function asClient(row: Row, name: DtlsStrangerName): Promise<void> {
  const stranger = dtlsStrangers[name];
  const { program, port } = await stranger.serve(row.theirs);
  await using _ = program;
  await using ours = connectOurDtls(port, ourSetup(row), ourOptions(row));
  try {
    check(row, await ours.outcome());
    const count = row.theirs.messages ?? 4;
    for (let i = 0; i < count; i++) {
      ours.say(`message ${i} from us\n`);
      if (stranger.echoes) await ours.hears(`message ${i} from us`);
      else {
        await program.says(`message ${i} from us`);
        await program.write(`answer ${i} from them\n`);
        await ours.hears(`answer ${i} from them`);
      }
    }
    await exported(program, ours.exporter, name);
    for (const each of row.told ?? []) await ours.tells(each);
    if (row.seen) await program.says(row.seen);
    if (isC(name)) assert.equal(await program.ends(), "exited with 0");
    else ours.session.close();
    assert.equal(await ours.ending(), undefined);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${program.said.slice(-2000)}`, {
      cause: error,
    });
  }
}

async function asServer(row: Row, name: DtlsStrangerName): Promise<void> {
  const stranger = dtlsStrangers[name];
  await using server = await OurDtlsServer.start(ourSetup(row), ourOptions(row));
  await using program = stranger.connect(server.port, row.theirs);
  try {
    const ours = await server.next(program);
    check(row, await ours.outcome());
    if (!isC(name)) {
      await program.write("hello from them\n");
      await ours.hears("hello from them");
      ours.say("hello from us\n");
      await program.says("hello from us");
    } else await program.says("DONE");
    await exported(program, ours.exporter, name);
    for (const each of row.told ?? []) await ours.tells(each);
    if (row.seen) await program.says(row.seen);
    if (isC(name)) assert.equal(await program.ends(), "exited with 0");
    else if (name.startsWith("OpenSSL")) await program.write("Q\n");
    else program.finish();
    assert.equal(await ours.ending(), undefined);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${program.said.slice(-2000)}`, {
      cause: error,
    });
  }
}

const isC = (name: DtlsStrangerName): boolean => !name.startsWith("OpenSSL") && !name.startsWith("GnuTLS");

/** Both sides' exporter gives the same, where the stranger tells its own. */
async function exported(program: { says(pattern: RegExp): Promise<RegExpMatchArray> }, ours: string, name: string) {
  if (name.startsWith("GnuTLS")) return; // its server has none, and its client prints it in another form
  const [, hex] = await program.says(/(?:EXPORTER |Keying material: )([0-9A-Fa-f]{64})/);
  assert.equal(hex!.toLowerCase(), ours);
}

describe("DTLS with strangers: sessions and moves", () => {
  for (const name of ["OpenSSL 3.0", "OpenSSL 3.5"] as const) {
    test(`1.2, resumption: our client to ${name}`, async () => {
      const { program, port } = await dtlsStrangers[name].serve({ version: "1.2" });
      await using _ = program;
      const sessions = new ClientSessionCache(new MemorySessionStore());
      const modes: string[] = [];
      for (let i = 0; i < 2; i++) {
        await using ours = connectOurDtls(port, {}, { versions: ["1.2"], sessions, sessionScope: { port: 1 } });
        modes.push((await ours.outcome()).mode);
        ours.say(`visit ${i}\n`);
        await program.says(`visit ${i}`);
        ours.session.close();
        await ours.ending();
      }
      assert.deepEqual(modes, ["full", "resumed"]);
    });

    test(`1.2, resumption: ${name} to our server`, async () => {
      const tickets = new TicketKeyRing({ crypto: host.crypto, entropy: host.entropy });
      await using server = await OurDtlsServer.start({}, { versions: ["1.2"], tickets });
      const file = join(scratch(), "session.pem");
      const modes: string[] = [];
      for (const [i, args] of [["-sess_out", file] as const, ["-sess_in", file] as const].entries()) {
        await using program = dtlsStrangers[name].connect(server.port, { version: "1.2", args });
        await program.says(/(New|Reused), /);
        await program.write(`visit ${i}\n`);
        await program.says(`visit ${i}`);
        modes.push((await server.ends[i]!.outcome()).mode);
        await program.write("Q\n");
        await program.ends();
      }
      assert.deepEqual(modes, ["full", "resumed"]);
    });
  }

  for (const [name, version] of [
    ["wolfSSL 5.9", "1.3"],
    ["Mbed TLS 3.6", "1.2"],
  ] as const) {
    test(`${version}, our client moves, and ${name} follows by the connection ID`, async () => {
      const theirs = { version, connectionId: "aabbccdd", group: "x25519" } as const;
      const { program, port } = await dtlsStrangers[name].serve(theirs);
      await using _ = program;
      await using ours = connectOurDtls(port, {}, { versions: [version], connectionIdSize: 4 });
      await ours.outcome();
      for (let i = 0; i < 4; i++) {
        if (i === 2) await ours.session.migrate();
        ours.say(`message ${i}`);
        await ours.hears(`message ${i}`);
      }
      await program.says(/PEER MOVED/);
      assert.equal(await program.ends(), "exited with 0");
    });
  }

  test("1.2, a renegotiation that OpenSSL asks for is refused with no_renegotiation (RFC 5746)", async () => {
    await using server = await OurDtlsServer.start({}, { versions: ["1.2"] });
    await using program = dtlsStrangers["OpenSSL 3.0"].connect(server.port, { version: "1.2", args: ["-msg"] });
    await program.write("before\n");
    const ours = await server.next(program);
    await ours.hears("before");
    await program.write("R\n");
    await program.says(/no renegotiation/);
    assert.ok(ours.session.statistics.drops["unexpected-record"] >= 1);
  });

  test("1.3, wolfSSL asks for a cookie, and is asked for one", async () => {
    const { program, port } = await dtlsStrangers["wolfSSL 5.9"].serve({ version: "1.3", group: "x25519" });
    await using _ = program;
    await using ours = connectOurDtls(port, {}, { versions: ["1.3"] });
    assert.equal((await ours.outcome()).retried, true);
    await using server = await OurDtlsServer.start({}, { versions: ["1.3"] });
    await using client = dtlsStrangers["wolfSSL 5.9"].connect(server.port, { version: "1.3", group: "x25519" });
    assert.equal((await (await server.next(client)).outcome()).retried, true);
  });
});

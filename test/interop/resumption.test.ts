import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { speaks, versions } from "./conversation.js";
import { connectOurs, OurServer } from "./ours.js";
import { type StrangerName, scratch, strangers, type TlsSetup } from "./peers/index.js";

describe("our client resumes", { concurrency: 2 }, () => {
  for (const version of versions) {
    for (const name of ["OpenSSL 3.0", "OpenSSL 3.5", "GnuTLS 3.7", "GnuTLS 3.8", "node:tls"] as const) {
      test(`a TLS ${version} session with ${name}`, async () => {
        const session = join(scratch(), "session");
        await using server = await strangers[name].serve({ version });
        await visit(server.port, { version, saveSession: session }, speaks(name), "full");
        await visit(server.port, { version, useSession: session }, speaks(name), "resumed");
        // One ticket serves one attempt: there was a second, or the second visit brought the next.
        await visit(server.port, { version, useSession: session }, speaks(name), "resumed");
      });
    }
  }

  if (versions.includes("1.2"))
    test("a TLS 1.2 session by its id with a server that has no tickets", async () => {
      const session = join(scratch(), "session");
      await using server = await strangers["OpenSSL 3.0"].serve({ version: "1.2", args: ["-no_ticket"] });
      await visit(server.port, { version: "1.2", saveSession: session }, true, "full");
      await visit(server.port, { version: "1.2", useSession: session }, true, "resumed");
    });

  test("nothing with a server that has forgotten: the handshake is a full one", async () => {
    const session = join(scratch(), "session");
    {
      await using server = await strangers["OpenSSL 3.0"].serve({ version: "1.3" });
      await visit(server.port, { version: "1.3", saveSession: session }, true, "full");
    }
    await using other = await strangers["OpenSSL 3.0"].serve({ version: "1.3" });
    await visit(other.port, { version: "1.3", useSession: session }, true, "full");
  });

  test("after a HelloRetryRequest, with binders over both hellos", async () => {
    const session = join(scratch(), "session");
    const client: TlsSetup = { version: "1.3", groups: ["x25519", "secp384r1"] };
    await using server = await strangers["OpenSSL 3.5"].serve({ version: "1.3", groups: ["secp384r1"] });
    await visit(server.port, { ...client, saveSession: session }, true, "full");
    const outcome = await visit(server.port, { ...client, useSession: session }, true, "resumed");
    assert.equal(outcome.retried, true);
  });
});

describe("our server resumes", { concurrency: 2 }, () => {
  for (const version of versions) {
    for (const name of ["OpenSSL 3.0", "OpenSSL 3.5", "node:tls"] as const) {
      test(`a TLS ${version} session of ${name}`, async () => {
        const session = join(scratch(), "session");
        await using server = await OurServer.start({ version });
        for (const [setup, mode] of [
          [{ saveSession: session }, "full"],
          [{ useSession: session }, "resumed"],
        ] as const) {
          await using client = strangers[name].connect(server.port, { version, ...setup });
          const ours = await server.next();
          assert.equal((await ours.outcome()).mode, mode);
          await client.say("hello");
          await ours.hears("hello");
          // What comes back after the tickets shows that the client has read them.
          await ours.say("tickets came before this");
          await client.hears("tickets came before this");
          await client.close();
          await ours.tells("ended");
          await ours.close();
          await client.program.ends();
        }
      });
    }

    for (const name of ["GnuTLS 3.7", "GnuTLS 3.8"] as const) {
      test(`a TLS ${version} session of ${name}`, async () => {
        await using server = await OurServer.start({ version });
        const args = ["--resume", ...(version === "1.3" ? ["--waitresumption"] : [])];
        await using client = strangers[name].connect(server.port, { version, args });
        const first = await server.next();
        assert.equal((await first.outcome()).mode, "full");
        await first.tells("ended");
        await first.close();
        const second = await server.next();
        assert.equal((await second.outcome()).mode, "resumed");
        await client.program.says("This is a resumed session");
        await client.say("again");
        await second.hears("again");
      });
    }
  }

  test("nothing from a ticket that was altered on the way: the handshake is a full one", async () => {
    const session = join(scratch(), "session");
    {
      await using server = await OurServer.start({ version: "1.3" });
      await using client = strangers["OpenSSL 3.0"].connect(server.port, { version: "1.3", saveSession: session });
      const ours = await server.next();
      await client.say("hello");
      await ours.hears("hello");
      await ours.say("tickets came before this");
      await client.hears("tickets came before this");
      await client.close();
      await client.program.ends();
    }
    // Another server has other ticket keys: to it the ticket is noise.
    await using other = await OurServer.start({ version: "1.3" });
    await using client = strangers["OpenSSL 3.0"].connect(other.port, { version: "1.3", useSession: session });
    assert.equal((await (await other.next()).outcome()).mode, "full");
    await client.program.says(/^New, TLSv1\.3/m);
  });
});

const early = "early bird\n";

describe("0-RTT", { concurrency: 2 }, () => {
  for (const name of ["OpenSSL 3.0", "OpenSSL 3.5", "GnuTLS 3.7", "GnuTLS 3.8"] as const) {
    test(`early data of ours are accepted by ${name}`, async () => {
      const session = join(scratch(), "session");
      await using server = await strangers[name].serve({ version: "1.3", earlyDataMax: 4096 });
      await visit(server.port, { version: "1.3", saveSession: session }, speaks(name), "full");
      await using ours = connectOurs(
        server.port,
        { version: "1.3", useSession: session },
        { client: { earlyData: true } },
      );
      ours.session.writeEarly(new TextEncoder().encode(early));
      const outcome = await ours.outcome();
      assert.equal(outcome.earlyData, "accepted");
      assert.equal(outcome.roundTrips, 0);
      // gnutls-serv takes early data in and tells nobody what they were.
      if (speaks(name)) await server.hears("early bird");
      await ours.say("and after");
      await server.hears("and after");
    });
  }

  test("early data that a server rejects arrive all the same, after the handshake", async () => {
    const session = join(scratch(), "session");
    const port = await (async () => {
      await using server = await strangers["OpenSSL 3.0"].serve({ version: "1.3", earlyDataMax: 4096 });
      await visit(server.port, { version: "1.3", saveSession: session }, true, "full");
      return server.port;
    })();
    // A server at the same place that knows neither the ticket nor early data.
    await using other = await strangers["OpenSSL 3.0"].serve({ version: "1.3", mode: "lines", args: [] });
    assert.notEqual(other.port, 0);
    assert.ok(port > 0);
    await using ours = connectOurs(
      other.port,
      { version: "1.3", useSession: session },
      { client: { earlyData: true, sessionScope: { port } } },
    );
    ours.session.writeEarly(new TextEncoder().encode(early));
    assert.equal((await ours.outcome()).earlyData, "rejected");
    await other.hears("early bird");
    assert.ok(ours.told.includes("earlyData rejected"));
  });

  for (const name of ["OpenSSL 3.0", "OpenSSL 3.5"] as const) {
    test(`our server accepts the early data of ${name}, and knows them for what they are`, async () => {
      const folder = scratch();
      const session = join(folder, "session");
      writeFileSync(join(folder, "early"), early);
      await using server = await OurServer.start({ version: "1.3", earlyDataMax: 4096 });
      await firstVisitOf(name, server, session);
      await using client = strangers[name].connect(server.port, {
        version: "1.3",
        useSession: session,
        earlyDataFile: join(folder, "early"),
      });
      const ours = await server.next();
      assert.equal((await ours.outcome()).earlyData, "accepted");
      assert.equal(ours.heardEarly, early);
      await client.program.says("Early data was accepted");
      await client.say("and after");
      await ours.hears("and after");
    });

    test(`our server refuses the early data of ${name} that come a second time`, async () => {
      const folder = scratch();
      const session = join(folder, "session");
      writeFileSync(join(folder, "early"), early);
      // A server that takes no early data under tickets that promised them: the judge says that all is replayed.
      await using server = await OurServer.start(
        { version: "1.3", earlyDataMax: 4096 },
        { server: { antiReplay: { judge: () => "replayed" } } },
      );
      await firstVisitOf(name, server, session);
      await using client = strangers[name].connect(server.port, {
        version: "1.3",
        useSession: session,
        earlyDataFile: join(folder, "early"),
      });
      const ours = await server.next();
      const outcome = await ours.outcome();
      assert.equal(outcome.earlyData, "rejected");
      assert.equal(outcome.mode, "resumed");
      await client.program.says("Early data was rejected");
      await client.say("and after");
      await ours.hears("and after");
      assert.equal(ours.heardEarly, "");
    });
  }

  test("our server accepts the early data of GnuTLS", async () => {
    const file = join(scratch(), "early");
    writeFileSync(file, early);
    await using server = await OurServer.start({ version: "1.3", earlyDataMax: 4096 });
    await using client = strangers["GnuTLS 3.7"].connect(server.port, { version: "1.3", earlyDataFile: file });
    const first = await server.next();
    await first.tells("ended");
    await first.close();
    const second = await server.next();
    assert.equal((await second.outcome()).earlyData, "accepted");
    assert.equal(second.heardEarly, early);
    await client.say("and after");
    await second.hears("and after");
  });
});

async function visit(port: number, setup: TlsSetup, serverSpeaks: boolean, mode: "full" | "resumed") {
  await using ours = connectOurs(port, setup);
  const outcome = await ours.outcome();
  assert.equal(outcome.mode, mode);
  await ours.say("knock knock");
  if (!serverSpeaks) await ours.hears("knock knock");
  // Not every server gives a new one to a session that was resumed.
  if (mode === "full") await ours.tells("ticket");
  await ours.close();
  await ours.ending();
  return outcome;
}

async function firstVisitOf(name: StrangerName, server: OurServer, session: string): Promise<void> {
  await using client = strangers[name].connect(server.port, { version: "1.3", saveSession: session });
  const ours = await server.next();
  await client.say("hello");
  await ours.hears("hello");
  await ours.say("tickets came before this");
  await client.hears("tickets came before this");
  await client.close();
  await ours.tells("ended");
  await ours.close();
  await client.program.ends();
}

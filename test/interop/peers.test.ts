import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import { type StrangerName, strangers } from "./peers/index.js";

// The harness itself is tried with strangers on both sides, so that a failure beside our own end is our own end's.

const label = "EXPORTER-sealport";
const names = Object.keys(strangers) as StrangerName[];
const pairs: readonly (readonly [StrangerName, StrangerName])[] = names.flatMap((server, at) => [
  [server, names[(at + 1) % names.length]!],
  [server, names[(at + 2) % names.length]!],
]);

describe("strangers speak to each other through the harness", { concurrency: 2 }, () => {
  for (const version of ["1.3", "1.2"] as const) {
    for (const [serverName, clientName] of pairs) {
      test(`${clientName} reaches ${serverName} by TLS ${version}: lines, exporters, close`, async () => {
        const mode = serverName.startsWith("GnuTLS") ? "echo" : "lines";
        await using server = await strangers[serverName].serve({ version, exporterLabel: label, mode });
        await using client = strangers[clientName].connect(server.port, { version, exporterLabel: label });
        assert.equal(await client.exporter(), await server.exporter());
        await client.say("good morning");
        await server.hears("good morning");
        if (mode === "lines") await server.say("good evening");
        else await client.say("good evening");
        await client.hears("good evening");
        await client.close();
        await client.program.ends();
      });
    }
  }
});

test("a peer that is missing fails its test by name, with the command that installs it", () => {
  const find = new URL("./peers/find.js", import.meta.url).href;
  const script = `import { peer } from "${find}"; try { peer("GnuTLS 3.8 client"); } catch (e) { console.log(e.message); }`;
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    env: { ...process.env, SEALPORT_PEERS: "/nowhere" },
  });
  assert.match(
    said,
    /GnuTLS 3\.8 client \(gnutls-cli of Debian trixie\) is not here; .*scripts\/peers\/install\.sh tls/,
  );
});

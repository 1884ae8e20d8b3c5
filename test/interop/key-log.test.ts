import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { versions } from "./conversation.js";
import { connectOurs, OurServer } from "./ours.js";
import { scratch, strangers } from "./peers/index.js";
import { Relay } from "./relay.js";

describe("our key log opens our captures for tshark", { concurrency: 2 }, () => {
  for (const version of versions) {
    test(`of our client by TLS ${version}, across a change of keys`, async () => {
      const keyLog = join(scratch(), "keys");
      await using server = await strangers["OpenSSL 3.0"].serve({ version });
      await using relay = await Relay.to(server.port);
      await using ours = connectOurs(relay.port, { version, keyLog });
      await ours.say("nobody hears the client");
      await server.hears("nobody hears the client");
      await server.say("nobody hears the server");
      await ours.hears("nobody hears the server");
      if (version === "1.3") await ours.updateKeys(true);
      await ours.say("nor the second part");
      await server.hears("nor the second part");
      const said = relay.decrypted(keyLog);
      assert.match(said, /nobody hears the client/);
      assert.match(said, /nobody hears the server/);
      assert.match(said, /nor the second part/);
    });

    test(`of our server by TLS ${version}`, async () => {
      const keyLog = join(scratch(), "keys");
      await using server = await OurServer.start({ version, keyLog });
      await using relay = await Relay.to(server.port);
      await using client = strangers["OpenSSL 3.5"].connect(relay.port, { version });
      const ours = await server.next();
      await client.say("nobody hears the client");
      await ours.hears("nobody hears the client");
      assert.match(relay.decrypted(keyLog), /nobody hears the client/);
    });

    test(`and says the same as the stranger's own by TLS ${version}`, async () => {
      const folder = scratch();
      const [mine, theirs] = [join(folder, "mine"), join(folder, "theirs")];
      await using server = await OurServer.start({ version, keyLog: mine });
      await using client = strangers["OpenSSL 3.0"].connect(server.port, { version, keyLog: theirs });
      const ours = await server.next();
      await client.say("hello");
      await ours.hears("hello");
      const lines = (path: string) => {
        const wanted = readFileSync(path, "latin1").split("\n");
        return wanted.filter((line) => /^(CLIENT|SERVER)_\w+ /.test(line) && !line.startsWith("CLIENT_EARLY")).sort();
      };
      const known = lines(theirs);
      assert.equal(known.length, version === "1.3" ? 4 : 1);
      assert.deepEqual(
        lines(mine).filter((line) => known.includes(line)),
        known,
      );
    });
  }
});

import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { qlogFile } from "../../../src/hosts/node/index.js";
import { scratch } from "../../interop/peers/certificates.js";

test("a qlog is a text sequence of a header and events, each with its connection, and its owner's alone", async () => {
  const path = join(scratch(), "a.sqlog");
  {
    await using qlog = qlogFile(path, "server");
    qlog.trace({ at: 1_000.5, protocol: "QUIC", name: "quic:packet_sent", data: { connection: 3, length: 1200 } });
    qlog.trace({
      at: 1_001,
      protocol: "QUIC",
      name: "quic:x",
      data: { dcid: Uint8Array.of(1, 255), large: 1n << 60n },
    });
    assert.equal(qlog.dropped, 0);
  }
  const text = readFileSync(path, "utf8");
  // RFC 7464: each text begins with a record separator and ends with a line feed.
  const records = text.split("\u001e").slice(1);
  assert.ok(text.startsWith("\u001e") && records.every((each) => each.endsWith("\n")));
  const [header, ...events] = records.map((each) => JSON.parse(each));
  assert.equal(header.file_schema, "urn:ietf:params:qlog:file:sequential");
  assert.equal(header.trace.vantage_point.type, "server");
  assert.deepEqual(events, [
    { time: 1_000.5, name: "quic:packet_sent", group_id: "3", data: { length: 1200 } },
    { time: 1_001, name: "quic:x", data: { dcid: "01ff", large: "1152921504606846976" } },
  ]);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

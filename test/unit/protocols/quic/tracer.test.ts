import assert from "node:assert/strict";
import { test } from "node:test";
import type { TraceEvent } from "../../../../src/contract/index.js";
import { simulate } from "../../../../src/hosts/simulator/index.js";
import { provider } from "../../../support/provider.js";
import { quicPair, startOfTime } from "../../../support/quic-pair.js";

/** Names of draft-ietf-quic-qlog-quic-events. */
const known = new Set(
  `connection_started connection_closed connection_id_updated connection_state_updated mtu_updated version_information
   alpn_information parameters_set packet_sent packet_received packet_dropped packet_lost recovery_metrics_updated
   congestion_state_updated ecn_state_updated key_updated migration_state_updated`
    .trim()
    .split(/\s+/)
    .map((name) => `quic:${name}`),
);
const frameNames = new Set(
  `padding ping ack reset_stream stop_sending crypto new_token stream max_data max_stream_data max_streams data_blocked
   stream_data_blocked streams_blocked new_connection_id retire_connection_id path_challenge path_response
   connection_close handshake_done datagram`
    .trim()
    .split(/\s+/),
);

test("a connection tells its life in qlog's words, and no secrets", async () => {
  const world = simulate({ crypto: provider, start: startOfTime, seed: 5 });
  const events: TraceEvent[] = [];
  const pair = await quicPair(world, {
    link: { loss: { in: 3, of: 100 }, bitsPerSecond: 5_000_000 },
    echoes: true,
    client: { trace: (event) => void events.push(event) },
  });
  const { client } = pair;
  const stream = client.open();
  stream.stream.write(new Uint8Array(200_000));
  stream.stream.finish();
  await world.until(() => stream.isEnded);
  client.session.updateKeys();
  await world.run(500);
  client.session.close(7, "enough");
  await world.until(() => client.isClosed);
  const mine = events.filter(({ protocol }) => protocol === "QUIC");
  const named = (name: string) => mine.filter((event) => event.name === `quic:${name}`).map(({ data }) => data);
  assert.deepEqual(
    [...new Set(mine.map(({ name }) => name))].filter((name) => !known.has(name)),
    [],
  );
  assert.equal(mine[0]?.name, "quic:connection_started");
  assert.deepEqual(
    named("connection_state_updated").map(({ new: state }) => state),
    ["attempted", "handshake_complete", "handshake_confirmed"],
  );
  assert.deepEqual(
    named("parameters_set").map(({ initiator }) => initiator),
    ["local", "remote"],
  );
  const [local, remote] = named("parameters_set");
  assert.ok((local?.["initial_max_data"] as number) > 0);
  assert.equal(remote?.["ack_delay_exponent"], 3);
  assert.equal(local?.["tls_cipher"], "AES_128_GCM_SHA256");
  for (const name of ["packet_lost", "recovery_metrics_updated", "congestion_state_updated", "key_updated"]) {
    assert.ok(named(name).length > 0, name);
  }
  const frames = [...named("packet_sent"), ...named("packet_received")].flatMap(
    ({ frames }) => frames as { frame_type: string; acked_ranges?: number[][]; stream_id?: number }[],
  );
  assert.deepEqual(
    [...new Set(frames.map(({ frame_type }) => frame_type))].filter((name) => !frameNames.has(name)),
    [],
  );
  for (const name of ["crypto", "ack", "stream", "new_connection_id", "handshake_done", "connection_close"]) {
    assert.ok(
      frames.some(({ frame_type }) => frame_type === name),
      name,
    );
  }
  assert.ok(frames.every(({ acked_ranges }) => acked_ranges?.every((range) => range.length <= 2) ?? true));
  const closed = named("connection_closed");
  assert.equal(closed.length, 1);
  assert.equal(closed[0]?.["trigger"], "application");
  const text = JSON.stringify(mine);
  for (const line of world.keyLog) assert.ok(!text.includes(line.split(" ")[2]!), "no secret of the key log");
  assert.ok(!text.includes("stateless_reset_token"));
  assert.ok(
    mine.every(({ at }, i) => i === 0 || at >= mine[i - 1]!.at),
    "in the order of time",
  );
  await world.finish(pair.listener.closeAll());
});

import assert from "node:assert/strict";
import type { TraceEvent } from "../../src/contract/index.js";
import { quicPair, startOfTime } from "../support/quic-pair.js";
import { scenario } from "../support/scenario.js";

/** Every packet that one end sends must be told by the other as received, with the same frames. */
scenario(
  "what both ends tell of their packets is the same, and as the qlog drafts name it",
  2,
  async (world) => {
    const told: Record<"client" | "server", TraceEvent[]> = { client: [], server: [] };
    const pair = await quicPair(world, {
      client: { trace: (event) => void told.client.push(event) },
      server: { trace: (event) => void told.server.push(event) },
      echoes: true,
    });
    await world.until(() => pair.client.outcome !== undefined);
    const stream = pair.client.open();
    stream.stream.write(new Uint8Array(50_000));
    stream.stream.finish();
    await world.until(() => stream.isEnded);
    pair.client.session.updateKeys();
    await world.run(500);
    pair.client.session.close(3, "enough");
    await world.until(() => pair.server.isClosed);
    await world.run(500);

    const packets = (side: "client" | "server", name: string) =>
      told[side]
        .filter((event) => event.name === `quic:${name}`)
        .map(({ data: { header, frames } }) => JSON.stringify({ header, frames }))
        .sort();
    assert.ok(packets("client", "packet_sent").length > 40);
    const isFinal = (text: string): boolean => text.includes("connection_close");
    for (const [from, to] of [
      ["client", "server"],
      ["server", "client"],
    ] as const) {
      const sent = packets(from, "packet_sent").filter((text) => !isFinal(text));
      assert.deepEqual(
        packets(to, "packet_received").filter((text) => !isFinal(text)),
        sent,
      );
    }
    const names = new Set(told.client.map(({ name }) => name));
    for (const name of [
      "connection_started",
      "parameters_set",
      "connection_state_updated",
      "recovery_metrics_updated",
      "mtu_updated",
      "key_updated",
      "connection_closed",
    ]) {
      assert.ok(names.has(`quic:${name}`), name);
    }
    const closed = told.server.find(({ name }) => name === "quic:connection_closed")!.data;
    assert.deepEqual([closed["initiator"], closed["error_code"], closed["trigger"]], ["remote", 3, "application"]);
  },
  { start: startOfTime },
);

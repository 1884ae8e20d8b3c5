import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, fromHex, varintSize } from "../../../src/bytes/index.js";
import { transportErrors } from "../../../src/protocols/quic/failure.js";
import { readFirstFlight, withParameters, writeFirstFlight } from "./client-hello.js";
import { addresses, Duel } from "./duel.js";
import { frame } from "./forger.js";

const bytes = (size: number, value = 0): Uint8Array => new Uint8Array(size).fill(value);
const parameter = (id: number, value: Uint8Array): Uint8Array => frame(id, value.length, value);
const integer = (id: number, value: number): Uint8Array => frame(id, varintSize(value), value);

const { TRANSPORT_PARAMETER_ERROR: wrong, VERSION_NEGOTIATION_ERROR: versionError } = transportErrors;
const missingExtension = 0x100 + 109;

/** Beside a right initial_source_connection_id; RFC 9000 §7.4, §18.2. */
const crafted: readonly (readonly [name: string, parameters: Uint8Array, code: number | undefined])[] = [
  ["nothing else", bytes(0), undefined],
  ["one that nobody knows", parameter(31 * 7 + 27, bytes(9)), undefined],
  ["the same twice", concat(integer(1, 5_000), integer(1, 5_000)), wrong],
  ["a length that reaches beyond the end", frame(1, 9, 5), wrong],
  ["an id without a length", frame(1), wrong],
  ["an integer that is shorter than its length", frame(1, 3, 5, bytes(2)), wrong],
  ["an integer that is cut short", frame(4, 1, fromHex("80")), wrong],
  ["max_udp_payload_size below 1200", integer(3, 1_199), wrong],
  ["ack_delay_exponent above 20", integer(0x0a, 21), wrong],
  ["max_ack_delay of 2^14", integer(0x0b, 16_384), wrong],
  ["active_connection_id_limit below 2", integer(0x0e, 1), wrong],
  ["initial_max_streams_bidi above 2^60", parameter(8, fromHex("d000000000000001")), wrong],
  ["initial_max_streams_uni above 2^60", parameter(9, fromHex("d000000000000001")), wrong],
  ["disable_active_migration with a value", parameter(0x0c, bytes(1)), wrong],
  ["a server's original_destination_connection_id", parameter(0, bytes(8)), wrong],
  ["a server's stateless_reset_token", parameter(2, bytes(16)), wrong],
  ["a server's preferred_address", parameter(0x0d, bytes(49, 1)), wrong],
  ["a server's retry_source_connection_id", parameter(0x10, bytes(8)), wrong],
  ["initial_source_connection_id twice", parameter(0x0f, bytes(8)), wrong],
  ["version_information of no whole number of versions", parameter(0x11, fromHex("000000010000")), wrong],
  ["version_information with a version of 0", parameter(0x11, fromHex("0000000100000000")), wrong],
  [
    "version_information that chose another version",
    parameter(0x11, fromHex("6b3343cf6b3343cf00000001")),
    versionError,
  ],
];

async function attack(make: (scid: Uint8Array) => Uint8Array | undefined): Promise<Duel> {
  const duel = new Duel();
  duel.connect();
  const flight = await duel.client.drain(duel.now);
  const first = readFirstFlight(flight);
  const hello = withParameters(first.hello, make(first.scid));
  const like = { bytes: bytes(0), from: addresses.client, to: addresses.server };
  for (const datagram of writeFirstFlight({ ...first, hello }, like)) {
    duel.server.hear(datagram, duel.now);
    await duel.server.drain(duel.now);
  }
  return duel;
}

for (const [name, parameters, code] of crafted) {
  test(`transport parameters with ${name}`, async () => {
    const { server } = await attack((scid) => concat(parameter(0x0f, scid), parameters));
    assert.ok(server.tells("accepted"));
    assert.equal(server.failure?.code, code, server.failure?.message);
  });
}

test("transport parameters that do not say where they come from", async () => {
  assert.equal((await attack(() => bytes(0))).server.failure?.code, wrong);
});

test("transport parameters that say that they come from elsewhere", async () => {
  assert.equal((await attack(() => parameter(0x0f, bytes(8, 9)))).server.failure?.code, wrong);
});

test("no transport parameters at all (RFC 9001 §8.2)", async () => {
  assert.equal((await attack(() => undefined)).server.failure?.code, missingExtension);
});

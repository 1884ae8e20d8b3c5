import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "../../../../src/bytes/index.js";
import { Routes } from "../../../../src/mechanisms/routes.js";
import type { Connection } from "../../../../src/protocols/quic/connection/connection.js";

/** Routes hand connections back and never look into them. */
const connections = [{ isGone: false }, { isGone: false }] as readonly object[] as readonly Connection[];

test("ids are found where they stand in a datagram, by all their bytes", () => {
  const [first, second] = connections as [Connection, Connection];
  const routes = new Routes(8);
  // Ids of a load balancer's scheme begin alike; here two end alike, too.
  const one = fromHex("0a0b0c0d00000001");
  const other = fromHex("ffffffff00000001");
  routes.add(one, first);
  routes.add(other, second);
  const datagram = fromHex("40 0a0b0c0d00000001 40 ffffffff00000001".replaceAll(" ", ""));
  assert.equal(routes.find(datagram, 1, 8), first);
  assert.equal(routes.find(datagram, 1, 8), first);
  assert.equal(routes.find(datagram, 10, 8), second);
  assert.equal(routes.find(datagram, 2, 8), undefined);
  assert.equal(routes.find(datagram, 1, 7), undefined, "not the size of our ids");
  routes.remove(one);
  assert.equal(routes.find(datagram, 1, 8), undefined);
  assert.equal(routes.find(datagram, 10, 8), second);
  routes.remove(other);
  assert.equal(routes.find(datagram, 10, 8), undefined);
});

test("an id that a client made up is found from its place alone", () => {
  const [first] = connections as [Connection];
  const routes = new Routes(8);
  const id = fromHex("8394c8f03e515708");
  routes.addClient(id, "192.0.2.1 5000 ", first);
  assert.equal(routes.findClient(id, "192.0.2.1 5000 "), first);
  assert.equal(routes.findClient(id, "192.0.2.2 5000 "), undefined);
  routes.removeClient(id, "192.0.2.1 5000 ");
  assert.equal(routes.findClient(id, "192.0.2.1 5000 "), undefined);
});

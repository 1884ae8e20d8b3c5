import assert from "node:assert/strict";
import { test } from "node:test";
import { localEndpoint, remoteEndpoint, TapsFailure } from "../../../src/taps/index.js";

const refuses = (make: () => unknown, at: string) =>
  assert.throws(make, (error: unknown) => error instanceof TapsFailure && error.at === at);

test("a service name stands for its port", () => {
  assert.deepEqual(remoteEndpoint({ host: "example.com", service: "https" }), { host: "example.com", port: 443 });
  assert.throws(
    () => remoteEndpoint({ host: "example.com", service: "htps" }),
    (error: unknown) => error instanceof TapsFailure && /did you mean https\?/.test(error.hint ?? ""),
  );
  refuses(() => remoteEndpoint({ host: "a", port: 1, service: "http" }), "WithService");
  refuses(() => remoteEndpoint({ host: "a", service: "constructor" }), "WithService");
});

test("an address is canonical however it was given, and a host that is an address is one", () => {
  const expected = { address: "2001:db8::1", port: 1 };
  assert.deepEqual(remoteEndpoint({ address: "2001:DB8:0:0::1", port: 1 }), expected);
  assert.deepEqual(remoteEndpoint({ host: "2001:db8::0001", port: 1 }), expected);
  const bytes = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
  assert.deepEqual(remoteEndpoint({ address: bytes, port: 1 }), expected);
});

test("a scoped address equals an address with an interface, and a contradiction is refused", () => {
  assert.deepEqual(
    remoteEndpoint({ address: "fe80::1%eth0", port: 1 }),
    remoteEndpoint({ address: "fe80::1", interface: "eth0", port: 1 }),
  );
  refuses(() => remoteEndpoint({ address: "fe80::1%eth0", interface: "eth1" }), "WithInterface");
});

test("wrong identifiers are refused by name", () => {
  refuses(() => remoteEndpoint({ port: 1 }), "Remote Endpoint");
  refuses(() => remoteEndpoint({ host: "no spaces" }), "WithHostName");
  refuses(() => remoteEndpoint({ host: "a", port: 65_536 }), "WithPort");
  refuses(() => remoteEndpoint({ address: "192.0.2.256" }), "WithIPAddress");
  refuses(() => remoteEndpoint({ address: Uint8Array.of(1, 2, 3) }), "WithIPAddress");
});

test("multicast groups must be groups", () => {
  assert.equal(remoteEndpoint({ multicast: { group: "239.1.2.3" }, port: 9 }).address, "239.1.2.3");
  assert.equal(localEndpoint({ multicast: { group: "ff02::1" } }).multicast?.group, "ff02::1");
  refuses(() => remoteEndpoint({ multicast: { group: "192.0.2.1" } }), "WithMulticastGroupIP");
  refuses(() => remoteEndpoint({ multicast: { group: "239.1.2.3", hopLimit: 256 } }), "WithHopLimit");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  reliableInorderStream,
  reliableMessage,
  settableProperties,
  TapsFailure,
  TransportProperties,
  unreliableDatagram,
} from "../../../src/taps/index.js";

const invalid = (at: string) => (error: unknown) =>
  error instanceof TapsFailure &&
  error.reason === "invalid-configuration" &&
  error.fault === "misuse" &&
  error.at === at;

test("the defaults are those of RFC 9622 and depend on the action where it says so", () => {
  const none = new TransportProperties();
  const initiate = none.for("initiate");
  assert.equal(initiate.reliability, "require");
  assert.equal(initiate.multistreaming, "prefer");
  assert.equal(initiate.useTemporaryLocalAddress, "prefer");
  assert.equal(initiate.multipath, "disabled");
  assert.equal(initiate.connPriority, 100);
  assert.equal(initiate.connTimeout, "disabled");
  assert.equal(initiate.connScheduler, "weighted-fair-queueing");
  assert.equal(initiate.msgPriority, 100);
  assert.equal(none.for("listen").useTemporaryLocalAddress, "avoid");
  assert.equal(none.for("listen").multipath, "passive");
  assert.equal(none.for("rendezvous").useTemporaryLocalAddress, "avoid");
});

test("the profiles have the values of Appendix B.2", () => {
  assert.equal(reliableInorderStream.set.preserveMsgBoundaries, "none");
  assert.equal(reliableMessage.set.preserveMsgBoundaries, "require");
  assert.equal(reliableMessage.set.reliability, "require");
  assert.deepEqual(unreliableDatagram.set, {
    reliability: "avoid",
    preserveOrder: "avoid",
    congestionControl: "none",
    preserveMsgBoundaries: "require",
    safelyReplayable: true,
  });
});

test("every call on transport properties answers a new value and leaves the old one alone", () => {
  const before = new TransportProperties();
  const after = before.require("multistreaming").prohibit("zeroRttMsg").avoid("keepAlive").with({ connTimeout: 5 });
  assert.deepEqual(before.set, {});
  assert.deepEqual(after.set, {
    multistreaming: "require",
    zeroRttMsg: "prohibit",
    keepAlive: "avoid",
    connTimeout: 5,
  });
  assert.ok(after.has("keepAlive") && !after.has("reliability"));
  assert.equal(after.noPreference("keepAlive").set.keepAlive, "none");
  assert.ok(Object.isFrozen(after.set));
});

test("names are read in any case and values are checked at the untyped edge", () => {
  const read = TransportProperties.from({
    CONNTIMEOUT: "1500",
    "TCP.userTimeoutEnabled": "true",
    reliability: "Prefer",
    interface: { wifi: "avoid" },
  });
  assert.deepEqual(read.set, {
    connTimeout: 1500,
    "tcp.userTimeoutEnabled": true,
    reliability: "prefer",
    interface: { wifi: "avoid" },
  });
  assert.throws(() => TransportProperties.from({ connTimeout: 0 }), invalid("connTimeout"));
  assert.throws(() => TransportProperties.from({ connPriority: 1.5 }), invalid("connPriority"));
  assert.throws(() => TransportProperties.from({ connState: "closed" }), /read-only/);
  assert.throws(() => TransportProperties.from({ constructor: 1 }), invalid("constructor"));
  assert.throws(() => TransportProperties.from({ reliability: "require", RELIABILITY: "avoid" }), /twice/);
});

test("an unknown name is refused with the nearest known one, and reserved namespaces too", () => {
  assert.throws(
    () => TransportProperties.from({ conTimeout: 1 }),
    (error: unknown) => error instanceof TapsFailure && error.hint === "did you mean connTimeout?",
  );
  assert.throws(() => TransportProperties.from({ "quic.anything": 1 }), invalid("quic.anything"));
});

test("no value of any kind makes a property reader throw anything but invalid-configuration (seed 9622)", () => {
  const names = Object.keys(settableProperties);
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.anything(), (name, value) => {
      try {
        const read = TransportProperties.from({ [name]: value });
        // What was read once is read again to the same value.
        assert.deepEqual(TransportProperties.from({ ...read.set }).set, read.set);
      } catch (error) {
        if (!(error instanceof TapsFailure)) throw error;
        assert.equal(error.reason, "invalid-configuration");
      }
    }),
    { seed: 9622, numRuns: 2_000 },
  );
});

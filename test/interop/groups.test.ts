import assert from "node:assert/strict";
import { Secret } from "../../src/contract/index.js";
import { groups } from "../../src/protocols/tls/index.js";
import { everyone, type Row, tabulate, versions } from "./conversation.js";
import type { StrangerName } from "./peers/index.js";

const classic: readonly StrangerName[] = ["OpenSSL 3.0", "GnuTLS 3.7", "node:tls"];

// One group at a time is allowed on both sides.
tabulate(
  "every group of TLS 1.3",
  groups
    .filter(({ name }) => name !== "ffdhe8192" && name !== "ffdhe6144")
    .map(
      ({ name }): Row => ({
        what: name,
        both: { version: "1.3", groups: [name] },
        with: name.includes("MLKEM")
          ? ["OpenSSL 3.5"]
          : name.startsWith("ffdhe")
            ? ["OpenSSL 3.0", "GnuTLS 3.7"]
            : classic,
        agreed: { group: name, retried: false },
      }),
    ),
);

tabulate(
  "every curve of TLS 1.2",
  groups
    .filter(({ in12 }) => versions.includes("1.2") && in12 === "ECDHE")
    .map(
      ({ name }): Row => ({
        what: name,
        both: { version: "1.2", groups: [name] },
        // The groups bound the curves of ECDSA certificates too (RFC 8422 §5.1.1).
        server: { identity: "rsa" },
        // Node 20 speaks X448 in 1.3 alone.
        with: ["OpenSSL 3.0", "GnuTLS 3.7"],
        agreed: { group: name, version: "1.2" },
      }),
    ),
);

tabulate("HelloRetryRequest", [
  {
    what: "a share of a group that the server lacks is asked for again",
    both: { version: "1.3" },
    client: { groups: ["x25519", "secp384r1"] },
    server: { groups: ["secp384r1"] },
    with: ["OpenSSL 3.0", "OpenSSL 3.5", "node:tls"],
    agreed: { group: "secp384r1", retried: true },
    check: ({ roundTrips }) => assert.equal(roundTrips, 2),
  },
  {
    what: "GnuTLS is asked for another share",
    both: { version: "1.3" },
    client: { groups: ["x25519", "secp521r1"] },
    server: { groups: ["secp521r1"] },
    with: ["GnuTLS 3.7", "GnuTLS 3.8"],
    seats: ["server"],
    agreed: { group: "secp521r1", retried: true },
  },
  {
    what: "GnuTLS asks for another share",
    both: { version: "1.3" },
    client: { groups: ["x25519", "secp521r1"] },
    server: { groups: ["secp521r1"] },
    with: ["GnuTLS 3.7", "GnuTLS 3.8"],
    seats: ["client"],
    agreed: { group: "secp521r1", retried: true },
  },
  {
    what: "from a classic share to a hybrid",
    both: { version: "1.3" },
    client: { groups: ["x25519", "X25519MLKEM768"] },
    server: { groups: ["X25519MLKEM768"] },
    with: ["OpenSSL 3.5"],
    agreed: { group: "X25519MLKEM768", retried: true },
  },
  {
    what: "our server keeps no state and asks everyone to come back with a cookie",
    both: { version: "1.3" },
    extras: { server: { cookieKey: new Secret(new Uint8Array(32).fill(3)) } },
    // GnuTLS cannot answer a retry that names no other group.
    with: ["OpenSSL 3.0", "OpenSSL 3.5", "node:tls"],
    seats: ["server"],
    agreed: { retried: true },
  },
  {
    what: "a cookie and another group at once",
    both: { version: "1.3" },
    client: { groups: ["x25519", "secp521r1"] },
    server: { groups: ["secp521r1"] },
    extras: { server: { cookieKey: new Secret(new Uint8Array(32).fill(3)) } },
    with: everyone,
    seats: ["server"],
    agreed: { group: "secp521r1", retried: true },
  },
]);

tabulate("what is offered when nothing is said", [
  {
    what: "X25519MLKEM768 is agreed on with a peer that has it",
    with: ["OpenSSL 3.5"],
    agreed: { version: "1.3", group: "X25519MLKEM768", retried: false },
  },
  {
    what: "X25519 is agreed on at once with a peer that has no hybrid",
    with: ["OpenSSL 3.0", "node:tls"],
    agreed: { version: "1.3", group: "x25519", retried: false },
  },
]);

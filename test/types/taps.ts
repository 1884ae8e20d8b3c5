/**
 * Types as tests: compiled with the rest, never run. A line under `@ts-expect-error` that compiles is an error.
 */

import type { Profile, SessionOf } from "../../src/contract/index.js";
import {
  type Connection,
  disabled,
  type Preconnection,
  preconnection,
  type SecuritySession,
  secure,
  TransportProperties,
} from "../../src/index.js";
import { tlsProfile } from "../../src/protocols/tls/index.js";
import { over } from "../../src/taps/stacks/stack.js";
import { tcp } from "../../src/taps/stacks/tcp.js";
import { udp } from "../../src/taps/stacks/udp.js";

declare const connection: Connection<"secure">;
declare const open: Connection<"disabled">;

// §6.2: preferences read back as booleans, and undefined until Ready.
const provided: boolean | undefined = connection.get("reliability");
// @ts-expect-error  a preference does not read back as a preference
const asked: "require" = connection.get("reliability");
const direction: "bidirectional" | "unidirectional-send" | "unidirectional-receive" = connection.get("direction");
const timeout: number | "disabled" = connection.get("connTimeout");
const state: "establishing" | "established" | "closing" | "closed" = connection.get("connState");
// @ts-expect-error  there is no such property
connection.get("conTimeout");

// §8: only Connection Properties can be set, to values of their types.
connection.set("connTimeout", 5_000);
// @ts-expect-error  no magic zero: it is "disabled"
connection.set("connTimeout", "never");
// @ts-expect-error  read-only
connection.set("connState", "closed");
// @ts-expect-error  selection properties are fixed once the Connection is made
connection.set("reliability", "avoid");

// Property names and preferences are literals.
new TransportProperties().require("multistreaming").with({ connScheduler: "round-robin" });
// @ts-expect-error  connTimeout is no preference
new TransportProperties().require("connTimeout");
// @ts-expect-error  "must" is no preference
new TransportProperties({ reliability: "must" });

// Cleartext shows in the type of a Preconnection and of its Connections.
const secured: Preconnection<"secure"> = preconnection({ remote: { host: "example.com", port: 443 } });
const cleartext: Preconnection<"disabled"> = preconnection({
  remote: { host: "example.com", port: 80 },
  security: disabled(),
});
// @ts-expect-error  cleartext is not taken for security
const confused: Preconnection<"secure"> = cleartext;
const nothing: undefined = open.security;
const session: SecuritySession | undefined = connection.security;
secure({ allowed: ["TLS 1.3", "QUIC"], groups: ["x25519"], ciphersuites: ["TLS_AES_128_GCM_SHA256"] });
// @ts-expect-error  there is no such protocol
secure({ allowed: ["SSL"] });
// @ts-expect-error  names are the registry's
secure({ groups: ["curve25519"] });

// RFC 8922's Table 1: a filled cell is a method, a blank one does not compile.
if (session?.protocol === "TLS") {
  session.updateKeys({ requestPeer: true });
  const exported: Uint8Array = session.exportKey("EXPORTER-label", 32);
  void exported;
  // @ts-expect-error  Table 1 leaves TLS/ME blank
  session.onMoved(() => {});
  // @ts-expect-error  Table 1 leaves TLS/KE blank
  session.onKeyExpiring(() => {});
}
const wireguard = {
  protocol: "WireGuard",
  section: "3.4.2",
  group: "packet",
  interfaces: ["IPK", "PSKI", "IV", "SAV", "ME"],
  beyond: {},
  needs: ["datagram"],
  offers: "ip-packet",
} as const satisfies Profile;
declare const tunnel: SessionOf<typeof wireguard>;
tunnel.onMoved(() => {});
// @ts-expect-error  Table 1 leaves WireGuard/KU blank
tunnel.updateKeys();
declare const tls: SessionOf<typeof tlsProfile>;
tls.close();

// Stacks: what a protocol needs is what the stack below offers.
const row = { connectionObject: "", open: tcp.open, listen: tcp.listen };
over(tlsProfile, tcp, row);
// @ts-expect-error  TLS needs a byte stream
over(tlsProfile, udp, row);

// A Connection is never thenable: awaiting one by mistake answers it.
// @ts-expect-error  no then
connection.then(() => {});

void [provided, asked, direction, timeout, state, secured, confused, nothing];

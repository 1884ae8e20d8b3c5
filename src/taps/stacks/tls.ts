import { tlsProfile } from "../../protocols/tls/profile.js";
import { families, unfitFor } from "./family.js";
import { lazily } from "./lazily.js";
import { over } from "./stack.js";
import { tcp } from "./tcp.js";

/**
 * TLS over TCP, mapped as RFC 9623 §10.1 maps TCP: a Connection is a TLS session, Ready once the peer has proved itself,
 * close_notify ends a direction. InitiateWithSend is 0-RTT where a ticket allows it.
 */
export const tls = over(tlsProfile, tcp, {
  provides: { ...tcp.provides, zeroRttMsg: "optional" },
  connectionObject: "TLS session on a TCP connection",
  messageProperties: [...tcp.messageProperties, "safelyReplayable"],
  unfit: unfitFor(families.TLS),
  ...lazily(() => import("./tls-transport.js")),
});

import { dtlsProfile } from "../../protocols/dtls/profile.js";
import { families, unfitFor } from "./family.js";
import { lazily } from "./lazily.js";
import { over } from "./stack.js";
import { udp } from "./udp.js";

/**
 * DTLS over UDP: a Connection is a DTLS session, Ready once the peer has proved itself, and its data are Messages that may be
 * lost, as RFC 9623 §10.3 has them for UDP. close_notify ends both directions.
 */
export const dtls = over(dtlsProfile, udp, {
  // A peer is known, and can be sent to, once it has shaken hands.
  provides: { ...udp.provides, zeroRttMsg: "optional", activeReadBeforeSend: "always" },
  connectedness: "connection-oriented",
  connectionObject: "DTLS session on a UDP socket pair",
  messageProperties: ["msgLifetime", "msgPriority", "safelyReplayable"],
  unfit: unfitFor(families.DTLS),
  ...lazily(() => import("./dtls-transport.js")),
});

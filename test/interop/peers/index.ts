import { gnutls } from "./gnutls.js";
import { nodeTls } from "./node-tls.js";
import { openssl } from "./openssl.js";
import type { Stranger, StrangerName } from "./stranger.js";

/** Every implementation of TLS that we did not write and talk to. */
export const strangers: Readonly<Record<StrangerName, Stranger>> = {
  "OpenSSL 3.0": openssl("OpenSSL 3.0"),
  "OpenSSL 3.5": openssl("OpenSSL 3.5"),
  "GnuTLS 3.7": gnutls("GnuTLS 3.7"),
  "GnuTLS 3.8": gnutls("GnuTLS 3.8"),
  "node:tls": nodeTls,
};

export { compiled } from "./c-peer.js";
export * from "./certificates.js";
export { peer } from "./find.js";
export { nssClient } from "./nss.js";
export { Program } from "./program.js";
export * from "./stranger.js";

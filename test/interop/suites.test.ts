import { suites12, suites13 } from "../../src/protocols/tls/index.js";
import { everyone, type Row, tabulate, versions } from "./conversation.js";
import type { StrangerName } from "./peers/index.js";

// One suite at a time is allowed on both sides, so that nothing else can have been agreed on.

const openssl: readonly StrangerName[] = ["OpenSSL 3.0", "OpenSSL 3.5"];

tabulate(
  "every suite of TLS 1.3",
  suites13.map(
    ({ name }): Row => ({
      what: name,
      both: { version: "1.3", suites: [name] },
      with: everyone,
      agreed: { version: "1.3", suite: name, mode: "full" },
    }),
  ),
);

function whoHas(name: string, keyExchange: string, kind: "aead" | "cbc"): readonly StrangerName[] {
  // RFC 8442: no stranger here has ECDHE_PSK with GCM or CCM.
  if (/ECDHE_PSK_WITH_AES_\d+_(GCM|CCM)/.test(name)) return [];
  // gnutls-cli crashes on (EC)DHE with pre-shared keys.
  if (keyExchange === "ECDHE_PSK" || keyExchange === "DHE_PSK") return openssl;
  return kind === "cbc" || keyExchange !== "ECDHE"
    ? [...openssl, "GnuTLS 3.7"]
    : [...openssl, "GnuTLS 3.7", "GnuTLS 3.8"];
}

const psk = { identity: "harbour", key: new Uint8Array(32).fill(7) };

tabulate(
  "every suite of TLS 1.2",
  suites12
    .filter(({ version }) => versions.includes(version))
    .map(
      ({ name, authentication, keyExchange, protection }): Row => ({
        what: name,
        both: {
          version: "1.2",
          suites: [name],
          ...(keyExchange.endsWith("PSK") ? { psk } : {}),
          ...(keyExchange.startsWith("DHE") ? { groups: ["ffdhe2048", "ffdhe3072"] } : {}),
        },
        server: authentication === "PSK" ? {} : { identity: authentication === "RSA" ? "rsa" : "p256" },
        with: whoHas(name, keyExchange, protection.kind),
        agreed: { version: "1.2", suite: name, mode: authentication === "PSK" ? "psk" : "full" },
      }),
    ),
);

import { utf8 } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import type { DtlsClientOptions, DtlsServerOptions } from "../../src/protocols/dtls/index.js";
import { type DtlsPairOptions, openDtls } from "../support/dtls-pair.js";
import { identityFor, resumption } from "../support/tls-pair.js";

export const psk = { identity: utf8("taps"), key: new Secret(Uint8Array.from({ length: 16 }, (_, i) => i + 1)) };
const certified = { identity: identityFor("P-256") };

/** Every way in which two ends shake hands: what each is given, and what had to come before. */
export const forms: Readonly<
  Record<
    string,
    {
      readonly client: DtlsClientOptions;
      readonly server: DtlsServerOptions;
      /** A handshake from which this one resumes. */
      readonly after?: boolean;
    }
  >
> = {
  "1.2 certificate": { client: { versions: ["1.2"] }, server: {} },
  "1.2 both certificates": {
    client: { versions: ["1.2"], ...certified },
    server: { clientAuthentication: "require" },
  },
  "1.2 PSK": {
    client: { versions: ["1.2"], psks: [psk], suites: ["TLS_PSK_WITH_AES_128_CCM_8"] },
    server: { versions: ["1.2"], psks: [psk] },
  },
  "1.2 ECDHE-PSK": {
    client: { versions: ["1.2"], psks: [psk], suites: ["TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256"] },
    server: { versions: ["1.2"], psks: [psk] },
  },
  "1.2 resumed": { client: { versions: ["1.2"] }, server: {}, after: true },
  "1.2 without cookie": { client: { versions: ["1.2"] }, server: { addressValidation: "none" } },
  "1.3 certificate": { client: { versions: ["1.3"] }, server: {} },
  "1.3 both certificates": {
    client: { versions: ["1.3"], ...certified },
    server: { clientAuthentication: "require" },
  },
  "1.3 PSK": { client: { versions: ["1.3"], psks: [psk] }, server: { psks: [psk] } },
  "1.3 resumed": { client: { versions: ["1.3"] }, server: {}, after: true },
  "1.3 another group": {
    client: { versions: ["1.3"], groups: ["x25519", "secp256r1"] },
    server: { groups: ["secp256r1"] },
  },
  "1.3 a hybrid group": { client: { versions: ["1.3"], groups: ["X25519MLKEM768"] }, server: {} },
  "1.3 without cookie": { client: { versions: ["1.3"] }, server: { addressValidation: "none" } },
  "1.3 another group, without cookie": {
    client: { versions: ["1.3"], groups: ["x25519", "secp256r1"] },
    server: { groups: ["secp256r1"], addressValidation: "none" },
  },
  "1.3 connection IDs": {
    client: { versions: ["1.3"], connectionIdSize: 5 },
    server: { connectionIdSize: 8 },
  },
  "1.2 connection IDs": {
    client: { versions: ["1.2"], connectionIdSize: 5 },
    server: { connectionIdSize: 8 },
  },
};

/** The options of one run of a form; what had to come before has come. */
export async function prepared(name: string, more: DtlsPairOptions = {}): Promise<DtlsPairOptions> {
  const { client, server, after } = forms[name]!;
  const kept = resumption("dtls");
  const options = {
    client: { ...(after === true ? kept.client : {}), ...client, ...more.client },
    server: { ...(after === true ? kept.server : {}), ...server, ...more.server },
  };
  if (after === true) await openDtls({ ...options, seed: "before" });
  return { ...more, ...options };
}

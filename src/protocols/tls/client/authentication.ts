import type { ClientConfig } from "../config.js";
import { delegatedScheme } from "../delegated.js";
import { refuse } from "../failure.js";
import type { Context, State } from "../handshake/context.js";
import type { SelectIdentityAsk } from "../handshake/questions.js";
import type { CertificateRequest } from "../messages/authentication.js";
import { ext } from "../messages/extensions.js";
import type { TlsIdentity } from "../options.js";
import { fits, type Scheme, schemeById } from "../parameters/schemes.js";
import type { Negotiated } from "./encrypted-extensions.js";

type Cx = Context<ClientConfig>;

/** The identity that we show, and how it signs. */
export interface Proof {
  readonly identity: TlsIdentity | undefined;
  /** By the key that the certificate delegates to (RFC 9345). */
  readonly delegated: boolean;
  /** Undefined without an identity: an empty Certificate is followed by no CertificateVerify. */
  sign(
    content: Uint8Array,
    then: (signed: { readonly scheme: number; readonly signature: Uint8Array } | undefined) => State<ClientConfig>,
  ): State<ClientConfig>;
}

/** Chooses an identity that the server's request allows (RFC 9846 §4.5.1.2), or none. */
export function proveIdentity(
  cx: Cx,
  request: CertificateRequest,
  { clientCertificateType }: Negotiated,
  epoch: "handshake" | "application",
  then: (proof: Proof) => State<ClientConfig>,
): State<ClientConfig> {
  return cx.ask("select-identity", identityAsk(request, clientCertificateType), epoch, (identity) => {
    const delegated = identity && delegatedScheme(identity, request.extensions.get(ext.delegatedCredential));
    const scheme = delegated ?? (identity && chooseScheme(cx.config, request, identity));
    if (identity === undefined || scheme === undefined) {
      return then({ identity: undefined, delegated: false, sign: (_, after) => after(undefined) });
    }
    return then({
      identity,
      delegated: delegated !== undefined,
      sign: (message, after) => {
        const by = { identity, scheme: scheme.name, algorithm: scheme.algorithm, delegated: delegated !== undefined };
        return cx.ask("sign", { ...by, message }, epoch, (signature) => {
          if (signature === undefined) refuse("signer-refused", "CertificateVerify", "the identity did not sign");
          return after({ scheme: scheme.id, signature });
        });
      },
    });
  });
}

export function identityAsk(
  request: CertificateRequest,
  certificateType: "x509" | "raw-public-key",
): SelectIdentityAsk {
  const { extensions } = request;
  const names = (ids: readonly number[]) => ids.flatMap((id) => schemeById.get(id)?.name ?? []);
  const schemes = extensions.get(ext.signatureAlgorithms) ?? [];
  return {
    role: "client",
    version: "1.3",
    serverName: undefined,
    schemes: names(schemes),
    certificateSchemes: names(extensions.get(ext.signatureAlgorithmsCert) ?? schemes),
    authorities: extensions.get(ext.certificateAuthorities) ?? [],
    alpn: [],
    certificateType,
    keyTypes: undefined,
  };
}

/** Our first scheme that fits the key and that the server named. */
export function chooseScheme(
  config: ClientConfig,
  request: CertificateRequest,
  identity: TlsIdentity,
): Scheme | undefined {
  const wanted = request.extensions.get(ext.signatureAlgorithms) ?? [];
  return config.schemes.find((scheme) => wanted.includes(scheme.id) && fits(scheme, identity.publicKey, "1.3"));
}

import { fromUtf8 } from "../../../bytes/index.js";
import type { PublicKey } from "../../../contract/index.js";
import type { ServerConfig } from "../config.js";
import { refuse } from "../failure.js";
import { certificateTypes } from "../messages/authentication.js";
import { ext } from "../messages/extensions.js";
import type { ClientHello } from "../messages/hello.js";
import type { CertificateType, TlsIdentity } from "../options.js";
import { type Group, groups } from "../parameters/groups.js";
import { type Scheme, schemeById } from "../parameters/schemes.js";
import { type Suite12, suite12ById } from "../parameters/suites12.js";
import { readServerName } from "../server/request.js";
import { expiryOf, type ResumableSession } from "../store/session.js";
import { exchangeParts } from "./messages.js";
import { chooseScheme, keyTypesFor } from "./signing.js";

/** A signalling value among the suites: RFC 5746 §3.3. */
const renegotiationScsv = 0x00ff;

/** What a 1.2 ClientHello asks for, checked for everything that no later choice depends on. */
export interface Request12 {
  readonly hello: ClientHello;
  readonly extendedMainSecret: boolean;
  readonly secureRenegotiation: boolean;
  readonly encryptThenMac: boolean;
  readonly ticket: Uint8Array | undefined;
  readonly serverName: string | undefined;
  readonly alpn: readonly string[];
  /** In the client's order, those that we allow. */
  readonly schemes: readonly Scheme[];
  readonly certificateSchemes: readonly Scheme[];
}

export function readRequest(hello: ClientHello, config: ServerConfig): Request12 {
  const { extensions, suites } = hello;
  extensions.checkPlaces(at);
  if (!hello.compressionMethods.includes(0)) refuse("wrong-compression-method", at, "null compression is not offered");
  const renegotiation = extensions.get(ext.renegotiationInfo);
  if (renegotiation !== undefined && renegotiation.length > 0) {
    refuse("insecure-renegotiation", at, "renegotiation_info of a first handshake is empty (RFC 5746 §3.6)");
  }
  if (extensions.get(ext.ecPointFormats)?.includes(0) === false) {
    refuse("illegal-parameter", at, "uncompressed points are not among the client's formats (RFC 8422 §5.1.2)");
  }
  const extendedMainSecret = extensions.has(ext.extendedMainSecret);
  if (!extendedMainSecret && config.options.allowMissingExtendedMainSecret !== true) {
    refuse("no-extended-main-secret", at, "the client does not know extended_main_secret (RFC 7627 §5.2)");
  }
  const known = (ids: readonly number[]): Scheme[] =>
    ids.flatMap((id) => config.schemes.find((scheme) => scheme.id === id) ?? []);
  const schemes = known(extensions.get(ext.signatureAlgorithms) ?? []); // without it SHA-1 was meant: RFC 9155 §3
  const forCertificates = extensions.get(ext.signatureAlgorithmsCert);
  return {
    hello,
    extendedMainSecret,
    secureRenegotiation: renegotiation !== undefined || suites.includes(renegotiationScsv),
    encryptThenMac: extensions.has(ext.encryptThenMac),
    ticket: extensions.get(ext.sessionTicket)?.slice(),
    serverName: readServerName(hello),
    alpn: (extensions.get(ext.alpn) ?? []).flatMap((each) => fromUtf8(each) ?? []),
    schemes,
    certificateSchemes:
      forCertificates === undefined ? schemes : forCertificates.flatMap((id) => schemeById.get(id) ?? []),
  };
}

/** May this session go on? RFC 7627 §5.3 and RFC 6066 §3 say when not; then a full handshake follows. */
export function resumableSuite(
  session: ResumableSession | undefined,
  request: Request12,
  config: ServerConfig,
  now: number,
): Suite12 | undefined {
  if (session === undefined || session.version !== 0x0303 || expiryOf(session) <= now) return undefined;
  if (session.extendedMasterSecret && !request.extendedMainSecret) {
    refuse("no-extended-main-secret", at, "the session had an extended main secret, and the client gave it up");
  }
  if (!session.extendedMasterSecret) return undefined;
  if (session.serverName !== (request.serverName ?? "")) return undefined;
  if (config.options.clientAuthentication === "require" && session.peer.kind === "none") return undefined;
  const suite = suite12ById.get(session.suite);
  const allowed = suite !== undefined && candidates(request, config).includes(suite);
  return allowed ? suite : undefined;
}

/** Suites that both sides allow and that need nothing which the ClientHello does not offer; most wanted first. */
export function candidates(request: Request12, config: ServerConfig): readonly Suite12[] {
  const { suites } = request.hello;
  const common = config.suites.filter(
    (suite): suite is Suite12 =>
      suite.version === "1.2" && suites.includes(suite.id) && possible(suite, request, config),
  );
  return config.options.preferClientSuites === true
    ? common.toSorted((a, b) => suites.indexOf(a.id) - suites.indexOf(b.id))
    : common;
}

function possible(suite: Suite12, request: Request12, config: ServerConfig): boolean {
  const { agreement, psk } = exchangeParts[suite.keyExchange];
  if (suite.protection.kind === "cbc" && !request.encryptThenMac) return false;
  if (psk && config.options.psks === undefined) return false;
  if (!psk && (config.options.identity === undefined || schemesFor(suite, request).length === 0)) return false;
  return agreement === undefined || chooseGroup(agreement, request.hello, config) !== undefined;
}

/** Schemes with which this suite's key exchange may be signed. */
export function schemesFor(suite: Suite12, request: Request12): readonly Scheme[] {
  const types: readonly PublicKey["type"][] = keyTypesFor[suite.authentication];
  return request.schemes.filter(({ key }) => types.includes(key));
}

/**
 * A group that both know. A client that lists no curves takes P-256 (RFC 8422 §4); one that lists no finite-field groups
 * does not know RFC 7919, and takes what it gets (§4 there).
 */
export function chooseGroup(kind: "ECDHE" | "DHE", hello: ClientHello, config: ServerConfig): Group | undefined {
  const ours = config.groups.filter(({ in12 }) => in12 === kind);
  const listed = hello.extensions.get(ext.supportedGroups);
  if (kind === "ECDHE") {
    return listed === undefined
      ? ours.find(({ name }) => name === "secp256r1")
      : ours.find(({ id }) => listed.includes(id));
  }
  const knowsFiniteFields = listed?.some((id) => id >= 0x0100 && id <= 0x01ff);
  return knowsFiniteFields === true ? ours.find(({ id }) => listed?.includes(id)) : ours[0];
}

/** The most wanted suite that this identity can serve; without an identity only pre-shared keys are left. */
export function chooseSuite(
  suites: readonly Suite12[],
  identity: TlsIdentity | undefined,
  request: Request12,
): { readonly suite: Suite12; readonly scheme: Scheme | undefined } | undefined {
  for (const suite of suites) {
    if (suite.authentication === "PSK") return { suite, scheme: undefined };
    if (identity === undefined || !knowsCurve(request.hello, identity.publicKey)) continue;
    const scheme = chooseScheme(schemesFor(suite, request), identity.publicKey);
    if (scheme !== undefined) return { suite, scheme };
  }
  return undefined;
}

/** In 1.2 the client's curves are those of certificates too: RFC 8422 §5.1.1. */
function knowsCurve(hello: ClientHello, { curve }: PublicKey): boolean {
  const listed = hello.extensions.get(ext.supportedGroups);
  if (curve === undefined || listed === undefined) return true;
  return groups.some(({ agreement, id }) => agreement === curve && listed.includes(id));
}

/** RFC 7301 §3.2: the first of ours that the client offers. */
export function chooseProtocol(request: Request12, config: ServerConfig): string | undefined {
  if (request.alpn.length === 0 || config.alpn.length === 0) return undefined;
  const name = config.alpn.find((each) => request.alpn.includes(each));
  return name ?? refuse("no-common-application-protocol", "ALPN", `the client offers ${request.alpn.join(", ")}`);
}

/** RFC 7250 §4.2: the first of ours that the client knows; X.509 is what clients know that say nothing. */
export function chooseCertificateType(
  offered: readonly number[] | undefined,
  ours: readonly CertificateType[] = ["x509"],
): CertificateType {
  const theirs = offered ?? [certificateTypes.x509];
  const type = ours.find((each) => theirs.includes(certificateTypes[each]));
  return type ?? refuse("no-common-certificate-type", at, "no type of certificate suits both sides");
}

const at = "ClientHello";

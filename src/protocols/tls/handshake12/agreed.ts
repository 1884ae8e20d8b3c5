import { equal, fromUtf8 } from "../../../bytes/index.js";
import type { Offer } from "../client/offer.js";
import type { ClientConfig } from "../config.js";
import { refuse } from "../failure.js";
import type { Context } from "../handshake/context.js";
import { checkApplicationExtensions, recordLimits } from "../handshake/negotiation.js";
import type { Randoms } from "../keys12.js";
import { certificateTypes } from "../messages/authentication.js";
import { ext } from "../messages/extensions.js";
import type { ServerHello } from "../messages/hello.js";
import type { CertificateType } from "../options.js";
import type { Suite12 } from "../parameters/suites12.js";
import { suite12ById } from "../parameters/suites12.js";
import type { ClientSession } from "../store/session.js";

type Cx = Context<ClientConfig>;
type Hello = ServerHello<"SH12">;

/** What the two hellos settled, as a client reads them. */
export interface Agreed12 {
  readonly suite: Suite12;
  readonly randoms: Randoms;
  /** The server's name for this session; empty if it keeps none. */
  readonly sessionId: Uint8Array;
  /** The session that goes on; undefined in a full handshake. */
  readonly resumed: ClientSession | undefined;
  readonly extendedMainSecret: boolean;
  readonly ticketExpected: boolean;
  readonly statusExpected: boolean;
  readonly serverCertificateType: CertificateType;
  readonly clientCertificateType: CertificateType;
  readonly alpn: string | undefined;
  readonly serverName: string | undefined;
  readonly signedCertificateTimestamps: Uint8Array | undefined;
  readonly extensions: ReadonlyMap<number, Uint8Array>;
  /** The server answers what was to be seen by everyone: there is no session, draft-ietf-tls-esni §6.1.6. */
  readonly echRejected: boolean;
}

/** Checks a ServerHello of 1.2 against what was offered. */
export function agree(offer: Offer, hello: Hello, cx: Cx): Agreed12 {
  const { config } = cx;
  const { extensions } = hello;
  // A server that allowed early data in 1.3 does not go back to 1.2: RFC 9846 appendix D.3.
  if (offer.earlyData) refuse("unoffered-version", at, "early data had been promised, and 1.2 has none");
  if (hello.compressionMethod !== 0) refuse("wrong-compression-method", at, "compression is not null");
  extensions.checkAnswers(offer.offered, at);
  const suite = suite12ById.get(hello.suite);
  if (suite === undefined || !config.suites.some(({ id }) => id === hello.suite)) {
    refuse("unoffered-suite", at, `suite 0x${hello.suite.toString(16).padStart(4, "0")} was not offered`);
  }
  const renegotiation = extensions.get(ext.renegotiationInfo);
  if (renegotiation === undefined || renegotiation.length > 0) {
    refuse("insecure-renegotiation", at, "the server does not bind renegotiations (RFC 5746 §3.4)");
  }
  if (extensions.get(ext.ecPointFormats)?.includes(0) === false) {
    refuse("illegal-parameter", at, "uncompressed points are not among the server's formats (RFC 8422 §5.1.2)");
  }
  if (suite.protection.kind === "cbc" && !extensions.has(ext.encryptThenMac)) {
    refuse("no-encrypt-then-mac", at, `${suite.name} without encrypt-then-MAC`);
  }
  const extendedMainSecret = extensions.get(ext.extendedMainSecret) === true;
  const resumed = resumedSession(offer, hello, suite, extendedMainSecret);
  if (!extendedMainSecret && config.options.allowMissingExtendedMainSecret !== true) {
    refuse("no-extended-main-secret", at, "the server does not know extended_main_secret (RFC 7627 §5.2)");
  }
  const limits = recordLimits(config, extensions);
  if (limits !== undefined) cx.out.push({ kind: "record-limits", ...limits });
  const sct = extensions.get(ext.signedCertificateTimestamp);
  return {
    suite,
    randoms: { client: offer.hello.random, server: hello.random.slice() },
    sessionId: hello.sessionIdEcho.slice(),
    resumed,
    extendedMainSecret,
    ticketExpected: extensions.get(ext.sessionTicket) === true,
    statusExpected: resumed === undefined && extensions.get(ext.statusRequest) === true,
    serverCertificateType: certificateType(
      extensions.get(ext.serverCertificateType),
      config.options.peerCertificateTypes,
      suite.authentication !== "PSK" && resumed === undefined,
    ),
    clientCertificateType: certificateType(
      extensions.get(ext.clientCertificateType),
      config.options.certificateTypes,
      false,
    ),
    alpn: chosenProtocol(hello, cx),
    serverName: offer.serverName,
    signedCertificateTimestamps: sct?.slice(),
    extensions: cx.heard(checkApplicationExtensions(config, extensions)),
    echRejected: offer.encryptedClientHello === "rejected",
  };
}

/** An echoed session ID means that the session goes on (RFC 5246 §7.4.1.3, RFC 5077 §3.4), with its rules kept. */
function resumedSession(
  offer: Offer,
  hello: Hello,
  suite: Suite12,
  extendedMainSecret: boolean,
): ClientSession | undefined {
  const echoed = hello.sessionIdEcho.length > 0 && equal(hello.sessionIdEcho, offer.hello.sessionId);
  if (!echoed) return undefined;
  const session = offer.session12;
  if (session === undefined) refuse("wrong-session-id-echo", at, "a session that was not offered is resumed");
  if (session.suite !== suite.id) refuse("unoffered-suite", at, "the suite is not that of the session");
  if (session.extendedMasterSecret !== extendedMainSecret) {
    refuse("no-extended-main-secret", at, "the session had another kind of main secret (RFC 7627 §5.3)");
  }
  return session;
}

/** RFC 7301 §3.1: one, and one of ours. */
function chosenProtocol({ extensions }: Hello, cx: Cx): string | undefined {
  const chosen = extensions.get(ext.alpn);
  if (chosen === undefined) return undefined;
  const name = chosen.length === 1 ? fromUtf8(chosen[0]!) : undefined;
  if (name === undefined || !cx.config.alpn.includes(name)) {
    refuse("unoffered-application-protocol", at, "the server chose a protocol that was not offered");
  }
  return name;
}

/** RFC 7250 §4: without an answer it is X.509, if that was allowed. */
function certificateType(
  answer: number | undefined,
  allowed: readonly CertificateType[] = ["x509"],
  needed: boolean,
): CertificateType {
  if (answer === undefined) {
    if (needed && !allowed.includes("x509")) {
      refuse("no-common-certificate-type", at, "the server shows X.509 certificates alone");
    }
    return "x509";
  }
  const type = allowed.find((each) => certificateTypes[each] === answer);
  if (type === undefined) refuse("illegal-parameter", at, `certificate type ${answer} was not offered`);
  return type;
}

const at = "ServerHello";

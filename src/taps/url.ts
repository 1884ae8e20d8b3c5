import { misuse, nearest, TapsFailure } from "./failure.js";
import type { SecurityProtocol } from "./security.js";
import { reliableInorderStream, type TransportProperties, unreliableDatagram } from "./transport-properties.js";

/** What a URL's scheme stands for: who may secure it, what transport it needs, which port it has by default. */
export interface Scheme {
  /** Protocols that may secure it, best first; none is cleartext, which the scheme so asks for by name. */
  readonly allowed: readonly SecurityProtocol[];
  /** Those that the scheme holds to be equal, so that they race. */
  readonly equivalent?: readonly (readonly SecurityProtocol[])[];
  readonly transport: TransportProperties;
  readonly about: string;
  readonly port?: number;
  /** Pins the stack: `tcp:` shall not become something else. */
  readonly protocol?: string;
}

/** The one table of schemes. */
export const urlSchemes: Readonly<Record<string, Scheme>> = {
  tls: { allowed: ["TLS"], transport: reliableInorderStream, about: "TLS 1.3 or 1.2 over TCP", protocol: "TLS" },
  quic: { allowed: ["QUIC"], transport: reliableInorderStream, about: "a stream of QUIC over UDP", protocol: "QUIC" },
  dtls: { allowed: ["DTLS"], transport: unreliableDatagram, about: "DTLS 1.3 or 1.2 over UDP", protocol: "DTLS" },
  "dtls+tcp": {
    allowed: ["DTLS"],
    transport: unreliableDatagram,
    about: "DTLS in frames on TCP (RFC 4571, RFC 7850), where UDP does not get through",
    protocol: "RFC 4571",
  },
  srtp: {
    allowed: ["SRTP"],
    transport: unreliableDatagram,
    about: "SRTP over UDP: each Message is an RTP or RTCP packet",
    protocol: "SRTP",
  },
  gquic: {
    allowed: ["gQUIC"],
    transport: reliableInorderStream,
    about: "a stream of Google QUIC over UDP, with its own crypto: for old peers",
    protocol: "gQUIC",
  },
  curvecp: {
    allowed: ["CurveCP"],
    transport: reliableInorderStream,
    about: "CurveCP over UDP, to a server whose key is known",
    protocol: "CurveCP",
  },
  any: {
    allowed: ["QUIC", "TLS"],
    equivalent: [["QUIC", "TLS"]],
    transport: reliableInorderStream,
    about: "a stream of QUIC, or TLS over TCP, whichever stands first",
  },
  tcpcrypt: {
    allowed: ["tcpcrypt"],
    transport: reliableInorderStream,
    about: "tcpcrypt on a TCP of ours, inside a tunnel",
    protocol: "tcpcrypt",
  },
  minimalt: {
    allowed: ["MinimaLT"],
    transport: reliableInorderStream,
    about: "MinimaLT over UDP, to a server whose keys are known",
    protocol: "MinimaLT",
  },
  tcp: { allowed: [], transport: reliableInorderStream, about: "TCP without any security", protocol: "TCP" },
  udp: { allowed: [], transport: unreliableDatagram, about: "UDP datagrams without any security", protocol: "UDP" },
};

export interface Target {
  readonly scheme: string;
  readonly row: Scheme;
  /** A name, or an address without brackets. */
  readonly host: string;
  /** Absent where the URL has none and the scheme neither. */
  readonly port: number | undefined;
}

/** Reads `SCHEME://HOST[:PORT]`. Throws `invalid-configuration`: unknown schemes, user names, paths and queries. */
export function readUrl(url: string | URL): Target {
  const text = String(url);
  const [, given, rest] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text) ?? [];
  if (given === undefined || rest === undefined) throw misuse(`${text} is not a URL`, "URL", "SCHEME://HOST:PORT");
  const scheme = given.toLowerCase();
  const row = Object.hasOwn(urlSchemes, scheme) ? urlSchemes[scheme] : undefined;
  if (row === undefined) {
    const like = nearest(scheme, Object.keys(urlSchemes));
    const known = Object.keys(urlSchemes).join(", ");
    throw misuse(
      `there is no scheme ${scheme}`,
      "URL",
      like === undefined ? `one of ${known}` : `did you mean ${like}?`,
    );
  }
  const [, bracketed, name, digits, more] = /^(?:\[([^\]]+)\]|([^/?#:[\]]*))(?::(\d+))?(.*)$/s.exec(rest) ?? [];
  const host = bracketed ?? name;
  if (host === undefined || host === "") throw misuse(`${text} names no host`, "URL");
  if (more !== "" && more !== "/") throw misuse(`${text}: nothing follows the port`, "URL");
  if (host.includes("@"))
    throw new TapsFailure({ reason: "invalid-configuration", message: "a URL carries no user name", at: "URL" });
  return { scheme, row, host, port: digits === undefined ? row.port : Number(digits) };
}

import type { ServerConfig } from "../config.js";
import { confirmationSize } from "../ech/confirmation.js";
import { confirmRetry } from "../ech/server.js";
import type { Context, State } from "../handshake/context.js";
import { ext, extension } from "../messages/extensions.js";
import { handshakeType } from "../messages/handshake.js";
import { retryRandom, writeServerHello } from "../messages/hello.js";
import type { Group } from "../parameters/groups.js";
import type { Suite13 } from "../parameters/suites13.js";
import { ExpectClientHello } from "./client-hello.js";
import { makeCookie } from "./cookie.js";
import type { Request } from "./request.js";

type Cx = Context<ServerConfig>;

/** Asks for another ClientHello (RFC 9846 §4.2.4): for a share of this group, or only to come back with a cookie. */
export function retry(cx: Cx, request: Request, suite: Suite13, group: Group | undefined): State<ServerConfig> {
  const { config } = cx;
  const { cookieKey } = config.options;
  const hash = config.crypto.hash(suite.hash);
  const cookie = cookieKey && makeCookie(cx, cookieKey, suite.id, group?.id, hash.digest(request.bytes));
  cx.transcript.add(request.bytes);
  cx.transcript.fold(hash);
  cx.trace("hello_retry_request", { group: group?.name, cookie: cookie?.length });
  const body = retryBody(config, suite, request.hello.sessionId, group, cookie, request.ech?.status === "accepted");
  if (request.ech?.status === "accepted") confirmRetry(cx, suite, request.ech, body);
  cx.send("initial", handshakeType.serverHello, body);
  if (config.dialect.middleboxCompatibility && request.hello.sessionId.length > 0) cx.changeCipherSpec();
  if (request.earlyData) cx.out.push({ kind: "early-data", status: "rejected", max: config.options.earlyDataMax ?? 0 });
  return new ExpectClientHello({ suite, group, first: request.hello, ech: request.ech });
}

export function retryBody(
  { dialect }: ServerConfig,
  suite: Suite13,
  sessionIdEcho: Uint8Array,
  group: Group | undefined,
  cookie: Uint8Array | undefined,
  confirms = false,
): Uint8Array {
  return writeServerHello(
    { legacyVersion: dialect.version12, random: retryRandom, sessionIdEcho, suite: suite.id, compressionMethod: 0 },
    [
      ...(group === undefined ? [] : [extension("HRR", ext.keyShare, group.id)]),
      ...(cookie === undefined ? [] : [extension("HRR", ext.cookie, cookie)]),
      extension("HRR", ext.supportedVersions, dialect.version13),
      ...(confirms ? [extension("HRR", ext.encryptedClientHello, new Uint8Array(confirmationSize))] : []),
    ],
  );
}

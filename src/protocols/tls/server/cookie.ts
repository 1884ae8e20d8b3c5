import { bytes, decode, encode, opaque, struct, u16, u32 } from "../../../bytes/index.js";
import { equalInConstantTime, type Secret } from "../../../contract/index.js";
import type { ServerConfig } from "../config.js";
import { refuse } from "../failure.js";
import type { Context } from "../handshake/context.js";
import { frame, handshakeType } from "../messages/handshake.js";
import { groupById } from "../parameters/groups.js";
import { suite13ById } from "../parameters/suites13.js";
import type { Retried } from "./client-hello.js";
import type { Request } from "./request.js";
import { retryBody } from "./retry.js";

/*
 * A cookie holds all that a server would have to remember between its HelloRetryRequest and the second ClientHello
 * (RFC 9846 §4.3.2): when, which suite and group, and the hash of the first ClientHello, under a MAC that also covers
 * what the cookie is bound to.
 */
const state = struct({ issuedAtSeconds: u32, suite: u16, group: u16, helloHash: bytes(1) });
const macSize = 32;
const sealed = struct({ state: bytes(2), mac: opaque(macSize) });

type Cx = Context<ServerConfig>;

export function makeCookie(cx: Cx, key: Secret, suite: number, group: number | undefined, helloHash: Uint8Array) {
  const issuedAtSeconds = Math.floor(cx.now / 1000) % 2 ** 32;
  const plain = encode(state, { issuedAtSeconds, suite, group: group ?? 0, helloHash });
  return encode(sealed, { state: plain, mac: mac(cx, key, plain) });
}

/** Takes a handshake up again where a cookie left it; the transcript is as if we had remembered. */
export function openCookie(cx: Cx, key: Secret, request: Request): Retried {
  const at = "cookie";
  const { cookie } = request;
  if (cookie === undefined) refuse("missing-extension", at, "the second ClientHello has no cookie");
  const { state: plain, mac: theirs } = decode(sealed, cookie);
  if (!equalInConstantTime(mac(cx, key, plain), theirs)) refuse("bad-cookie", at, "it is not one of ours");
  const { issuedAtSeconds, suite: suiteId, group: groupId, helloHash } = decode(state, plain);
  const age = cx.now / 1000 - issuedAtSeconds;
  if (age < -1 || age > (cx.config.options.cookieLifetimeSeconds ?? 30)) refuse("bad-cookie", at, "it is too old");
  const suite = suite13ById.get(suiteId);
  if (suite === undefined) refuse("bad-cookie", at, "it is of another time");
  const group = groupId === 0 ? undefined : groupById.get(groupId);
  cx.transcript.restart(helloHash);
  const body = retryBody(cx.config, suite, request.hello.sessionId, group, cookie);
  cx.transcript.add(frame(handshakeType.serverHello, body));
  return { suite, group, first: undefined, ech: request.ech };
}

function mac(cx: Cx, key: Secret, plain: Uint8Array): Uint8Array {
  const hmac = cx.config.crypto.hash("SHA-256").hmac(key.expose());
  const value = hmac.compute(plain, cx.config.cookieContext);
  hmac.destroy();
  return value;
}

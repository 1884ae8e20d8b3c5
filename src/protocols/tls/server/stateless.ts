import { bytes, decode, encode, opaque, struct, u32 } from "../../../bytes/index.js";
import { equalInConstantTime, type Instant, type Secret } from "../../../contract/index.js";
import type { ServerConfig } from "../config.js";
import { refuse } from "../failure.js";
import { Context } from "../handshake/context.js";
import { frame, handshakeType, unframe } from "../messages/handshake.js";
import { type ClientHello, clientHello, helloVerifyRequest } from "../messages/hello.js";
import type { Group } from "../parameters/groups.js";
import type { Suite13 } from "../parameters/suites13.js";
import { chooseVersion } from "./client-hello.js";
import { makeCookie, openCookie } from "./cookie.js";
import { type Request, readRequest } from "./request.js";
import { retryBody } from "./retry.js";

/** What a server that keeps nothing makes of a ClientHello. */
export type Reception =
  /** It brings back a cookie of ours: its sender is where it says, and now a handshake may begin. */
  | { readonly kind: "proven" }
  /** HelloVerifyRequest (RFC 6347 §4.2.1) or HelloRetryRequest (RFC 9147 §5.1): all that a stranger gets. */
  | { readonly kind: "answer"; readonly message: Uint8Array };

/**
 * The first step of a server without state: a ClientHello, whole, with its header of four bytes. Throws what a handshake
 * would be refused for; nobody is told of that either. `config` has a `cookieKey`, and in `cookieContext` the address.
 */
export function receiveStateless(config: ServerConfig, message: Uint8Array, now: Instant): Reception {
  const cx = new Context(config);
  cx.now = now;
  const { type, body, bytes: whole } = unframe(message);
  if (type !== handshakeType.clientHello) refuse("unexpected-message", at, "a session begins with ClientHello");
  const hello = decode(clientHello(config.dialect.cookieField), body);
  const key = config.options.cookieKey ?? refuse("misuse", "cookieKey", "there is no key for cookies");
  if (chooseVersion(hello, config) === "1.2") return verify(cx, key, hello);
  const request: Request = { ...readRequest(hello, whole, config), ech: undefined };
  if (request.cookie !== undefined) {
    openCookie(cx, key, request);
    return { kind: "proven" };
  }
  const suite = chooseSuite(config, request);
  const group = missingGroup(config, request);
  const helloHash = config.crypto.hash(suite.hash).digest(whole);
  const cookie = makeCookie(cx, key, suite.id, group?.id, helloHash);
  const retry = retryBody(config, suite, hello.sessionId, group, cookie);
  return { kind: "answer", message: frame(handshakeType.serverHello, retry) };
}

/** The binders tell which hash the client's keys are for, before anybody has looked for them. */
function chooseSuite(config: ServerConfig, { hello, psks }: Request): Suite13 {
  const common = config.suites.filter(
    (suite): suite is Suite13 => suite.version === "1.3" && hello.suites.includes(suite.id),
  );
  const bound = common.find(({ hash }) => psks.some(({ binder }) => binder.length === config.crypto.hash(hash).size));
  return bound ?? common[0] ?? refuse("no-common-suite", at, "no cipher suite of the client's is allowed here");
}

/** The group to ask for, if the client sent no share that we can use. */
function missingGroup(config: ServerConfig, request: Request): Group | undefined {
  const common = config.groups.filter(({ id }) => request.groups.includes(id));
  return common.some(({ id }) => request.shares.has(id)) ? undefined : common[0];
}

/** Of a cookie's MAC: a whole cookie must fit the 32 bytes that clients of DTLS 1.0's time have for it. */
const macSize = 16;
const cookie12 = struct({ issuedAtSeconds: u32, mac: opaque(macSize) });

/** RFC 6347 §4.2.1: the cookie is made of the address and of what the second ClientHello repeats. */
function verify(cx: Context<ServerConfig>, key: Secret, hello: ClientHello): Reception {
  const age = hello.cookie?.length === cookieSize ? judgeCookie12(cx, key, hello) : undefined;
  if (age !== undefined && age >= -1 && age <= (cx.config.options.cookieLifetimeSeconds ?? 30))
    return { kind: "proven" };
  const issuedAtSeconds = Math.floor(cx.now / 1000) % 2 ** 32;
  const cookie = encode(cookie12, { issuedAtSeconds, mac: mac12(cx, key, hello, issuedAtSeconds) });
  // "DTLS 1.0 regardless of the version that is expected to be negotiated".
  const body = encode(helloVerifyRequest, { serverVersion: 0xfeff, cookie });
  return { kind: "answer", message: frame(handshakeType.helloVerifyRequest, body) };
}

/** Its age in seconds; undefined if it is not ours. */
function judgeCookie12(cx: Context<ServerConfig>, key: Secret, hello: ClientHello): number | undefined {
  const { issuedAtSeconds, mac } = decode(cookie12, hello.cookie!);
  if (!equalInConstantTime(mac12(cx, key, hello, issuedAtSeconds), mac)) return undefined;
  return cx.now / 1000 - issuedAtSeconds;
}

const repeated = struct({ label: bytes(1), issuedAtSeconds: u32, random: opaque(32), sessionId: bytes(1) });

function mac12(cx: Context<ServerConfig>, key: Secret, hello: ClientHello, issuedAtSeconds: number): Uint8Array {
  const hmac = cx.config.crypto.hash("SHA-256").hmac(key.expose());
  const { random, sessionId } = hello;
  // The label keeps these apart from cookies of 1.3 under the same key.
  const content = encode(repeated, { label: verifyLabel, issuedAtSeconds, random, sessionId });
  const value = hmac.compute(content, cx.config.cookieContext).subarray(0, macSize);
  hmac.destroy();
  return value;
}

const verifyLabel = Uint8Array.from("HelloVerifyRequest", (letter) => letter.charCodeAt(0));
const cookieSize = 4 + macSize;
const at = "ClientHello";

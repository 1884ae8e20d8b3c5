import { decode, equal } from "../../../bytes/index.js";
import type { ServerConfig } from "../config.js";
import { receiveHello, type ServerEch } from "../ech/server.js";
import { refuse } from "../failure.js";
import type { Context, State } from "../handshake/context.js";
import { expect } from "../handshake/expect.js";
import { continueServer12 } from "../handshake12/server.js";
import { ext } from "../messages/extensions.js";
import { handshakeType, type Message } from "../messages/handshake.js";
import { type ClientHello, clientHello } from "../messages/hello.js";
import type { TlsVersion } from "../options.js";
import type { Group } from "../parameters/groups.js";
import type { Suite13 } from "../parameters/suites13.js";
import { openCookie } from "./cookie.js";
import { negotiate } from "./negotiate.js";
import { type Request, readRequest } from "./request.js";

type Cx = Context<ServerConfig>;

const fallbackScsv = 0x5600;

/** What a HelloRetryRequest asked for. */
export interface Retried {
  readonly suite: Suite13;
  readonly group: Group | undefined;
  /** The first ClientHello; unknown to a server that kept nothing. */
  readonly first: ClientHello | undefined;
  /** What became of its encryption. */
  readonly ech: ServerEch | undefined;
}

/** The first message, and after a HelloRetryRequest the second. */
export class ExpectClientHello implements State<ServerConfig> {
  readonly name = "ClientHello";
  readonly epoch = "initial";
  readonly #retried: Retried | undefined;

  constructor(retried?: Retried) {
    this.#retried = retried;
  }

  handle(message: Message, cx: Cx): State<ServerConfig> {
    const body = expect(message, handshakeType.clientHello);
    const visible = decode(clientHello(cx.config.dialect.cookieField), body);
    const { hello, bytes, ech } = receiveHello(cx, visible, message.bytes, this.#retried ? this.#retried.ech : "none");
    cx.clientRandom = hello.random.slice();
    const version = chooseVersion(hello, cx.config);
    if (version === "1.2") {
      if (this.#retried !== undefined) refuse("changed-hello", this.name, "the second ClientHello offers no 1.3");
      cx.version = "1.2";
      return continueServer12(hello, message, cx);
    }
    cx.version = "1.3";
    const request: Request = { ...readRequest(hello, bytes, cx.config), ech };
    const { cookieKey } = cx.config.options;
    if (cookieKey !== undefined && request.cookie !== undefined && this.#retried === undefined) {
      return negotiate(cx, request, openCookie(cx, cookieKey, request));
    }
    if (this.#retried !== undefined) checkSecond(this.#retried, hello, request.shares);
    return negotiate(cx, request, this.#retried);
  }
}

/** RFC 9846 §4.3.1, and §4.2.3's word on falling back. */
export function chooseVersion(hello: ClientHello, { versions, dialect }: ServerConfig): TlsVersion {
  const at = "ClientHello";
  const offered = hello.extensions.get(ext.supportedVersions);
  const codes = { "1.3": dialect.version13, "1.2": dialect.version12 };
  const older = isAtLeast(hello.legacyVersion, dialect.version12) && versions.includes("1.2") ? "1.2" : undefined;
  const version = offered === undefined ? older : versions.find((each) => offered.includes(codes[each]));
  if (version === undefined) refuse("no-common-version", at, "the client offers no version that we allow");
  if (hello.suites.includes(fallbackScsv) && version === "1.2" && versions.includes("1.3")) {
    refuse("inappropriate-fallback", at, "the client fell back from a version that we speak (RFC 7507 §3)");
  }
  return version;
}

/** DTLS counts its versions down. */
const isAtLeast = (version: number, wanted: number): boolean =>
  wanted > 0xf000 ? version <= wanted && version > 0xf000 : version >= wanted;

/** RFC 9846 §4.2.2: what the second ClientHello may change, and nothing else. */
function checkSecond({ first, group }: Retried, second: ClientHello, shares: ReadonlyMap<number, Uint8Array>): void {
  const at = "second ClientHello";
  if (second.extensions.has(ext.earlyData)) refuse("changed-hello", at, "early_data again after a HelloRetryRequest");
  if (group !== undefined && (shares.size !== 1 || !shares.has(group.id))) {
    refuse("changed-hello", at, `not the one share of ${group.name} that was asked for`);
  }
  if (first === undefined) return;
  const same =
    equal(first.random, second.random) &&
    equal(first.sessionId, second.sessionId) &&
    first.suites.length === second.suites.length &&
    first.suites.every((suite, i) => suite === second.suites[i]);
  if (!same) refuse("changed-hello", at, "random, session id or suites are not those of the first");
  const before = fixedExtensions(first);
  const after = fixedExtensions(second);
  if (
    before.length !== after.length ||
    !before.every((item, i) => item.type === after[i]!.type && equal(item.data, after[i]!.data))
  ) {
    refuse("changed-hello", at, "extensions are not those of the first");
  }
}

const changeable: readonly number[] = [
  ext.keyShare.type,
  ext.earlyData.type,
  ext.cookie.type,
  ext.preSharedKey.type,
  ext.padding.type,
  ext.encryptedClientHello.type,
];

const fixedExtensions = (hello: ClientHello) =>
  hello.extensions.items.filter(({ type }) => !changeable.includes(type)).sort((a, b) => a.type - b.type);

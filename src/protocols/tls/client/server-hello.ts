import { decode, equal } from "../../../bytes/index.js";
import type { Secret } from "../../../contract/index.js";
import type { ClientConfig } from "../config.js";
import { settleRetry, settleServerHello, useOuter } from "../ech/client.js";
import { refuse } from "../failure.js";
import type { Context, State } from "../handshake/context.js";
import { expect } from "../handshake/expect.js";
import { checkApplicationExtensions } from "../handshake/negotiation.js";
import { Transcript } from "../handshake/transcript.js";
import { continueClient12 } from "../handshake12/client.js";
import { EarlySecret, type HandshakeSecret, Labels } from "../keys13.js";
import { ext } from "../messages/extensions.js";
import { handshakeType, type Message } from "../messages/handshake.js";
import {
  downgrade11,
  downgrade12,
  helloVerifyRequest,
  isKind,
  readServerHello,
  type ServerHello,
} from "../messages/hello.js";
import { type Group, groupById } from "../parameters/groups.js";
import type { Suite13 } from "../parameters/suites13.js";
import type { Psk } from "../psk.js";
import { ExpectEncryptedExtensions } from "./encrypted-extensions.js";
import { type Offer, retriedOffer, sendOffer } from "./offer.js";

type Cx = Context<ClientConfig>;

/** What the ServerHello settled. */
export interface Agreed {
  readonly suite: Suite13;
  readonly group: Group | undefined;
  readonly psk: Psk | undefined;
  readonly pskIndex: number;
  readonly secret: HandshakeSecret;
  readonly clientTraffic: Secret;
  readonly serverTraffic: Secret;
  /** Answers to the application's extensions, those that stand here. */
  readonly extensions: ReadonlyMap<number, Uint8Array>;
}

/** From here on our handshake messages are sealed. */
export function openHandshakeWrite(cx: Cx, offer: Offer, { suite, clientTraffic }: Agreed): void {
  if (!offer.earlyData && offer.retry === undefined && isCompatible(offer)) cx.changeCipherSpec();
  cx.keys("handshake", "write", { version: "1.3", suite, secret: clientTraffic });
}

/** In compatibility mode the session id is there, for nothing else (RFC 9846 Appendix E.4). */
const isCompatible = (offer: Offer): boolean => offer.hello.sessionId.length > 0;

/** After a ClientHello: ServerHello of 1.3 or 1.2, or HelloRetryRequest. */
export class ExpectServerHello implements State<ClientConfig> {
  readonly name = "ServerHello";
  readonly epoch = "initial";
  readonly #offer: Offer;

  constructor(offer: Offer) {
    this.#offer = offer;
  }

  handle(message: Message, cx: Cx): State<ClientConfig> {
    if (message.type === handshakeType.helloVerifyRequest && cx.config.dialect.cookieField) {
      return this.#verify(message, cx);
    }
    const body = expect(message, handshakeType.serverHello);
    const hello = readServerHello(body);
    if (isKind(hello, "HRR")) return this.#retry(hello, message, cx);
    if (isKind(hello, "SH")) return this.#agree(hello, message, cx);
    return this.#older(hello as ServerHello<"SH12">, message, cx);
  }

  /** DTLS 1.2: the same hello again, with the server's cookie; nothing of this is hashed (RFC 6347 §4.2.1). */
  #verify(message: Message, cx: Cx): State<ClientConfig> {
    const at = "HelloVerifyRequest";
    const { cookie } = decode(helloVerifyRequest, message.body);
    const offer = this.#offer;
    if (offer.hello.cookie === undefined || offer.hello.cookie.length > 0 || offer.retry !== undefined) {
      refuse("second-retry", at, "the server asked for a cookie twice");
    }
    if (cookie.length === 0) refuse("pointless-retry", at, "a cookie without bytes");
    cx.transcript = new Transcript(1);
    return new ExpectServerHello(sendOffer(cx, { ...offer, hello: { ...offer.hello, cookie: cookie.slice() } }));
  }

  /** RFC 9846 §4.2.4. */
  #retry(hello: ServerHello<"HRR">, message: Message, cx: Cx): State<ClientConfig> {
    const at = "HelloRetryRequest";
    if (this.#offer.retry !== undefined) refuse("second-retry", at, "the server asked for a second retry");
    const suite = this.#checkHead(hello, cx, at);
    const mayAnswer =
      this.#offer.ech === undefined ? [ext.cookie.type] : [ext.cookie.type, ext.encryptedClientHello.type];
    hello.extensions.checkAnswers(new Set([...this.#offer.offered, ...mayAnswer]), at);
    const offer = settleRetry(cx, this.#offer, hello, message, suite);
    const selected = hello.extensions.get(ext.keyShare);
    const cookie = hello.extensions.get(ext.cookie);
    if (selected === undefined && cookie === undefined) {
      refuse("pointless-retry", at, "the retry would not change the ClientHello");
    }
    let group: Group | undefined;
    if (selected !== undefined) {
      group = cx.config.groups.find(({ id }) => id === selected);
      if (group === undefined) refuse("unoffered-group", at, `group ${selected} was not offered`);
      if (offer.shares.has(selected)) refuse("pointless-retry", at, `a share of ${group.name} was there already`);
    }
    cx.trace("hello_retry_request", { group: group?.name, cookie: cookie?.length });
    cx.transcript.fold(cx.config.crypto.hash(suite.hash));
    cx.transcript.add(message.bytes);
    const psks = offer.psks.filter(({ hash }) => hash === suite.hash);
    const second = retriedOffer(cx, offer, suite.id, group, cookie, psks);
    if (offer.earlyData) cx.out.push({ kind: "early-data", status: "rejected", max: 0 });
    if (!offer.earlyData && isCompatible(offer)) cx.changeCipherSpec();
    return new ExpectServerHello(sendOffer(cx, second));
  }

  /** RFC 9846 §4.2.3. */
  #agree(hello: ServerHello<"SH">, message: Message, cx: Cx): State<ClientConfig> {
    const at = "ServerHello";
    const { config } = cx;
    const suite = this.#checkHead(hello, cx, at);
    const offer = settleServerHello(cx, this.#offer, message, suite);
    hello.extensions.checkAnswers(offer.offered, at);
    const index = hello.extensions.get(ext.preSharedKey);
    const answer = hello.extensions.get(ext.keyShare);
    const psk = index === undefined ? undefined : offer.psks[index];
    if (index !== undefined && psk === undefined) refuse("unoffered-psk", at, `there is no pre-shared key ${index}`);
    if (psk !== undefined && psk.hash !== suite.hash) {
      refuse("unoffered-psk", at, "the pre-shared key is for another hash than the suite's");
    }
    if (answer === undefined && psk === undefined) {
      refuse("missing-extension", at, "neither key_share nor pre_shared_key answers");
    }
    if (answer === undefined && !config.pskModes.includes("psk_ke")) {
      refuse("illegal-parameter", at, "psk_ke was not offered");
    }
    if (answer !== undefined && psk !== undefined && !config.pskModes.includes("psk_dhe_ke")) {
      refuse("illegal-parameter", at, "psk_dhe_ke was not offered");
    }
    cx.version = "1.3";
    const group = answer && groupById.get(answer.group);
    const shared = answer && this.#conclude(answer.group, answer.key, cx);
    const early = psk?.early ?? new EarlySecret(Labels.of(config.crypto, suite.hash, config.dialect.labelPrefix));
    const secret = early.handshake(shared);
    shared?.wipe();
    for (const each of offer.psks) if (each !== psk) each.early.wipe();
    early.wipe();
    for (const { privateKey } of offer.shares.values()) privateKey.wipe();

    cx.transcript.start(config.crypto.hash(suite.hash));
    cx.transcript.add(message.bytes);
    const helloHash = cx.transcript.digest();
    const agreed: Agreed = {
      suite,
      group,
      psk,
      pskIndex: index ?? 0,
      secret,
      clientTraffic: secret.clientTraffic(helloHash),
      serverTraffic: secret.serverTraffic(helloHash),
      extensions: cx.heard(checkApplicationExtensions(config, hello.extensions)),
    };
    cx.logKey("CLIENT_HANDSHAKE_TRAFFIC_SECRET", agreed.clientTraffic);
    cx.logKey("SERVER_HANDSHAKE_TRAFFIC_SECRET", agreed.serverTraffic);
    cx.keys("handshake", "read", { version: "1.3", suite, secret: agreed.serverTraffic });
    // TLS has one write key at a time: early data go on until EndOfEarlyData.
    if (!offer.earlyData || !config.dialect.endOfEarlyData) openHandshakeWrite(cx, offer, agreed);
    return new ExpectEncryptedExtensions(offer, agreed);
  }

  /** RFC 9846 §4.2.3: the downgrade sentinels first, then it is another version's handshake. */
  #older(hello: ServerHello<"SH12">, message: Message, cx: Cx): State<ClientConfig> {
    const at = "ServerHello";
    const { config } = cx;
    if (hello.legacyVersion !== config.dialect.version12 || !config.versions.includes("1.2")) {
      refuse("no-common-version", at, `the server chose version 0x${hello.legacyVersion.toString(16)}`);
    }
    if (this.#offer.retry !== undefined) refuse("unoffered-version", at, "the version changed after a retry");
    const sentinel = hello.random.subarray(24);
    const down = equal(sentinel, downgrade12) || equal(sentinel, downgrade11);
    if (down && config.versions.includes("1.3")) {
      refuse("downgrade-detected", at, "the server speaks 1.3 and was made to choose less: someone is in between");
    }
    cx.version = "1.2";
    const { ech } = this.#offer;
    return continueClient12(ech === undefined ? this.#offer : useOuter(cx, this.#offer, ech), hello, message, cx);
  }

  /** What ServerHello and HelloRetryRequest have in common. */
  #checkHead(hello: ServerHello<"SH"> | ServerHello<"HRR">, cx: Cx, at: string): Suite13 {
    const { config } = cx;
    const { hello: sent, retry } = this.#offer;
    const version = isKind(hello, "HRR")
      ? hello.extensions.get(ext.supportedVersions)
      : (hello as ServerHello<"SH">).extensions.get(ext.supportedVersions);
    if (version === undefined) refuse("missing-extension", at, "supported_versions is missing");
    if (version !== config.dialect.version13 || !config.versions.includes("1.3")) {
      refuse("unoffered-version", at, `version 0x${version.toString(16)} was not offered`);
    }
    if (hello.legacyVersion !== config.dialect.version12) {
      refuse("wrong-legacy-version", at, "legacy_version is not that of 1.2");
    }
    if (!equal(hello.sessionIdEcho, sent.sessionId)) {
      refuse("wrong-session-id-echo", at, "legacy_session_id_echo is not what was sent");
    }
    if (hello.compressionMethod !== 0) refuse("wrong-compression-method", at, "compression is not null");
    const suite = config.suites.find(({ id }) => id === hello.suite);
    if (suite?.version !== "1.3") {
      refuse("unoffered-suite", at, `suite 0x${hello.suite.toString(16).padStart(4, "0")} was not offered`);
    }
    if (retry !== undefined && retry.suite !== suite.id) {
      refuse("unoffered-suite", at, "the suite is not that of the HelloRetryRequest");
    }
    return suite;
  }

  #conclude(group: number, key: Uint8Array, cx: Cx): Secret {
    const at = "ServerHello";
    const { shares, retry } = this.#offer;
    const mine = shares.get(group);
    if (mine === undefined || (retry?.group !== undefined && retry.group !== group)) {
      refuse("unoffered-group", at, `no share of group ${group} was offered`);
    }
    const agreement = cx.config.crypto.agreement(groupById.get(group)!.agreement);
    return agreement.conclude(mine.privateKey, key) ?? refuse("invalid-key-share", at, "the key share is not valid");
  }
}

import { fromUtf8 } from "../../../bytes/index.js";
import type { HashName } from "../../../contract/index.js";
import type { ClientConfig } from "../config.js";
import { hideOffer } from "../ech/client.js";
import type { Context, State } from "../handshake/context.js";
import { Handshake } from "../handshake/handshake.js";
import type { OfferedPsk } from "../handshake/questions.js";
import { suite13ById } from "../parameters/suites13.js";
import { externalPsks, type Psk, sessionPsk } from "../psk.js";
import { type ClientSession, expiryOf } from "../store/session.js";
import { earlyDataLimit, makeOffer, type Offer, sendOffer } from "./offer.js";
import { ExpectServerHello } from "./server-hello.js";

type Cx = Context<ClientConfig>;

/** A client's handshake: `start` puts out the ClientHello. */
export const clientHandshake = (config: ClientConfig): Handshake<ClientConfig> =>
  new Handshake(config, (cx) => startClient(cx));

/** Looks for keys from before, if there may be any, then says hello. */
function startClient(cx: Cx): State<ClientConfig> {
  const { options } = cx.config;
  if (options.sessions === undefined && options.psks === undefined) return sayHello(cx, undefined);
  const ask = { serverName: options.serverName, at: cx.now };
  return cx.ask("offer-psks", ask, "initial", (offered) => sayHello(cx, offered));
}

function sayHello(cx: Cx, offered: OfferedPsk | undefined): State<ClientConfig> {
  const { config } = cx;
  const psks: Psk[] = [];
  let session12: ClientSession | undefined;
  const session = offered?.session;
  if (session !== undefined && expiryOf(session) > cx.now) {
    const hash = suite13ById.get(session.suite)?.hash;
    if (session.version === 0x0303) session12 = config.versions.includes("1.2") ? session : undefined;
    else if (hash !== undefined && offersHash(config, hash)) {
      psks.push(sessionPsk(config.crypto, config.dialect, hash, session));
    }
  }
  for (const external of offered?.external ?? []) {
    psks.push(...externalPsks(config.crypto, config.dialect, external).filter(({ hash }) => offersHash(config, hash)));
  }
  const plain = makeOffer(cx, config.versions.includes("1.3") ? psks : [], session12);
  const hidden = hideOffer(cx, plain);
  cx.clientRandom = hidden.hello.random;
  const offer = sendOffer(cx, hidden);
  if (offer.earlyData) openEarlyData(cx, offer);
  return new ExpectServerHello(offer);
}

/** Keys for 0-RTT data follow from the first PSK and the ClientHello (RFC 9846 §7.1). */
export function openEarlyData(cx: Cx, offer: Offer): void {
  const psk = offer.psks[0]!;
  const { labels } = psk.early;
  const helloHash = cx.transcript.digestWith(labels.hash, new Uint8Array(0));
  const secret = psk.early.clientTraffic(helloHash);
  const exporter = psk.early.exporter(helloHash);
  cx.logKey("CLIENT_EARLY_TRAFFIC_SECRET", secret);
  cx.logKey("EARLY_EXPORTER_MASTER_SECRET", exporter);
  cx.earlyExporter = (label, context, length) => labels.export(exporter, label, context, length);
  const suite =
    psk.origin.kind === "session"
      ? suite13ById.get(psk.origin.session.suite)
      : cx.config.suites.find(({ name }) => psk.origin.kind === "external" && name === psk.origin.psk.earlyData?.suite);
  if (suite?.version !== "1.3") return;
  if (offer.hello.sessionId.length > 0) cx.changeCipherSpec();
  cx.keys("early", "write", { version: "1.3", suite, secret });
  const { origin } = psk;
  const alpn = origin.kind === "session" ? fromUtf8(origin.session.alpn) || undefined : origin.psk.earlyData?.alpn;
  cx.out.push({ kind: "early-data", status: "offered", max: earlyDataLimit(cx.config, psk), alpn });
}

const offersHash = (config: ClientConfig, hash: HashName): boolean =>
  config.suites.some((suite) => suite.version === "1.3" && suite.hash === hash);

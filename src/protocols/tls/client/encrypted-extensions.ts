import { decode, fromUtf8 } from "../../../bytes/index.js";
import type { ClientConfig } from "../config.js";
import { readEchConfigs } from "../ech/config.js";
import { refuse } from "../failure.js";
import type { Context, State } from "../handshake/context.js";
import { expect } from "../handshake/expect.js";
import { checkApplicationExtensions, recordLimits } from "../handshake/negotiation.js";
import { certificateTypes, encryptedExtensions } from "../messages/authentication.js";
import { type ExtensionBlock, ext } from "../messages/extensions.js";
import { handshakeType, type Message } from "../messages/handshake.js";
import type { CertificateType, TlsOutcome } from "../options.js";
import { ExpectCertificateOrRequest } from "./certificate.js";
import { ExpectFinished } from "./finished.js";
import type { Offer } from "./offer.js";
import { type Agreed, openHandshakeWrite } from "./server-hello.js";

type Cx = Context<ClientConfig>;

/** What the server's parameters settled, in addition. */
export interface Negotiated extends Agreed {
  readonly offer: Offer;
  readonly alpn: string | undefined;
  readonly earlyData: TlsOutcome["earlyData"];
  readonly serverCertificateType: CertificateType;
  readonly clientCertificateType: CertificateType;
  /** ECHConfigList of a server that could not read our ClientHello. */
  readonly retryConfigs: Uint8Array | undefined;
}

/** RFC 9846 §4.4.1. */
export class ExpectEncryptedExtensions implements State<ClientConfig> {
  readonly name = "EncryptedExtensions";
  readonly epoch = "handshake";
  readonly #offer: Offer;
  readonly #agreed: Agreed;

  constructor(offer: Offer, agreed: Agreed) {
    this.#offer = offer;
    this.#agreed = agreed;
  }

  handle(message: Message, cx: Cx): State<ClientConfig> {
    const body = expect(message, handshakeType.encryptedExtensions);
    const answers = decode(encryptedExtensions, body);
    answers.checkAnswers(this.#offer.offered, this.name);
    const alpn = this.#applicationProtocol(answers, cx);
    const limits = recordLimits(cx.config, answers);
    if (limits !== undefined) cx.out.push({ kind: "record-limits", ...limits });
    answers.get(ext.serverName);
    answers.get(ext.supportedGroups);
    answers.get(ext.ticketRequest);
    const negotiated: Negotiated = {
      ...this.#agreed,
      offer: this.#offer,
      alpn,
      earlyData: this.#earlyData(answers, alpn, cx),
      extensions: new Map([...this.#agreed.extensions, ...cx.heard(checkApplicationExtensions(cx.config, answers))]),
      serverCertificateType: this.#certificateType(answers, "server", cx),
      clientCertificateType: this.#certificateType(answers, "client", cx),
      retryConfigs: retryConfigs(answers),
    };
    cx.transcript.add(message.bytes);
    if (negotiated.psk !== undefined) return new ExpectFinished(negotiated, undefined, undefined);
    return new ExpectCertificateOrRequest(negotiated);
  }

  /** RFC 7301 §3.1: exactly one, and one of ours. */
  #applicationProtocol(answers: ExtensionBlock<"EE">, cx: Cx): string | undefined {
    const list = answers.get(ext.alpn);
    if (list === undefined) return undefined;
    const name = list.length === 1 ? fromUtf8(list[0]!) : undefined;
    if (name === undefined || !cx.config.alpn.includes(name)) {
      refuse("unoffered-application-protocol", this.name, "the server chose a protocol that was not offered");
    }
    return name;
  }

  /** RFC 9846 §4.3.10. */
  #earlyData(answers: ExtensionBlock<"EE">, alpn: string | undefined, cx: Cx): TlsOutcome["earlyData"] {
    const offer = this.#offer;
    const accepted = answers.get(ext.earlyData) !== undefined;
    if (accepted) {
      const { psk, pskIndex } = this.#agreed;
      if (!offer.earlyData || psk === undefined || pskIndex !== 0) {
        refuse("illegal-parameter", this.name, "early data were accepted under a key that they are not sealed with");
      }
      this.#checkEarlyParameters(alpn);
      cx.out.push({ kind: "early-data", status: "accepted", max: 0 });
      return "accepted";
    }
    if (!offer.earlyData) return offer.earlyDataLost ? "rejected" : "not-offered";
    cx.out.push({ kind: "early-data", status: "rejected", max: 0 });
    if (cx.config.dialect.endOfEarlyData) openHandshakeWrite(cx, offer, this.#agreed);
    return "rejected";
  }

  /** What early data went out under must be what the session has. */
  #checkEarlyParameters(alpn: string | undefined): void {
    const origin = this.#agreed.psk?.origin;
    if (origin?.kind !== "session") return;
    const { session } = origin;
    if (session.suite !== this.#agreed.suite.id || (fromUtf8(session.alpn) ?? "") !== (alpn ?? "")) {
      refuse("illegal-parameter", this.name, "early data were accepted with other parameters than the session had");
    }
  }

  /** RFC 7250 §4.2. */
  #certificateType(answers: ExtensionBlock<"EE">, whose: "server" | "client", cx: Cx): CertificateType {
    const [kind, ours] =
      whose === "server"
        ? [ext.serverCertificateType, cx.config.options.peerCertificateTypes]
        : [ext.clientCertificateType, cx.config.options.certificateTypes];
    const chosen = answers.get(kind);
    if (chosen === undefined) return "x509";
    const type = ours?.find((each) => certificateTypes[each] === chosen);
    if (type === undefined)
      refuse("illegal-parameter", this.name, `${kind.name} was answered with what was not offered`);
    return type;
  }
}

/** It must be a list, also where nobody will use it (draft-ietf-tls-esni §6.1.6, §6.2.1). */
function retryConfigs(answers: ExtensionBlock<"EE">): Uint8Array | undefined {
  const list = answers.get(ext.encryptedClientHello);
  if (list !== undefined) readEchConfigs(list);
  return list?.slice();
}

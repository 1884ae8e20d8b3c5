import type { AskOf, CryptoProvider } from "../../contract/index.js";
import { type AnyOptions, answerQuestion } from "../tls/answers.js";
import { dialects, type TlsEvent } from "../tls/index.js";

/** Answers a machine's questions out of the options of its TLS: nothing is kept between sessions. */
export function answerTls(
  options: AnyOptions,
  crypto: CryptoProvider,
  question: AskOf<TlsEvent>,
  signal: AbortSignal,
): unknown {
  const scope = { serverName: "", port: 0, alpn: [], configuration: "openvpn" };
  return answerQuestion(question, { options, crypto, dialect: dialects.tls, scope }, signal);
}

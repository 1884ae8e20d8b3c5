import { equal, fromUtf8 } from "../../../bytes/index.js";
import { equalInConstantTime, Secret } from "../../../contract/index.js";
import type { ServerConfig } from "../config.js";
import { refuse } from "../failure.js";
import type { Context, State } from "../handshake/context.js";
import { checkApplicationExtensions } from "../handshake/negotiation.js";
import type { FoundPsk } from "../handshake/questions.js";
import { EarlySecret, Labels } from "../keys13.js";
import { ext } from "../messages/extensions.js";
import type { ExternalPsk, TlsOutcome } from "../options.js";
import type { Group } from "../parameters/groups.js";
import { type Suite13, suite13ById } from "../parameters/suites13.js";
import { binder, externalPsks, refuseIdentities } from "../psk.js";
import type { ResumableSession } from "../store/session.js";
import type { Retried } from "./client-hello.js";
import { answerHello } from "./flight.js";
import type { Request } from "./request.js";
import { retry } from "./retry.js";

type Cx = Context<ServerConfig>;
const at = "ClientHello";

/** The pre-shared key that was chosen, and its place in the client's list. */
export interface ChosenPsk {
  readonly index: number;
  readonly early: EarlySecret;
  readonly origin:
    | { readonly kind: "session"; readonly session: ResumableSession }
    | { readonly kind: "external"; readonly psk: ExternalPsk };
}

/** All that a server decides on a ClientHello. */
export interface Choice {
  readonly request: Request;
  readonly suite: Suite13;
  /** Undefined with psk_ke. */
  readonly group: Group | undefined;
  readonly psk: ChosenPsk | undefined;
  readonly alpn: string | undefined;
  readonly extensions: TlsOutcome["extensions"];
  readonly earlyData: TlsOutcome["earlyData"];
  readonly retried: boolean;
}

/** Chooses key, suite and group, in this order; asks for another ClientHello if there is no share of the group. */
export function negotiate(cx: Cx, request: Request, retried: Retried | undefined): State<ServerConfig> {
  const { options } = cx.config;
  const modes = cx.config.pskModes.filter((mode) => request.pskModes.includes(mode === "psk_ke" ? 0 : 1));
  const searchable = options.tickets !== undefined || options.psks !== undefined;
  if (request.psks.length === 0 || modes.length === 0 || !searchable) return choose(cx, request, undefined, retried);
  const ask = {
    identities: request.psks.map(({ identity }) => identity),
    serverName: request.serverName,
    at: cx.now,
  };
  return cx.ask("find-psk", ask, "initial", (found) => choose(cx, request, found, retried));
}

function choose(
  cx: Cx,
  request: Request,
  found: FoundPsk | undefined,
  retried: Retried | undefined,
): State<ServerConfig> {
  const { config } = cx;
  const suites = commonSuites(config, request, retried);
  const withPsk = found && choosePsk(cx, request, found, suites);
  const suite = withPsk?.suite ?? suites[0];
  if (suite === undefined) refuse("no-common-suite", at, "no cipher suite of the client's is allowed here");
  const psk = withPsk?.psk;
  if (psk === undefined && (request.schemes.length === 0 || request.groups.length === 0)) {
    if (request.psks.length > 0)
      refuseIdentities(
        request.psks.map(({ identity }) => identity),
        at,
      );
    refuse("missing-extension", at, "no pre-shared key is known, and there is nothing for certificates");
  }
  const group = chooseGroup(config, request, psk !== undefined, retried);
  const withoutExchange = config.pskModes.includes("psk_ke") && request.pskModes.includes(0);
  if (group === undefined && !(psk !== undefined && withoutExchange)) {
    refuse("no-common-group", at, "no group of the client's is allowed here");
  }
  const wantsCookie = config.options.cookieKey !== undefined && retried === undefined;
  if (group !== undefined && !request.shares.has(group.id)) {
    if (retried !== undefined) refuse("changed-hello", at, "there is still no share of a common group");
    return retry(cx, request, suite, group);
  }
  if (wantsCookie) return retry(cx, request, suite, undefined);
  if (psk !== undefined) checkBinder(cx, request, psk);
  const alpn = chooseProtocol(config, request);
  const choice: Choice = {
    request,
    suite,
    group,
    psk,
    alpn,
    extensions: cx.heard(checkApplicationExtensions(config, request.hello.extensions)),
    earlyData: request.earlyData || retried?.first?.extensions.has(ext.earlyData) ? "rejected" : "not-offered",
    retried: retried !== undefined,
  };
  return judgeEarlyData(cx, choice);
}

/** Ours in our order, or in the client's; a retry has chosen already. */
function commonSuites(config: ServerConfig, request: Request, retried: Retried | undefined): Suite13[] {
  const { suites: offered } = request.hello;
  const ours = config.suites.filter((suite) => suite.version === "1.3");
  if (retried !== undefined) return ours.filter((suite) => suite === retried.suite && offered.includes(suite.id));
  return config.options.preferClientSuites === true
    ? offered.flatMap((id) => ours.find((suite) => suite.id === id) ?? [])
    : ours.filter(({ id }) => offered.includes(id));
}

/** A suite with the key's hash; for a session its own suite if it can be, so that early data may follow. */
function choosePsk(
  cx: Cx,
  request: Request,
  found: FoundPsk,
  suites: readonly Suite13[],
): { readonly psk: ChosenPsk; readonly suite: Suite13 } | undefined {
  const { crypto, dialect } = cx.config;
  const { index } = found;
  if (found.kind === "resumption") {
    const { session } = found;
    const hash = suite13ById.get(session.suite)?.hash;
    const suite = suites.find(({ id }) => id === session.suite) ?? suites.find((each) => each.hash === hash);
    if (suite === undefined) return undefined;
    const secret = Secret.copy(session.secret);
    const early = new EarlySecret(Labels.of(crypto, suite.hash, dialect.labelPrefix), secret);
    secret.wipe();
    return { suite, psk: { index, early, origin: { kind: "session", session } } };
  }
  const identity = request.psks[index]?.identity;
  const psk = identity && externalPsks(crypto, dialect, found.psk).find((each) => equal(each.identity, identity));
  const suite = psk && suites.find(({ hash }) => hash === psk.hash);
  if (psk === undefined || suite === undefined) return undefined;
  return { suite, psk: { index, early: psk.early, origin: { kind: "external", psk: found.psk } } };
}

/** RFC 9846 §4.3.11.2: only the binder of the key that was chosen. */
function checkBinder(cx: Cx, request: Request, psk: ChosenPsk): void {
  const { early, origin, index } = psk;
  const { bytes, bindersSize } = request;
  const hash = early.labels.hash;
  const truncated = cx.transcript.digestWith(hash, bytes.subarray(0, bytes.length - bindersSize));
  const label =
    origin.kind === "session" ? "res binder" : origin.psk.importer === undefined ? "ext binder" : "imp binder";
  if (!equalInConstantTime(binder({ early, binderLabel: label }, truncated), request.psks[index]!.binder)) {
    refuse("bad-binder", "pre_shared_key", "the client does not have the key that it names");
  }
}

/** The first of ours with a share, else the first in common, for which to ask. With psk_ke there is none. */
function chooseGroup(
  config: ServerConfig,
  request: Request,
  withPsk: boolean,
  retried: Retried | undefined,
): Group | undefined {
  const exchange = config.pskModes.includes("psk_dhe_ke") && request.pskModes.includes(1);
  if (withPsk && !exchange) return undefined;
  const common = config.groups.filter(({ id }) => request.groups.includes(id));
  if (retried?.group !== undefined) return common.find((group) => group === retried.group);
  return common.find(({ id }) => request.shares.has(id)) ?? common[0];
}

/** RFC 7301 §3.2: ours in our order; nothing in common ends it. */
function chooseProtocol(config: ServerConfig, request: Request): string | undefined {
  if (config.alpn.length === 0 || request.alpn.length === 0) return undefined;
  const name = config.alpn.find((each) => request.alpn.includes(each));
  return name ?? refuse("no-common-application-protocol", at, `the client speaks ${request.alpn.join(", ")}`);
}

/** RFC 9846 §4.3.10 and §8: everything as it was in the session, fresh, and never seen before. */
function judgeEarlyData(cx: Cx, choice: Choice): State<ServerConfig> {
  const { request, psk, suite, alpn, retried } = choice;
  const { options } = cx.config;
  const origin = psk?.origin;
  const possible =
    request.earlyData &&
    psk?.index === 0 &&
    !retried &&
    (options.earlyDataMax ?? 0) > 0 &&
    options.antiReplay !== undefined &&
    origin?.kind === "session" &&
    origin.session.earlyDataMax > 0 &&
    origin.session.suite === suite.id &&
    (fromUtf8(origin.session.alpn) ?? "") === (alpn ?? "") &&
    origin.session.serverName === (request.serverName ?? "");
  if (!possible || origin?.kind !== "session") return answerHello(cx, choice);
  const first = request.psks[0]!;
  const offer = {
    unique: first.binder,
    ticketIssuedAt: origin.session.issuedAt,
    ticketAgeMs: (first.obfuscatedTicketAge - origin.session.ageAdd + 2 ** 32) % 2 ** 32,
  };
  return cx.ask("judge-early-data", { offer, at: cx.now }, "initial", (verdict) => {
    cx.trace("early_data", { verdict: verdict ?? "none" });
    return answerHello(cx, verdict === "fresh" ? { ...choice, earlyData: "accepted" } : choice);
  });
}

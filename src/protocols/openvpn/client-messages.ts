import { fromBase64, fromUtf8 } from "../../bytes/index.js";
import type { Instant } from "../../contract/index.js";
import type { Challenge } from "./client-options.js";
import { failure, type OpenVpnFailure } from "./failure.js";

/** What a server's text messages may make a client do. */
export interface Verbs {
  fail(reason: OpenVpnFailure): void;
  restart(reason: OpenVpnFailure, now: Instant): void;
  notice(text: string): void;
  wait(ms: number, now: Instant): void;
  /** Asks people: on behalf of a session that waits, or of the next one, as this user. */
  ask(challenge: Challenge, next: { readonly user: string; readonly state: string } | undefined): void;
  /** True if there was a token: the password itself is tried next. */
  forgetToken(): boolean;
}

/** Text messages by their first word (wire document §8). */
export const messages: Readonly<Record<string, ((verbs: Verbs, rest: string, now: Instant) => void) | undefined>> = {
  AUTH_FAILED: (verbs, rest, now) => {
    const asked = dynamicChallenge(rest);
    if (asked !== undefined) {
      verbs.ask(asked.challenge, asked);
      return;
    }
    const isTemporary = rest.startsWith("TEMP");
    const text = printable(isTemporary ? rest.replace(/^TEMP(\[[^\]]*\])?:?/, "") : rest);
    const reason = failure("auth-failed", `the server refused us${text === "" ? "" : `: ${text}`}`, {
      byPeer: true,
      at: "AUTH_FAILED",
      hint: "check the user name, the password and the client's certificate",
    });
    if (isTemporary || verbs.forgetToken()) verbs.restart(reason, now);
    else verbs.fail(reason);
  },
  AUTH_PENDING: (verbs, rest, now) => {
    const [, seconds] = /(?:^|,)timeout (\d{1,6})/.exec(rest) ?? [];
    verbs.wait(Math.min(Number(seconds ?? 60), 3_600) * 1_000, now);
    verbs.notice("the server waits for a second proof of who we are");
  },
  INFO_PRE: inform,
  INFO: inform,
  RESTART: (verbs, rest, now) =>
    verbs.restart(failure("restarted-by-peer", `the server restarts: ${printable(rest)}`, { byPeer: true }), now),
  EXIT: (verbs, _, now) => verbs.restart(failure("exited-by-peer", "the server said goodbye", { byPeer: true }), now),
  HALT: (verbs, rest) =>
    verbs.fail(failure("halted-by-peer", `the server wants us to stop: ${printable(rest)}`, { byPeer: true })),
};

function inform(verbs: Verbs, rest: string): void {
  const [, flags, text] = /^CR_TEXT:([A-Z,]*):(.*)$/s.exec(rest) ?? [];
  if (flags === undefined || text === undefined) verbs.notice(rest);
  // Without R it is only to be shown.
  else if (!flags.split(",").includes("R")) verbs.notice(text);
  else verbs.ask({ text: printable(text), isEchoed: flags.split(",").includes("E") }, undefined);
}

/** `CRV1:flags:state:user in base64:text` behind AUTH_FAILED: the next session's password is the answer. */
function dynamicChallenge(rest: string) {
  const [, flags, state, name, text] = /^CRV1:([A-Z,]*):([^:]{1,1024}):([A-Za-z0-9+/=]*):(.*)$/s.exec(rest) ?? [];
  const user = fromUtf8(fromBase64(name ?? "") ?? new Uint8Array(0));
  if (flags === undefined || state === undefined || text === undefined || user === undefined) return undefined;
  return { challenge: { text: printable(text), isEchoed: flags.split(",").includes("E") }, user, state };
}

/** For eyes and logs: a peer's text without what could move a cursor, and not much of it. */
export const printable = (text: string): string => text.replace(/[^\x20-\x7e\u00a0-\uffff]/g, "?").slice(0, 256);

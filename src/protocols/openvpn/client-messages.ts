import type { Instant } from "../../contract/index.js";
import { failure, type OpenVpnFailure } from "./failure.js";

/** What a server's text messages may make a client do. */
export interface Verbs {
  fail(reason: OpenVpnFailure): void;
  restart(reason: OpenVpnFailure, now: Instant): void;
  notice(text: string): void;
  wait(ms: number, now: Instant): void;
  /** True if there was a token: the password itself is tried next. */
  forgetToken(): boolean;
}

/** Text messages by their first word (wire document §8). */
export const messages: Readonly<Record<string, ((verbs: Verbs, rest: string, now: Instant) => void) | undefined>> = {
  AUTH_FAILED: (verbs, rest, now) => {
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
  INFO_PRE: (verbs, rest) => verbs.notice(rest),
  INFO: (verbs, rest) => verbs.notice(rest),
  RESTART: (verbs, rest, now) =>
    verbs.restart(failure("restarted-by-peer", `the server restarts: ${printable(rest)}`, { byPeer: true }), now),
  EXIT: (verbs, _, now) => verbs.restart(failure("exited-by-peer", "the server said goodbye", { byPeer: true }), now),
  HALT: (verbs, rest) =>
    verbs.fail(failure("halted-by-peer", `the server wants us to stop: ${printable(rest)}`, { byPeer: true })),
};

/** For eyes and logs: a peer's text without what could move a cursor, and not much of it. */
export const printable = (text: string): string => text.replace(/[^\x20-\x7e\u00a0-\uffff]/g, "?").slice(0, 256);

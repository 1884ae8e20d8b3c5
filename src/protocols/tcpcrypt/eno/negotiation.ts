import { concat, equal } from "../../../bytes/index.js";
import type { CryptoProvider, Entropy, Instant, TcpExtension, TcpOption } from "../../../contract/index.js";
import type { EnoReason } from "../failure.js";
import { KeySchedule, resumeHalfSize } from "../keys.js";
import { limits } from "../limits.js";
import { type Tep, tepById } from "../parameters.js";
import type { ResumableSession, TcpcryptSessions } from "../sessions.js";
import {
  type EnoOption,
  enoAcknowledgement,
  enoKind,
  readEnoOption,
  type TepSuboption,
  writeEnoOption,
} from "./option.js";

/** Bytes of a resumption nonce at the most (RFC 8548 §3.5), which we always send. */
const resumptionNonceMax = 8;
const resumptionDataMax = resumeHalfSize + resumptionNonceMax;

/** Does the application know of TCP-ENO (RFC 8547 §4.2)? `require` disables encryption with a peer whose does not. */
export type ApplicationAware = "no" | "offer" | "require";

export interface NegotiationConfig {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  readonly opener: "active" | "passive";
  /** The b bit of an active opener: one of the two ends of a simultaneous open must set it (§4.3). */
  readonly b: boolean;
  readonly applicationAware: ApplicationAware;
  /** Best first. */
  readonly teps: readonly Tep[];
  /** An active opener's offer to resume. */
  readonly offered: ResumableSession | undefined;
  /** Where a passive opener finds what a peer wants to resume. */
  readonly sessions: TcpcryptSessions | undefined;
  /** Take the option out of SYNs that go unanswered (§4.6): for those who go on without encryption. */
  readonly givesUp: boolean;
}

/** What TCP-ENO comes to. */
export type EnoOutcome =
  | { readonly kind: "plain"; readonly reason: EnoReason; readonly peerAware: boolean }
  | {
      readonly kind: "encrypted";
      readonly role: "A" | "B";
      readonly tep: Tep;
      /** As B sent it, with its v bit: it begins the session ID (§5.1). */
      readonly tepByte: number;
      /** Both SYN-form options as they stood in the headers (§4.8). */
      readonly transcript: Uint8Array;
      readonly peerAware: boolean;
      /** Present if a session is resumed (RFC 8548 §3.5); `nonces` is sn[i]. */
      readonly resumed: { readonly session: ResumableSession; readonly nonces: Uint8Array } | undefined;
    };

interface Received {
  readonly option: EnoOption;
  readonly bytes: Uint8Array;
}

/** One connection's TCP-ENO (RFC 8547 §4), as the TCP below asks for it. */
export class Negotiation implements TcpExtension {
  readonly #config: NegotiationConfig;
  readonly #schedule: KeySchedule;
  #ours: EnoOption | undefined;
  #written: Uint8Array | undefined;
  #theirs: Received | undefined;
  /** What is resumed if the peer agrees, or has asked for it. */
  #session: ResumableSession | undefined;
  #chosen: EnoOutcome | undefined;
  /** The peer's first acknowledgement has shown that it has seen our option. */
  #isAcknowledged = false;
  #hasHeardOther = false;
  #syns = 0;

  constructor(config: NegotiationConfig) {
    this.#config = config;
    this.#schedule = new KeySchedule(config.crypto);
    if (config.opener === "passive") return;
    this.#session = config.offered;
    const { b, applicationAware, offered } = config;
    // B's order is its priority, the last the highest (§4.5); A's means nothing, and a resumption needs all the room.
    const fresh = (b ? [...config.teps].reverse() : config.teps).map(({ id }) => ({ id, data: undefined }));
    const teps = offered === undefined ? fresh : [this.#resumption(offered)];
    this.#offer({ b, a: applicationAware !== "no", teps });
  }

  /** Undecided until both sides have acknowledged: the port is opened after that. */
  get outcome(): EnoOutcome {
    if (this.#chosen === undefined || (this.#chosen.kind === "encrypted" && !this.#isAcknowledged)) {
      return { kind: "plain", reason: "undecided", peerAware: false };
    }
    return this.#chosen;
  }

  get isSettled(): boolean {
    return this.#chosen?.kind === "plain" || this.#hasHeardOther;
  }

  write(syn: boolean): Uint8Array | undefined {
    if (!syn) return enoAcknowledgement;
    if (this.#config.givesUp && this.#theirs === undefined && ++this.#syns > limits.synsWithOptionMax) {
      this.#plain("unanswered");
      return undefined;
    }
    return this.#written;
  }

  read(options: readonly TcpOption[], syn: boolean, ack: boolean, now: Instant): void {
    if (this.isSettled) return;
    const ours = options.filter(({ kind }) => kind === enoKind);
    if (syn) this.#readSyn(ours, now);
    else if (!this.#isAcknowledged) {
      if (this.#theirs === undefined) this.#plain("cookie");
      else if (ours.length === 0) this.#plain("not-acknowledged");
    }
    if (ack && this.#chosen?.kind === "encrypted") this.#isAcknowledged = true;
    if (!syn) this.#hasHeardOther = true;
  }

  #readSyn(options: readonly TcpOption[], now: Instant): void {
    const [first] = options;
    // §4.6: an option that changes between segments is no option that a host sent.
    if (first === undefined) this.#plain("no-option");
    else if (options.length > 1) this.#plain("ill-formed");
    else if (this.#theirs !== undefined) {
      if (!equal(this.#theirs.bytes, wholeOf(first))) this.#plain("ill-formed");
    } else {
      const option = readEnoOption(first.content);
      if (option === undefined) this.#plain("ill-formed");
      else this.#meet({ option, bytes: wholeOf(first) }, now);
    }
  }

  /** The peer's SYN-form option, for the first time. */
  #meet(theirs: Received, now: Instant): void {
    this.#theirs = theirs;
    const { a, b } = theirs.option;
    const { opener, applicationAware } = this.#config;
    if (applicationAware === "require" && !a) {
      this.#plain("not-application-aware");
      return;
    }
    const weAreB = opener === "passive" || this.#config.b;
    if (b === weAreB) {
      this.#plain("same-role");
      return;
    }
    if (opener === "passive") this.#choose(theirs.option, now);
    const [optionA, optionB] = weAreB ? [theirs.option, this.#ours] : [this.#ours, theirs.option];
    if (optionA === undefined || optionB === undefined) return;
    this.#settle(optionA, optionB, weAreB);
  }

  /** A passive opener answers with one TEP (§4.5): one that resumes if it can, else the best that is offered. */
  #choose({ teps }: EnoOption, now: Instant): void {
    const { applicationAware, sessions } = this.#config;
    const usable = this.#config.teps.filter(({ id }) => only(teps, id) !== undefined);
    const answer = (suboption: TepSuboption): void =>
      this.#offer({ b: true, a: applicationAware !== "no", teps: [suboption] });
    for (const { id } of usable) {
      const { data } = only(teps, id)!;
      if (sessions === undefined || data === undefined || data.length < resumeHalfSize) continue;
      const session = sessions.find(id, data.subarray(0, resumeHalfSize), now);
      if (session === undefined) continue;
      this.#session = session;
      answer(this.#resumption(session));
      return;
    }
    const best = usable[0];
    if (best === undefined) this.#plain("no-common-tep");
    else answer({ id: best.id, data: undefined });
  }

  /** §4.5: the last valid TEP of B's that A has too. */
  #settle(optionA: EnoOption, optionB: EnoOption, weAreB: boolean): void {
    for (const each of [...optionB.teps].reverse()) {
      const tep = tepById(each.id);
      const [inA, inB] = [only(optionA.teps, each.id), only(optionB.teps, each.id)];
      if (tep === undefined || inA === undefined || inB === undefined || !this.#config.teps.includes(tep)) continue;
      const resumed = inB.data === undefined ? undefined : this.#resumed(tep, inA.data, inB.data, weAreB);
      if (inB.data !== undefined && resumed === undefined) continue;
      const [first, second] = weAreB ? [this.#theirs!.bytes, this.#written!] : [this.#written!, this.#theirs!.bytes];
      this.#chosen = {
        kind: "encrypted",
        role: weAreB ? "B" : "A",
        tep,
        tepByte: each.id | (resumed === undefined ? 0 : 0x80),
        transcript: concat(first, second),
        peerAware: this.#theirs!.option.a,
        resumed,
      };
      if (resumed === undefined) this.#forgetOffer();
      return;
    }
    this.#plain("no-common-tep");
  }

  /** Do both ends name the same session secret (RFC 8548 §3.5)? */
  #resumed(
    tep: Tep,
    ofA: Uint8Array | undefined,
    ofB: Uint8Array,
    weAreB: boolean,
  ): { session: ResumableSession; nonces: Uint8Array } | undefined {
    const session = this.#session;
    if (session?.tep !== tep || ofA === undefined) return undefined;
    if (ofA.length < resumeHalfSize || ofB.length < resumeHalfSize) return undefined;
    const [ours, theirs] = weAreB ? [ofB, ofA] : [ofA, ofB];
    const halves = this.#schedule.resumption(session.secret);
    const expected = session.role === "A" ? halves.B : halves.A;
    if (!equal(theirs.subarray(0, resumeHalfSize), expected)) return undefined;
    const [ourNonce, theirNonce] = [ours.subarray(resumeHalfSize), theirs.subarray(resumeHalfSize)];
    // nonce_a is of who was A in the original session (Figure 2), whatever the roles are now.
    const nonces = session.role === "A" ? concat(ourNonce, theirNonce) : concat(theirNonce, ourNonce);
    return { session, nonces };
  }

  #resumption(session: ResumableSession): TepSuboption {
    const half = this.#schedule.resumption(session.secret)[session.role];
    return { id: session.tep.id, data: concat(half, this.#config.entropy.fill(new Uint8Array(resumptionNonceMax))) };
  }

  #offer(option: EnoOption): void {
    this.#written = writeEnoOption(option);
    // As the peer will read it.
    this.#ours = option;
  }

  #plain(reason: EnoReason): void {
    this.#chosen = { kind: "plain", reason, peerAware: this.#theirs?.option.a ?? false };
    this.#forgetOffer();
  }

  /** A secret that was offered is not offered again, whatever became of it (RFC 8548 §3.5). */
  #forgetOffer(): void {
    this.#session?.secret.wipe();
    this.#session = undefined;
  }
}

/** The one suboption of this TEP with data that tcpcrypt can read: it knows no repetition (§4.5), and no longer nonce. */
function only(teps: readonly TepSuboption[], id: number): TepSuboption | undefined {
  const found = teps.filter((each) => each.id === id);
  const [first] = found;
  return found.length === 1 && (first!.data?.length ?? 0) <= resumptionDataMax ? first : undefined;
}

const wholeOf = ({ kind, content }: TcpOption): Uint8Array => concat(Uint8Array.of(kind, content.length + 2), content);

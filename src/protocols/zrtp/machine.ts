import { equal } from "../../bytes/index.js";
import {
  type Answer,
  type DatagramInput,
  earliest,
  Failure,
  type Instant,
  type Machine,
  Secret,
  type SocketAddress,
  type Transmit,
  type Wake,
} from "../../contract/index.js";
import { TokenBucket } from "../../mechanisms/token-bucket.js";
import { available, defaultAlgorithms } from "./algorithms.js";
import { Association } from "./association.js";
import { isRetained, type RetainedSecrets } from "./cache.js";
import type { ZrtpEvent, ZrtpInput, ZrtpWarning } from "./events.js";
import { Exchange, type OurSide, type PeerHello, type Step } from "./exchange.js";
import { codeOf, type DropReason, failure, failureOfCode, noDrops, type ZrtpReason } from "./failure.js";
import { type HelloHash, hashOfHello, isHello } from "./hello-hash.js";
import { kdf, other, pbxSecret } from "./keys.js";
import {
  answerBurst,
  answersPerSecond,
  errorHoldMs,
  forever,
  hellosMax,
  helloTimesWithEvidence,
  relaysMax,
  responderPatienceMs,
  t1,
  t2,
} from "./limits.js";
import { checkOptions, ourSide, type ZrtpMachineOptions } from "./machine-options.js";
import type { ConfirmFlags } from "./messages/confirm.js";
import { frame, type MessageType, typeOf } from "./messages/frame.js";
import { compareVersion, decodeHello, versionOf } from "./messages/hello.js";
import { openPacket } from "./messages/packet.js";
import { decodePing, encodePingAck } from "./messages/ping.js";
import { decodeError, encodeError, isBare } from "./messages/short.js";
import { Outbox } from "./outbox.js";
import { cacheMismatch, enrolled, outcomeOf, retained, warningsOf, type ZrtpOutcome } from "./outcome.js";
import { Retry } from "./retry.js";
import type { KnownSecrets } from "./secrets.js";
import { clearRequest, relayedSas } from "./secure.js";

type Phase =
  | "idle"
  | "discovery"
  /** Commit sent; DHPart1 or Confirm1 awaited. */
  | "committed"
  /** DHPart1 sent; DHPart2 awaited. */
  | "answered"
  /** DHPart2 sent; Confirm1 awaited. */
  | "agreed"
  /** Confirm1 sent; Confirm2 awaited. */
  | "confirming"
  /** Confirm2 sent; Conf2ACK or media awaited. */
  | "acknowledging"
  | "secure"
  | "failing"
  | "over";

/** ZRTP for one media stream (RFC 6189). */
export class Zrtp implements Machine<ZrtpInput | DatagramInput | Answer, ZrtpEvent> {
  readonly ssrc: number;
  readonly drops: Record<DropReason, number> = noDrops();
  /** For `a=zrtp-hash` of our signalling (§8.1). */
  readonly helloHash: HelloHash;
  readonly #options: ZrtpMachineOptions;
  readonly #ours: OurSide;
  readonly #helloAck = frame("HelloACK");
  readonly #answers: TokenBucket;
  /** What the peer may repeat because our answer was lost, and that answer (§6: it is the very same). */
  readonly #answered: { readonly message: Uint8Array; readonly answer: Uint8Array }[] = [];
  readonly #outbox: Outbox;
  readonly #events: ZrtpEvent[] = [];
  readonly #warned = new Set<ZrtpWarning>();
  #phase: Phase = "idle";
  #remote: SocketAddress | undefined;
  #from: SocketAddress | undefined;
  #peer: PeerHello | undefined;
  #peerSsrc = 0;
  #isHelloAcked = false;
  #isTooOld = false;
  /** Taken up so far, one in place of the other. */
  #hellos = 0;
  #relays = 0;
  #hello: Retry | undefined;
  #current: Retry | undefined;
  #patience: Instant | undefined;
  #heldError: { readonly code: number; readonly until: Instant } | undefined;
  #questions = 0;
  #asked: { readonly id: number; readonly about: "secrets" | "words" } | undefined;
  #retained: RetainedSecrets | undefined;
  #exchange: Exchange | undefined;
  #earlyCommit: Uint8Array | undefined;
  #failure: Failure<ZrtpReason> | undefined;
  #outcome: ZrtpOutcome | undefined;
  #association: Association | undefined;

  constructor(options: ZrtpMachineOptions, now: Instant) {
    const { crypto, entropy } = options;
    const algorithms = available(crypto, { ...defaultAlgorithms, ...options.algorithms });
    checkOptions(options, algorithms);
    this.#options = options;
    this.#ours = ourSide(options, algorithms);
    this.helloHash = hashOfHello(crypto, this.#ours.hello);
    const drawn = entropy.fill(new Uint8Array(6));
    this.ssrc = options.ssrc ?? ((drawn[2]! << 24) | (drawn[3]! << 16) | (drawn[4]! << 8) | drawn[5]!) >>> 0;
    this.#outbox = new Outbox(this.ssrc, (drawn[0]! << 8) | drawn[1]!);
    this.#remote = options.remote;
    this.#answers = new TokenBucket(answersPerSecond, answerBurst, now);
  }

  /** Where the peer is, as far as it is known. */
  get remote(): SocketAddress | undefined {
    return this.#remote;
  }

  get isSecure(): boolean {
    return this.#phase === "secure";
  }

  /** Shared by the streams of the call, once it is secure. */
  get association(): Association | undefined {
    return this.#ours.association ?? this.#association;
  }

  /**
   * PSKE: a key derived from the one that this call exports (§4.5.2); by default it is bound to all that was said. Undefined before
   * it is secure, in further streams, and for more bytes than the negotiated hash has.
   */
  exportKey(label: string, size: number, context?: Uint8Array): Uint8Array | undefined {
    const exchange = this.#exchange;
    const exported = exchange?.keys?.first?.exported;
    if (this.#phase !== "secure" || exported === undefined || !(size >= 1 && size <= exchange!.hash!.size))
      return undefined;
    return kdf(exchange!.hash!, exported.expose(), label, context ?? exchange!.keys!.context, size);
  }

  handle(input: ZrtpInput | DatagramInput | Answer | Wake, now: Instant): void {
    if (this.#phase === "over") return;
    switch (input.kind) {
      case "opened":
        if (this.#phase !== "idle") return;
        this.#phase = "discovery";
        if (this.#options.waits !== true) this.#sayHello(now);
        return;
      case "datagrams": {
        const { bytes, segmentSize } = input;
        const step = segmentSize > 0 ? segmentSize : bytes.length;
        this.#from = input.from;
        for (let at = 0; at < bytes.length && !this.#isOver(); at += step) {
          this.#packet(bytes.subarray(at, Math.min(at + step, bytes.length)), now);
        }
        return;
      }
      case "answer":
        return void this.#answerCame(input, now);
      case "wake":
        return void this.#wake(now);
      case "media":
        if (this.#phase === "acknowledging") this.#becomeSecure(now);
        return;
      case "compared":
        return void this.#compared(input.same, now);
      case "enroll":
        return void this.#enroll();
      case "close":
        return void this.#close();
      case "abort":
        if (this.#phase === "failing") return void this.#over();
        return void this.#end();
      case "closed":
        if (this.#phase === "secure") return void this.#end();
        if (this.#phase === "failing") return void this.#over();
        return void this.#fail(failure("closed", "the port is gone"), now, false);
    }
  }

  transmit(into: Uint8Array): Transmit | undefined {
    return this.#outbox.transmit(into);
  }

  event(): ZrtpEvent | undefined {
    return this.#events.shift();
  }

  deadline(): Instant | undefined {
    const hello = earliest(this.#hello?.at, this.#current?.at);
    return earliest(earliest(hello, this.#patience), this.#heldError?.until);
  }

  // --- Discovery, RFC 6189 §4.1

  #sayHello(now: Instant): void {
    this.#hello = new Retry(this.#ours.hello, t1, now);
    this.#send(this.#ours.hello);
  }

  #packet(bytes: Uint8Array, now: Instant): void {
    const packet = openPacket(bytes);
    if (typeof packet === "string") return void this.#drop(packet);
    const { message, ssrc } = packet;
    const type = typeOf(message);
    if (type === undefined) return void this.#drop("malformed");
    if (this.#phase === "idle") return void this.#drop("unexpected");
    if (type === "Hello") return void this.#helloCame(message, ssrc, now);
    if (type === "Ping") return void this.#pinged(message, ssrc, now);
    if (this.#peer !== undefined ? ssrc !== this.#peerSsrc : !this.#isFromPeer())
      return void this.#drop("unknown-source");
    if (type === "HelloACK") return void this.#helloAckCame(now);
    if (this.#peer === undefined) return void this.#drop("unexpected");
    const repeated = this.#answered.find((each) => equal(each.message, message));
    if (repeated !== undefined) return void this.#answerAgain(repeated.answer, now);
    this.#message(type, message, now);
  }

  #helloCame(message: Uint8Array, ssrc: number, now: Instant): void {
    if (!this.#isFromPeer()) return void this.#drop("unknown-source");
    const { crypto, zid } = this.#ours;
    const { signalled } = this.#options;
    if (signalled !== undefined && !isHello(crypto, message, signalled)) return void this.#drop("not-signalled");
    const isKnown = this.#peer !== undefined && equal(this.#peer.message, message);
    if (!isKnown && this.#phase !== "discovery") return void this.#drop("unexpected");
    // §5.3: whatever the version is.
    this.#send(this.#helloAck, this.#from);
    if (isKnown) return;
    const named = versionOf(message);
    const order = named === undefined ? 0 : compareVersion(named);
    if (order !== 0) return void this.#otherVersion(order);
    const copy = message.slice();
    const hello = decodeHello(copy);
    if (hello === undefined) return void this.#drop("malformed");
    if (++this.#hellos > hellosMax) return void this.#drop("unexpected");
    if (equal(hello.zid, zid)) {
      return void this.#fail(
        failure("equal-zids", "the peer has our own ZID: our packets come back, or it copied us"),
        now,
      );
    }
    if (ssrc === this.ssrc) return void this.#fail(failure("ssrc-collision", "the peer's stream has our SSRC"), now);
    const { association } = this.#ours;
    // §4.4.3: all streams of a call are with the same endpoint.
    if (association !== undefined && !association.isWith(hello.zid)) return void this.#drop("unknown-source");
    this.#meet({ message: copy, hello }, ssrc, now);
  }

  /** §4.1.1: a higher version is ignored, for its sender will come down. A lower one is told that it is too old. */
  #otherVersion(order: number): void {
    this.#drop("unsupported-version");
    if (order > 0 || this.#peer !== undefined || this.#isTooOld) return;
    this.#isTooOld = true;
    this.#send(encodeError(codeOf("unsupported-version")!), this.#from);
  }

  #meet(peer: PeerHello, ssrc: number, now: Instant): void {
    const isFirst = this.#peer === undefined;
    this.#peer = peer;
    this.#peerSsrc = ssrc;
    this.#remote ??= this.#from && { ...this.#from };
    this.#patience = this.#ours.passive ? now + responderPatienceMs : undefined;
    if (this.#ours.passive && peer.hello.flags.passive) {
      return void this.#fail(failure("both-passive", "both sides wait for the other to begin"), now);
    }
    if (this.#hello === undefined) this.#sayHello(now);
    if (isFirst) this.#hello?.extend(helloTimesWithEvidence);
    this.#retained = undefined;
    if (this.#options.cached === true && this.#ours.association === undefined) {
      this.#ask("secrets");
      this.#events.push({
        kind: "question",
        id: this.#questions,
        question: { kind: "secrets", zid: peer.hello.zid.slice() },
      });
    } else this.#learn(undefined, now);
  }

  #ask(about: "secrets" | "words"): void {
    this.#asked = { id: ++this.#questions, about };
  }

  #answerCame({ id, answer }: Answer, now: Instant): void {
    if (this.#asked?.id !== id) return;
    const { about } = this.#asked;
    this.#asked = undefined;
    if (about === "secrets") this.#learn(isRetained(answer) ? answer : undefined, now);
    else if (typeof answer === "boolean") this.#compared(answer, now);
  }

  #learn(found: RetainedSecrets | undefined, now: Instant): void {
    if (this.#phase !== "discovery" || this.#peer === undefined) return;
    this.#retained = found;
    const known: KnownSecrets = {
      rs1: found?.rs1?.expose(),
      rs2: found?.rs2?.expose(),
      pbx: found?.pbx?.expose(),
      auxiliary: this.#options.auxiliary?.expose(),
    };
    this.#exchange?.destroy();
    this.#exchange = new Exchange(this.#ours, this.#peer, known, found?.verified ?? false);
    const early = this.#earlyCommit;
    this.#earlyCommit = undefined;
    if (early !== undefined) this.#commitCame(early, now);
    this.#begin(now);
  }

  #helloAckCame(now: Instant): void {
    if (this.#phase !== "discovery") return void this.#drop("unexpected");
    this.#isHelloAcked = true;
    this.#hello?.stop();
    if (this.#peer === undefined) this.#patience ??= now + responderPatienceMs;
    this.#begin(now);
  }

  /** §5.4: a Commit comes after a Hello and a HelloACK. */
  #begin(now: Instant): void {
    if (this.#phase !== "discovery" || !this.#isHelloAcked || this.#exchange === undefined || this.#ours.passive)
      return;
    this.#committed(this.#exchange.begin(), now);
  }

  #committed(commit: Uint8Array | Failure<ZrtpReason>, now: Instant): void {
    if (commit instanceof Failure) return void this.#fail(commit, now);
    this.#phase = "committed";
    this.#insist(commit, now);
  }

  #pinged(message: Uint8Array, ssrc: number, now: Instant): void {
    const ping = decodePing(message);
    if (ping === undefined) return void this.#drop("malformed");
    if (!this.#isFromPeer()) return void this.#drop("unknown-source");
    if (!this.#answers.take(now)) return void this.#drop("rate-limited");
    this.#send(encodePingAck(this.#ours.zid, ping, ssrc), this.#from);
  }

  // --- The key agreement, §4.4 and §4.6

  #message(type: MessageType, message: Uint8Array, now: Instant): void {
    if (type === "Error") return void this.#errorCame(message, now);
    switch (`${this.#phase} ${type}` as const) {
      case "discovery Commit":
      case "committed Commit":
        return void this.#commitCame(message, now);
      case "committed DHPart1":
        if (this.#exchange!.row!.kind !== "dh") return void this.#drop("unexpected");
        return void this.#stepped(message, this.#exchange!.dhPart1Received(message), "agreed", now);
      case "answered DHPart2":
        return void this.#stepped(
          message,
          this.#exchange!.dhPart2Received(message, this.#flags, this.#expiration),
          "confirming",
          now,
        );
      case "committed Confirm1":
        if (this.#exchange!.row!.kind === "dh") return void this.#drop("unexpected");
        return void this.#confirmCame(message, this.#exchange!.confirm1Received(message), now);
      case "agreed Confirm1":
      case "confirming Confirm2":
        return void this.#confirmCame(message, this.#exchange!.confirmReceived(message), now);
      case "acknowledging Conf2ACK":
        return void (isBare(message) ? this.#becomeSecure(now) : this.#drop("malformed"));
      case "failing ErrorACK":
        return void (isBare(message) ? this.#over() : this.#drop("malformed"));
      case "secure GoClear":
        return void this.#clearAsked(message);
      case "secure SASrelay":
        return void this.#relayed(message);
      default:
        return void this.#drop("unexpected");
    }
  }

  #commitCame(message: Uint8Array, now: Instant): void {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      // The retained secrets are still being looked up.
      this.#earlyCommit = message.slice();
      return;
    }
    if (this.#phase === "committed") {
      if (!exchange.isOfPeer(message)) return void this.#drop("bad-hash-chain");
      const yields = exchange.yieldsTo(message, false);
      if (yields instanceof Failure) return void this.#fail(yields, now);
      if (!yields) return void this.#drop("unexpected");
    }
    const step = exchange.commitReceived(message, this.#flags, this.#expiration);
    if (step instanceof Uint8Array && exchange.role === "initiator") {
      this.#proved();
      return void this.#committed(step, now);
    }
    this.#stepped(message, step, exchange.row?.kind === "dh" ? "answered" : "confirming", now);
  }

  /** What became of a message of the exchange: the answer goes out, and the next one is awaited. */
  #stepped(message: Uint8Array, step: Step, next: Phase, now: Instant): void {
    if (typeof step === "string") return void this.#drop(step);
    if (step instanceof Failure) return void this.#fail(step, now);
    this.#proved();
    this.#phase = next;
    if (this.#exchange!.role === "initiator") return void this.#insist(step, now);
    this.#current = undefined;
    this.#hello?.stop();
    this.#patience = now + responderPatienceMs;
    this.#answered.push({ message: message.slice(), answer: step });
    this.#send(step);
  }

  #confirmCame(message: Uint8Array, wrong: DropReason | Failure<ZrtpReason> | undefined, now: Instant): void {
    if (typeof wrong === "string") return void this.#drop(wrong);
    if (wrong instanceof Failure) return void this.#fail(wrong, now);
    this.#proved();
    const exchange = this.#exchange!;
    this.#outcome = outcomeOf(exchange, this.#retained?.verified ?? false, this.#options.signalled !== undefined);
    if (this.#outcome.continuity === "mismatch" && this.#isAlarm(now) && this.#options.onMismatch === "refuse") {
      return void this.#fail(failure("cache-mismatch", cacheMismatch), now);
    }
    const role = exchange.role!;
    const { profile } = this.#outcome;
    const keys = [exchange.side(role).srtp, exchange.side(other(role)).srtp] as const;
    this.#events.push({ kind: "keys", profile, send: keys[0], receive: keys[1] });
    if (role === "initiator") {
      this.#phase = "acknowledging";
      return void this.#insist(exchange.confirm(this.#flags(), this.#expiration), now);
    }
    const acknowledgement = frame("Conf2ACK");
    this.#answered.push({ message: message.slice(), answer: acknowledgement });
    this.#send(acknowledgement);
    this.#becomeSecure(now);
  }

  #becomeSecure(now: Instant): void {
    this.#phase = "secure";
    this.#current = undefined;
    this.#patience = undefined;
    this.#heldError = undefined;
    const exchange = this.#exchange!;
    const outcome = this.#outcome!;
    const first = exchange.keys!.first;
    if (first !== undefined) {
      this.#association = new Association(this.#ours.zid, outcome.peerZid, exchange.choice!, first.session);
    }
    this.#events.push({ kind: "confirmed", outcome });
    const isMismatch = outcome.continuity === "mismatch" && this.#isAlarm(now);
    for (const [warning, message] of warningsOf(outcome, isMismatch)) this.#warn(warning, message);
    // §4.6.1.1: after a mismatch nothing is kept until the words were compared, unless signalling vouches for the exchange.
    if (first !== undefined && (!isMismatch || outcome.signalled)) this.#retain(outcome.verified, now);
    if (this.#options.asksWords === true && outcome.words !== undefined && !outcome.verified) {
      this.#ask("words");
      this.#events.push({
        kind: "question",
        id: this.#questions,
        question: { kind: "words", words: outcome.words, outcome },
      });
    }
  }

  /** §4.9: what has expired the peer may have forgotten. */
  #isAlarm(now: Instant): boolean {
    return this.#retained?.expiresAt === undefined || this.#retained.expiresAt > now;
  }

  #retain(verified: boolean, now: Instant): void {
    if (this.#options.cached !== true) return;
    const secrets = retained(this.#retained, this.#exchange!, verified, this.#expiration, now);
    if (secrets !== undefined) this.#events.push({ kind: "retain", zid: this.#outcome!.peerZid, secrets });
  }

  #compared(same: boolean, now: Instant): void {
    if (this.#phase !== "secure" || this.#exchange?.keys?.first === undefined) return;
    if (same) {
      this.#outcome = { ...this.#outcome!, verified: true };
      this.#events.push({ kind: "verified" });
      return void this.#retain(true, now);
    }
    if (this.#options.cached === true) {
      this.#events.push({ kind: "retain", zid: this.#outcome!.peerZid, secrets: undefined });
    }
    this.#fail(failure("words-differ", "the users read different words: somebody is in between"), now, false);
  }

  /** §7.3.1: never without the user's word. */
  #enroll(): void {
    const exchange = this.#exchange;
    const first = exchange?.keys?.first;
    if (this.#phase !== "secure" || first === undefined || !this.#outcome!.enrollment || this.#options.cached !== true)
      return;
    const pbx = pbxSecret(exchange!.hash!, first.session, exchange!.zids);
    const secrets = enrolled(this.#retained, first.retained, new Secret(pbx), this.#outcome!.verified);
    this.#events.push({ kind: "retain", zid: this.#outcome!.peerZid, secrets });
  }

  // --- What may come once it is secure

  /** GoClear would leave the call without protection: nobody is allowed it, and Confirm says so (§4.7.2). */
  #clearAsked(message: Uint8Array): void {
    const refused = clearRequest(this.#exchange!, message);
    if (refused !== undefined) return void this.#drop(refused);
    this.#warn("clear-refused", "the peer wanted to go on without protection");
    this.#send(encodeError(codeOf("clear-not-allowed")!));
  }

  /** §7.3: every authentic one is acknowledged, and shown only if it came from who was enrolled with. */
  #relayed(message: Uint8Array): void {
    const relay = relayedSas(this.#exchange!, this.#ours.crypto, message);
    if (typeof relay === "string") return void this.#drop(relay);
    this.#send(frame("RelayACK"));
    const isTrusted = this.#outcome!.peerFlags.mitm && this.#outcome!.pbx === "matched";
    if (!isTrusted || relay.words === undefined)
      return void this.#warn("untrusted-relay", "somebody relayed words who is not trusted to");
    if (++this.#relays <= relaysMax) this.#events.push({ kind: "relayed", words: relay.words, flags: relay.flags });
  }

  // --- Errors and the end, §4.7

  #errorCame(message: Uint8Array, now: Instant): void {
    const code = decodeError(message);
    if (code === undefined) return void this.#drop("malformed");
    if (this.#phase === "discovery" && this.#exchange === undefined) return void this.#drop("unexpected");
    this.#send(frame("ErrorACK"), this.#from);
    // Once it is secure nothing unauthenticated ends it.
    if (this.#phase === "secure") return void this.#drop("unexpected");
    if (this.#phase === "failing") return void this.#over();
    this.#heldError ??= { code, until: now + errorHoldMs };
  }

  /** The peer has shown by the hash chain that it goes on: an Error in its name was not its own. */
  #proved(): void {
    if (this.#heldError !== undefined) this.#drop("forged-error");
    this.#heldError = undefined;
    this.#follow();
  }

  /** What proved itself came from where the peer is now. */
  #follow(): void {
    const from = this.#from;
    if (from === undefined) return;
    if (this.#remote?.port !== from.port || this.#remote.address !== from.address) this.#remote = { ...from };
  }

  #fail(reason: Failure<ZrtpReason>, now: Instant, tell = true): void {
    this.#forget();
    this.#failure = reason;
    if (!tell || reason.code === undefined || this.#peer === undefined) return void this.#over();
    this.#phase = "failing";
    this.#events.push({ kind: "ending", failure: reason });
    this.#insist(encodeError(reason.code), now);
  }

  #over(): void {
    this.#phase = "over";
    this.#current = undefined;
    this.#events.push({ kind: "failed", failure: this.#failure! });
  }

  #close(): void {
    if (this.#phase === "secure" || this.#phase === "idle") return void this.#end();
    if (this.#phase === "failing") return void this.#over();
    this.#forget();
    this.#failure = failure("closed", "the session was closed before it had keys");
    if (this.#peer !== undefined) this.#send(encodeError(this.#failure.code!));
    this.#over();
  }

  /** §4.7.3: everything but what is retained is destroyed. */
  #end(): void {
    this.#forget();
    this.#phase = "over";
    this.#events.push({ kind: "ended" });
  }

  #forget(): void {
    this.#hello = undefined;
    this.#current = undefined;
    this.#patience = undefined;
    this.#heldError = undefined;
    this.#asked = undefined;
    this.#answered.length = 0;
    const exchange = this.#exchange;
    exchange?.destroy();
    for (const role of ["initiator", "responder"] as const) {
      const keys = exchange?.keys?.sides[role];
      keys?.mac.wipe();
      keys?.zrtp.wipe();
    }
    const first = exchange?.keys?.first;
    first?.exported.wipe();
    first?.retained.wipe();
    first?.session.wipe();
    this.#association?.destroy();
    this.#exchange = undefined;
  }

  // --- Timers, §6

  #wake(now: Instant): void {
    if (this.#heldError !== undefined && this.#heldError.until <= now) {
      this.#failure = failureOfCode(this.#heldError.code);
      this.#forget();
      return void this.#over();
    }
    this.#again(this.#hello, now);
    if (this.#isOver()) return;
    this.#again(this.#current, now);
    if (this.#patience !== undefined && this.#patience <= now && !this.#isOver()) {
      this.#patience = undefined;
      this.#fail(failure("timeout", "the peer fell silent in the middle of the key agreement"), now);
    }
  }

  #again(retry: Retry | undefined, now: Instant): void {
    const due = retry?.due(now);
    if (due === "send") this.#send(retry!.message);
    if (due !== "give-up") return;
    if (this.#phase === "failing") return void this.#over();
    if (retry === this.#current) {
      const isForged = this.drops["bad-confirm-mac"] > 0 && this.#phase === "agreed";
      return void this.#fail(
        isForged
          ? failure("bad-confirm", "the peer's Confirm1 is not under our keys: somebody is in between")
          : failure("timeout", "the peer does not answer any more"),
        now,
      );
    }
    // §6: a late Commit of a peer that is there is still awaited.
    if (this.#peer !== undefined) this.#patience = now + responderPatienceMs;
    else if (this.#isTooOld)
      this.#fail(failure("unsupported-version", "the peer speaks an older ZRTP than 1.10", { at: "Hello" }), now);
    else this.#fail(failure("no-answer", "nobody answered with ZRTP"), now);
  }

  /** Sends, and sends again until the answer comes. */
  #insist(message: Uint8Array, now: Instant): void {
    this.#hello?.stop();
    this.#patience = undefined;
    this.#current = new Retry(message, t2, now);
    this.#send(message);
  }

  #answerAgain(answer: Uint8Array, now: Instant): void {
    if (!this.#answers.take(now)) return void this.#drop("rate-limited");
    if (this.#phase === "secure") return void this.#send(answer, this.#from);
    this.#follow();
    this.#patience = now + responderPatienceMs;
    this.#send(answer);
  }

  #send(message: Uint8Array, to = this.#remote): void {
    if (!this.#outbox.add(message, to)) this.#drop("queue-full");
  }

  /** Before anything was proved, an address is all there is to go by. */
  #isFromPeer(): boolean {
    const remote = this.#remote;
    if (remote === undefined) return true;
    return this.#from !== undefined && remote.port === this.#from.port && remote.address === this.#from.address;
  }

  /** For our Confirm, once it is known what we share: V tells of the earlier session that this one continues (§7.1). */
  readonly #flags = (): ConfirmFlags => {
    const isContinuous = this.#exchange?.shared.s1 !== undefined;
    const verified = (this.#retained?.verified ?? false) && isContinuous;
    return { enrollment: false, verified, allowClear: false, disclosure: false };
  };

  /** §4.9: without a cache 0; of a further stream for ever, for it means nothing there. */
  get #expiration(): number {
    if (this.#ours.association !== undefined) return forever;
    return this.#options.cached === true ? (this.#options.expirationSeconds ?? forever) : 0;
  }

  #warn(warning: ZrtpWarning, message: string): void {
    if (this.#warned.has(warning)) return;
    this.#warned.add(warning);
    this.#events.push({ kind: "warning", warning, message });
  }

  #drop(reason: DropReason): void {
    this.drops[reason]++;
  }

  #isOver(): boolean {
    return this.#phase === "over";
  }
}

import { fromUtf8, toBase64 } from "../../bytes/index.js";
import {
  type Answer,
  type DatagramInput,
  type Datagrams,
  earliest,
  Failure,
  type Instant,
  type Machine,
  Secret,
  type SocketAddress,
  type Transmit,
  type Wake,
} from "../../contract/index.js";
import { innerLength } from "../../mechanisms/ip-packet.js";
import { Inbound } from "../../mechanisms/packets/inbound.js";
import { Staged } from "../../mechanisms/packets/staged.js";
import { type TlsOutcome, tlsClient } from "../tls/index.js";
import { chosenCipher, ownExchange, type Token } from "./client-exchange.js";
import { messages, printable, type Verbs } from "./client-messages.js";
import type {
  OpenVpnClientConfig,
  OpenVpnClientEvent,
  OpenVpnClientInput,
  OpenVpnStatus,
  OpenVpnTransport,
} from "./client-options.js";
import { type Inside, newInside } from "./config/inside.js";
import { isPushReply, PushReply } from "./config/push.js";
import { framings, type Span } from "./data/framing.js";
import { Batch, sealAt } from "./data/outbound.js";
import { exitPayload, pingPayload, specialPayload } from "./data/payloads.js";
import { type DropCounts, type DropReason, failure, noDrops, type OpenVpnFailure } from "./failure.js";
import {
  batchPacketsMax,
  handshakeWindowMs,
  pushRequestMs,
  pushWindowMs,
  renegotiateAfterMs,
  serverPollMs,
  stagedPacketsMax,
  transitionWindowMs,
  tunMtuDefault,
} from "./limits.js";
import { Liveness } from "./liveness.js";
import { Remotes } from "./remotes.js";
import { Session } from "./session.js";
import { isControl, isData, opcodeOf } from "./wire/opcodes.js";

type State = "idle" | "connecting" | "handshaking" | "configuring" | "up" | "waiting" | "over";

/** An OpenVPN client: one tunnel to one of several servers, over datagrams or framed streams, offering IP packets. */
export class OpenVpnClient implements Machine<OpenVpnClientInput | DatagramInput | Answer, OpenVpnClientEvent> {
  readonly mtu: number;
  readonly drops: DropCounts = noDrops();
  readonly #config: OpenVpnClientConfig;
  readonly #source: Staged;
  readonly #remotes: Remotes;
  readonly #liveness = new Liveness();
  #state: State = "idle";
  #session: Session | undefined;
  /** A session that is over and still has something to say: an alert, a goodbye. */
  #leaving: Session | undefined;
  #leavingPacket: Uint8Array | undefined;
  #address: SocketAddress | undefined;
  #transport: OpenVpnTransport = "udp";
  #batch: Batch;
  #push = new PushReply();
  #inside: Inside | undefined;
  #framing = framings.none as (typeof framings)[keyof typeof framings];
  #token: Token | undefined;
  /** Challenges by the numbers under which they were asked: below zero, where no session's questions are. */
  readonly #challenges = new Map<number, { readonly user: string; readonly state: string } | undefined>();
  #lastChallenge = 0;
  #cipher: string | undefined;
  #outcome: TlsOutcome | undefined;
  #handshakes = 0;
  #lastHandshakeAt: Instant | undefined;
  #bytesSent = 0;
  #bytesReceived = 0;
  #packetsSent = 0;
  #packetsReceived = 0;

  /** When the input came that is being worked on. */
  #now: Instant = 0;
  #until: Instant | undefined;
  #pushAt: Instant | undefined;

  readonly #events: OpenVpnClientEvent[] = [];
  readonly #span: Span = { at: 0, size: 0 };
  readonly #transmitted: { -readonly [K in keyof Transmit]: Transmit[K] } = { size: 0 };
  readonly #inbound = new Inbound(batchPacketsMax);

  constructor(config: OpenVpnClientConfig) {
    this.#config = config;
    this.mtu = config.mtu ?? tunMtuDefault;
    this.#source = new Staged(config.source, stagedPacketsMax);
    this.#batch = new Batch(this.mtu);
    this.#remotes = new Remotes(config);
  }

  handle(input: OpenVpnClientInput | DatagramInput | Answer | Wake, now: Instant): void {
    if (this.#state === "over") return;
    this.#now = now;
    switch (input.kind) {
      case "datagrams":
        this.#datagrams(input, now);
        break;
      case "packet":
        if (input.bytes.length > this.mtu) this.#drop("too-big");
        else if (!this.#source.push(input.bytes)) this.#drop("queue-full");
        break;
      case "wake":
        this.#wake(now);
        break;
      case "answer":
        if (input.id < 0) this.#answered(input, now);
        else this.#session?.answer(input, now);
        this.#hear(now);
        break;
      case "opened":
        if (this.#state === "idle") this.#connectNext(now);
        break;
      case "connected":
        if (this.#state === "connecting") this.#begin(input.to, input.transport, now);
        break;
      case "lost":
        this.#restart(input.failure ?? failure("transport-lost", "the connection to the server is gone"), now);
        break;
      case "restart":
        this.#restart(failure("closed-locally", "a restart was asked for"), now);
        break;
      case "renegotiate":
        this.#session?.renegotiate(now);
        break;
      case "close":
        this.#goodbye(now);
        break;
      case "closed":
        this.#end();
        break;
    }
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    const last = this.#leaving?.transmit(now) ?? this.#leavingPacket;
    if (last !== undefined) {
      if (last === this.#leavingPacket) this.#leavingPacket = undefined;
      return this.#out(into, last);
    }
    this.#leaving?.destroy();
    this.#leaving = undefined;
    const session = this.#session;
    if (this.#state === "over" || session === undefined || this.#address === undefined) return undefined;
    const control = session.transmit(now);
    if (control !== undefined) {
      this.#liveness.sent(now);
      // What TLS told while it was moved on.
      this.#hear(now);
      return this.#out(into, control);
    }
    if (this.#state !== "up") return undefined;
    const keys = session.sendKeys(now);
    if (keys === undefined) return undefined;
    if (this.#liveness.isPingDue) {
      this.#liveness.isPingDue = false;
      this.#liveness.sent(now);
      const at = keys.head + this.#framing.head;
      into.set(pingPayload, at);
      return this.#sized(sealAt(keys, this.#framing, into, 0, pingPayload.length, this.#span));
    }
    const out = this.#batch.transmit(this.#source, keys, this.#framing, into, this.#address, now, this.#sealed);
    if (out !== undefined) {
      this.#liveness.sent(now);
      session.afterTraffic(now);
    }
    return out;
  }

  event(): OpenVpnClientEvent | undefined {
    const event = this.#events.shift();
    this.#inbound.taken(event);
    return event;
  }

  deadline(): Instant | undefined {
    if (this.#state === "over") return undefined;
    const at = earliest(this.#until, earliest(this.#pushAt, this.#session?.deadline()));
    const inside = this.#state === "up" ? this.#inside : undefined;
    return inside === undefined ? at : earliest(at, this.#liveness.deadline(inside));
  }

  get status(): OpenVpnStatus {
    return {
      remote: this.#address,
      isUp: this.#state === "up",
      peer: this.#outcome?.peer,
      cipher: this.#cipher,
      lastHandshakeAt: this.#lastHandshakeAt,
      handshakes: this.#handshakes,
      bytesSent: this.#bytesSent,
      bytesReceived: this.#bytesReceived,
      packetsSent: this.#packetsSent,
      packetsReceived: this.#packetsReceived,
    };
  }

  /** Keying material bound to the TLS session in use (PSKE); undefined while there is none. */
  exportKey(label: string, length: number, context?: Uint8Array): Uint8Array | undefined {
    return this.#session?.exportKey(label, length, context);
  }

  // ── remotes ────────────────────────────────────────────────────────────────────────────────────────────────────

  #connectNext(now: Instant): void {
    this.#connect(this.#remotes.next(), now);
  }

  #connect(remote: number, now: Instant): void {
    this.#trace("connecting", { remote });
    this.#state = "connecting";
    this.#until = now + (this.#config.serverPollMs ?? serverPollMs);
    this.#events.push({ kind: "connect", remote });
  }

  #begin(to: SocketAddress, transport: OpenVpnTransport, now: Instant): void {
    const config = this.#config;
    this.#address = { ...to };
    this.#transport = transport;
    this.#batch = new Batch(this.mtu, transport === "tcp" ? 1 : batchPacketsMax);
    this.#trace("session_started", { transport });
    this.#state = "handshaking";
    this.#until = undefined;
    this.#push = new PushReply();
    this.#inside = undefined;
    this.#framing = framings.none;
    const { crypto, entropy } = config;
    const window = config.handshakeWindowMs ?? handshakeWindowMs;
    this.#session = new Session(
      {
        crypto,
        entropy,
        role: "client",
        control: config.control ?? { kind: "none" },
        tls: () => tlsClient({ crypto, entropy }, { handshakeTimeoutMs: window, ...config.tls }),
        exchange: () => this.#exchange(),
        renewal: { afterMs: renegotiateAfterMs, bytes: 0, packets: 0, ...config.renewal },
        handshakeWindowMs: window,
        transitionWindowMs: config.transitionWindowMs ?? transitionWindowMs,
      },
      now,
    );
    this.#liveness.received(now);
    this.#liveness.sent(now);
  }

  /** The session is over: the next remote, at once while there are others, after a pause when all have been tried. */
  #restart(reason: OpenVpnFailure, now: Instant): void {
    if (this.#state === "over" || this.#state === "waiting") return;
    this.#leave();
    const afterMs = this.#remotes.pauseAfter(reason, this.#state === "up");
    if (afterMs === undefined) {
      this.#fail(reason);
      return;
    }
    this.#state = "waiting";
    this.#until = now + afterMs;
    this.#trace("restarting", { reason: reason.reason, afterMs });
    this.#events.push({ kind: "restarting", failure: reason, afterMs });
  }

  #leave(): void {
    this.#leaving?.destroy();
    this.#leaving = this.#session;
    this.#session = undefined;
    this.#pushAt = undefined;
    this.#liveness.isPingDue = false;
    this.#batch.clear();
  }

  #fail(reason: OpenVpnFailure): void {
    if (this.#session !== undefined) this.#leave();
    this.#state = "over";
    this.#until = undefined;
    this.#trace("failed", { reason: reason.reason, fault: reason.fault, at: reason.at });
    this.#events.push({ kind: "failed", failure: reason });
  }

  #end(): void {
    this.#session?.destroy();
    this.#leaving?.destroy();
    this.#session = undefined;
    this.#leaving = undefined;
    this.#leavingPacket = undefined;
    this.#state = "over";
  }

  /** Tells the server that we go, if the file or the server wants that, and ends. */
  #goodbye(now: Instant): void {
    const session = this.#session;
    const isTold = this.#state === "up" && session !== undefined && this.#transport === "udp";
    if (isTold && this.#inside?.controlExit) session.message("EXIT", now);
    else if (isTold && this.#inside?.explicitExitNotify) {
      const keys = session.sendKeys(now);
      if (keys !== undefined) {
        const packet = new Uint8Array(keys.head + this.#framing.head + exitPayload.length + keys.tail + 1);
        packet.set(exitPayload, keys.head + this.#framing.head);
        const size = sealAt(keys, this.#framing, packet, 0, exitPayload.length, this.#span);
        this.#leavingPacket = packet.subarray(0, size);
      }
    }
    this.#leave();
    this.#state = "over";
    this.#until = undefined;
  }

  // ── what comes in ──────────────────────────────────────────────────────────────────────────────────────────────

  #datagrams(input: Datagrams, now: Instant): void {
    const { bytes, segmentSize, from } = input;
    const session = this.#session;
    if (session === undefined) return;
    if (from.port !== this.#address?.port || from.address !== this.#address.address) {
      this.#drop("wrong-source");
      return;
    }
    for (let at = 0; at < bytes.length; at += segmentSize) {
      const size = Math.min(segmentSize, bytes.length - at);
      if (size === 0) break;
      const opcode = opcodeOf(bytes[at]!);
      if (isData(opcode)) this.#data(session, bytes, at, size, now);
      else if (isControl(opcode)) {
        const dropped = session.receive(bytes.slice(at, at + size), now);
        if (dropped !== undefined) this.#drop(dropped);
        else this.#liveness.received(now);
        this.#hear(now);
      } else this.#drop("unknown-opcode");
      // A message may have ended the session.
      if (session !== this.#session) return;
    }
  }

  #data(session: Session, bytes: Uint8Array, at: number, size: number, now: Instant): void {
    if (this.#state !== "up") {
      this.#drop("no-keys");
      return;
    }
    const span = this.#span;
    const dropped = session.open(bytes, at, size, span);
    if (dropped !== undefined) {
      this.#drop(dropped);
      return;
    }
    this.#liveness.received(now);
    if (!this.#framing.unwrap(bytes, span)) {
      this.#drop("compressed");
      return;
    }
    const special = specialPayload(bytes, span.at, span.size);
    if (special === "exit") this.#restart(failure("exited-by-peer", "the server said goodbye", { byPeer: true }), now);
    if (special !== undefined) return;
    const length = innerLength(bytes, span.at, span.size);
    if (length === 0) {
      this.#drop("not-ip");
      return;
    }
    this.#packetsReceived++;
    this.#bytesReceived += length;
    this.#tell(bytes, span.at, length);
    session.afterTraffic(now);
  }

  #tell(bytes: Uint8Array, at: number, length: number): void {
    const event = this.#inbound.add(bytes, at, length);
    if (event !== undefined) this.#events.push(event);
  }

  // ── the session ────────────────────────────────────────────────────────────────────────────────────────────────

  #hear(now: Instant): void {
    for (let event = this.#session?.event(); event !== undefined; event = this.#session?.event()) {
      switch (event.kind) {
        case "question":
          this.#events.push(event);
          break;
        case "keyed":
          this.#trace("keys_negotiated", { isFirst: event.isFirst });
          this.#outcome = event.outcome;
          this.#handshakes++;
          this.#lastHandshakeAt = now;
          if (!event.isFirst) this.#events.push({ kind: "renewed", outcome: event.outcome });
          else {
            this.#state = "configuring";
            this.#until = now + pushWindowMs;
            this.#pushAt = now;
            this.#requestPush(now);
          }
          break;
        case "message":
          this.#message(event.text, now);
          break;
        case "ended":
          this.#restart(failure("exited-by-peer", "the server ended the session", { byPeer: true }), now);
          break;
        case "failed":
          this.#restart(event.failure, now);
          break;
      }
    }
  }

  #requestPush(now: Instant): void {
    if (this.#pushAt === undefined || now < this.#pushAt || this.#state !== "configuring") return;
    this.#pushAt = now + pushRequestMs;
    this.#session?.message("PUSH_REQUEST", now);
  }

  #message(text: string, now: Instant): void {
    if (isPushReply(text)) {
      this.#pushed(text, now);
      return;
    }
    const [word = ""] = text.split(",", 1);
    const rest = text.slice(word.length + 1);
    const of = messages[word];
    if (of !== undefined) of(this.#verbs, rest, now);
    else this.#events.push({ kind: "notice", text: printable(`the server said ${word}`) });
  }

  readonly #verbs: Verbs = {
    fail: (reason) => this.#fail(reason),
    restart: (reason, now) => this.#restart(reason, now),
    notice: (text) => void this.#events.push({ kind: "notice", text: printable(text) }),
    wait: (ms, now) => {
      if (this.#state === "configuring") this.#until = now + ms;
    },
    ask: (challenge, next) => {
      const id = --this.#lastChallenge;
      this.#challenges.set(id, next);
      this.#events.push({ kind: "question", id, question: { kind: "answer-challenge", ...challenge } });
      if (next === undefined) return;
      // The server is done with this session: the next one waits for the answer.
      this.#leave();
      this.#state = "waiting";
      this.#until = undefined;
    },
    forgetToken: () => {
      const had = this.#token !== undefined;
      this.#token = undefined;
      return had;
    },
  };

  #answered({ id, answer }: Answer, now: Instant): void {
    if (!this.#challenges.has(id)) return;
    const next = this.#challenges.get(id);
    this.#challenges.delete(id);
    if (!(answer instanceof Secret)) {
      this.#fail(failure("auth-failed", "the server's question was not answered", { at: "CR_TEXT" }));
      return;
    }
    if (next === undefined) {
      this.#session?.message(`CR_RESPONSE,${toBase64(answer.expose())}`, now);
      return;
    }
    if (this.#state !== "waiting") return;
    const { user, state } = next;
    this.#token = { user, password: `CRV1::${state}::${fromUtf8(answer.expose()) ?? ""}`, isOnce: true };
    this.#connect(this.#remotes.again(), now);
  }

  #pushed(text: string, now: Instant): void {
    if (this.#state !== "configuring") return;
    const whole = this.#push.add(text);
    if (whole === false) return;
    const config = this.#config;
    const applied = whole === true ? this.#push.apply(config.inside ?? newInside(), config.pullFilters ?? []) : whole;
    if (!("inside" in applied)) {
      this.#fail(applied);
      return;
    }
    const { inside, ignored } = applied;
    if (ignored.length > 0) {
      this.#events.push({ kind: "notice", text: printable(`pushed and passed over: ${ignored.join(", ")}`) });
    }
    const cipher = chosenCipher(config, inside.cipher);
    if (cipher instanceof Failure) {
      this.#fail(cipher);
      return;
    }
    if (inside.authToken !== undefined) {
      const user = inside.authTokenUser ?? config.credentials?.user;
      this.#token = { user, password: inside.authToken };
    }
    const { tlsExport, dynamicTlsCrypt, peerId } = inside;
    const { auth = "SHA-1", replayWindow } = config;
    this.#session!.agree({ cipher, auth, peerId, tlsExport, dynamicTlsCrypt, replayWindow }, now);
    this.#framing = framings[inside.framing];
    this.#inside = inside;
    this.#cipher = cipher.name;
    this.#state = "up";
    this.#remotes.reached();
    this.#until = undefined;
    this.#pushAt = undefined;
    this.#liveness.received(now);
    this.#trace("configured", { cipher: cipher.name, peerId, tlsExport, dynamicTlsCrypt, mtu: inside.mtu });
    this.#events.push({ kind: "up", inside, cipher: cipher.name, outcome: this.#outcome! });
  }

  #exchange() {
    const token = this.#token;
    if (token?.isOnce) this.#token = undefined;
    return ownExchange(this.#config, token, this.#transport, this.#address?.address.includes(":") ?? false);
  }

  // ── time, and what goes out ────────────────────────────────────────────────────────────────────────────────────

  #wake(now: Instant): void {
    this.#session?.wake(now);
    this.#hear(now);
    this.#requestPush(now);
    if (this.#until !== undefined && now >= this.#until) this.#timeIsUp(now);
    const inside = this.#state === "up" ? this.#inside : undefined;
    if (inside === undefined) return;
    const silence = this.#liveness.wake(inside, now);
    if (silence?.doing === "exit") this.#fail(silence.failure);
    else if (silence?.doing === "restart") this.#restart(silence.failure, now);
  }

  #timeIsUp(now: Instant): void {
    this.#until = undefined;
    if (this.#state === "waiting") this.#connectNext(now);
    else if (this.#state === "connecting") this.#restart(failure("no-remote", "the server could not be reached"), now);
    else if (this.#state === "configuring") {
      this.#restart(failure("handshake-timeout", "the server pushed no configuration", { at: "PUSH_REQUEST" }), now);
    }
  }

  readonly #sealed = (size: number): void => {
    this.#packetsSent++;
    this.#bytesSent += size;
  };

  #out(into: Uint8Array, packet: Uint8Array): Transmit {
    into.set(packet);
    return this.#sized(packet.length);
  }

  #sized(size: number): Transmit {
    const out = this.#transmitted;
    out.size = size;
    if (this.#address !== undefined) out.to = this.#address;
    return out;
  }

  #drop(reason: DropReason): void {
    this.drops[reason]++;
    if (this.#config.trace !== undefined) this.#trace("dropped", { reason });
  }

  #trace(name: string, data: Readonly<Record<string, unknown>>): void {
    this.#config.trace?.({ at: this.#now, protocol: "OpenVPN", name: `openvpn:${name}`, data });
  }
}

import {
  type Answer,
  type CryptoProvider,
  type DatagramInput,
  type Datagrams,
  type Entropy,
  earliest,
  type HashName,
  type Instant,
  type Machine,
  type PeerIdentity,
  type Question,
  type Secret,
  type SocketAddress,
  type Transmit,
  type Wake,
} from "../../contract/index.js";
import { innerLength } from "../../mechanisms/ip-packet.js";
import { Inbound } from "../../mechanisms/packets/inbound.js";
import { type PacketSource, Staged } from "../../mechanisms/packets/staged.js";
import { type TlsAsks, type TlsClientOptions, type TlsOutcome, tlsClient } from "../tls/index.js";
import { optionsString, passwordText } from "./client-exchange.js";
import { messages, printable, type Verbs } from "./client-messages.js";
import { type Inside, type InsideDraft, newInside } from "./config/inside.js";
import { isPushReply, type PullFilter, PushReply } from "./config/push.js";
import type { ControlKey } from "./control/wrap.js";
import { canCipher, dataCipher, defaultDataCiphers } from "./data/ciphers.js";
import { framings, type Span } from "./data/framing.js";
import { Batch, sealAt } from "./data/outbound.js";
import { exitPayload, pingPayload, specialPayload } from "./data/payloads.js";
import { type DropCounts, type DropReason, failure, noDrops, type OpenVpnFailure } from "./failure.js";
import { type KeyExchange, newKeyExchange, Proto } from "./key-exchange.js";
import {
  batchPacketsMax,
  handshakeWindowMs,
  pushRequestMs,
  pushWindowMs,
  renegotiateAfterMs,
  restartPauseMs,
  retryMaxMs,
  retryMs,
  serverPollMs,
  stagedPacketsMax,
  transitionWindowMs,
  tunMtuDefault,
} from "./limits.js";
import { type Renewal, Session } from "./session.js";
import { isControl, isData, opcodeOf } from "./wire/opcodes.js";

/** How a remote is reached; names and numbers are the host's business. */
export type OpenVpnTransport = "udp" | "tcp";

export interface Credentials {
  readonly user: string;
  readonly password: Secret;
  /** The answer to a static challenge, sent together with the password (SCRV1). */
  readonly response?: Secret;
}

export interface OpenVpnClientConfig {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  /** IPK, IV and the ALG of the control channel: identity, `verify`, versions. */
  readonly tls: TlsClientOptions;
  /** PSKI. Default: none. */
  readonly control?: ControlKey;
  /** ALG of the data channel, most wanted first. Default: AES-256-GCM, AES-128-GCM, CHACHA20-POLY1305. */
  readonly dataCiphers?: readonly string[];
  /** For servers that push no cipher: `--data-ciphers-fallback`. Default: none, so they are refused. */
  readonly fallbackCipher?: string;
  /** HMAC of ciphers that are no AEAD. Default SHA-1, as openvpn(8) has it. */
  readonly auth?: HashName;
  /** Data packets that may come late: `--replay-window`. Default 4064. */
  readonly replayWindow?: number;
  readonly credentials?: Credentials;
  /** Remotes to try, one after the other: the machine asks for them by number. */
  readonly remotes: number;
  /** What the file says of the inside; what the server pushes comes on top. */
  readonly inside?: InsideDraft;
  readonly pullFilters?: readonly PullFilter[];
  /** Lines beside our own in the peer information: `UV_NAME=value`. */
  readonly peerInfo?: readonly string[];
  /** Bits of IV_PROTO: what we say that we can do. Default: all that we can; less makes servers treat us as older. */
  readonly announce?: number;
  readonly renewal?: Partial<Renewal>;
  readonly handshakeWindowMs?: number;
  readonly transitionWindowMs?: number;
  /** A remote that was not reached is given up after so long. */
  readonly serverPollMs?: number;
  /** The first pause before all remotes are tried again, and the greatest. */
  readonly retryMs?: number;
  readonly retryMaxMs?: number;
  /** Rounds over all remotes before the first session; default 1. Afterwards it goes on for ever. */
  readonly roundsMax?: number;
  /** Largest inner packet. Default 1500. */
  readonly mtu?: number;
  /** Inner packets straight from a stack. */
  readonly source?: PacketSource;
}

export type OpenVpnClientInput =
  /** One inner IP packet to send, held until it is transmitted. */
  | { readonly kind: "packet"; readonly bytes: Uint8Array }
  /** The remote that was asked for is there: shake hands. */
  | { readonly kind: "connected"; readonly to: SocketAddress; readonly transport: OpenVpnTransport }
  /** It could not be reached, or broke off. */
  | { readonly kind: "lost"; readonly failure?: OpenVpnFailure | undefined }
  /** New keys now (beyond Table 1: KU). */
  | { readonly kind: "renegotiate" }
  /** Begin anew with the next remote. */
  | { readonly kind: "restart" }
  /** Tells the server and ends. */
  | { readonly kind: "close" };

export type OpenVpnClientEvent =
  | { readonly kind: "packets"; readonly bytes: Uint8Array; readonly ranges: Uint32Array; readonly count: number }
  /** Reach this remote; then `connected` or `lost`. What was connected before is over. */
  | { readonly kind: "connect"; readonly remote: number }
  /** The server answered, and wants to know who we are. */
  | { readonly kind: "up"; readonly inside: Inside; readonly cipher: string; readonly outcome: TlsOutcome }
  | { readonly kind: "renewed"; readonly outcome: TlsOutcome }
  /** The session is over and begins anew. */
  | { readonly kind: "restarting"; readonly failure: OpenVpnFailure; readonly afterMs: number }
  /** Something for people: AUTH_PENDING, INFO, options that were passed over. */
  | { readonly kind: "notice"; readonly text: string }
  | { readonly kind: "failed"; readonly failure: OpenVpnFailure }
  | Question<TlsAsks>;

export interface OpenVpnStatus {
  readonly remote: SocketAddress | undefined;
  readonly isUp: boolean;
  readonly peer: PeerIdentity | undefined;
  readonly cipher: string | undefined;
  readonly lastHandshakeAt: Instant | undefined;
  readonly handshakes: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
}

type State = "idle" | "connecting" | "handshaking" | "configuring" | "up" | "waiting" | "over";

const allOfProto = Object.values(Proto).reduce((all, bit) => all | bit, 0);

/** An OpenVPN client: one tunnel to one of several servers, over datagrams or framed streams, offering IP packets. */
export class OpenVpnClient implements Machine<OpenVpnClientInput | DatagramInput | Answer, OpenVpnClientEvent> {
  readonly mtu: number;
  readonly drops: DropCounts = noDrops();
  readonly #config: OpenVpnClientConfig;
  readonly #source: Staged;
  #pauseMs: number;
  #state: State = "idle";
  #session: Session | undefined;
  /** A session that is over and still has something to say: an alert, a goodbye. */
  #leaving: Session | undefined;
  #leavingPacket: Uint8Array | undefined;
  #remote = -1;
  #tried = 0;
  #rounds = 0;
  #wasUp = false;
  #address: SocketAddress | undefined;
  #transport: OpenVpnTransport = "udp";
  #batch: Batch;
  #push = new PushReply();
  #inside: Inside | undefined;
  #framing = framings.none as (typeof framings)[keyof typeof framings];
  #token: { readonly user: string | undefined; readonly password: string } | undefined;
  #cipher: string | undefined;
  #outcome: TlsOutcome | undefined;
  #handshakes = 0;
  #lastHandshakeAt: Instant | undefined;
  #bytesSent = 0;
  #bytesReceived = 0;
  #packetsSent = 0;
  #packetsReceived = 0;

  #until: Instant | undefined;
  #pushAt: Instant | undefined;
  #sentAt: Instant = 0;
  #receivedAt: Instant = 0;
  #pingDue = false;

  readonly #events: OpenVpnClientEvent[] = [];
  readonly #span: Span = { at: 0, size: 0 };
  readonly #transmitted: { -readonly [K in keyof Transmit]: Transmit[K] } = { size: 0 };
  readonly #inbound = new Inbound(batchPacketsMax);

  constructor(config: OpenVpnClientConfig) {
    this.#config = config;
    this.mtu = config.mtu ?? tunMtuDefault;
    this.#source = new Staged(config.source, stagedPacketsMax);
    this.#batch = new Batch(this.mtu);
    this.#pauseMs = config.retryMs ?? retryMs;
  }

  handle(input: OpenVpnClientInput | DatagramInput | Answer | Wake, now: Instant): void {
    if (this.#state === "over") return;
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
        this.#session?.answer(input, now);
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
      this.#sentAt = now;
      // What TLS told while it was moved on.
      this.#hear(now);
      return this.#out(into, control);
    }
    if (this.#state !== "up") return undefined;
    const keys = session.sendKeys(now);
    if (keys === undefined) return undefined;
    if (this.#pingDue) {
      this.#pingDue = false;
      this.#sentAt = now;
      const at = keys.head + this.#framing.head;
      into.set(pingPayload, at);
      return this.#sized(sealAt(keys, this.#framing, into, 0, pingPayload.length, this.#span));
    }
    const out = this.#batch.transmit(this.#source, keys, this.#framing, into, this.#address, now, this.#sealed);
    if (out !== undefined) {
      this.#sentAt = now;
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
    let at = earliest(this.#until, earliest(this.#pushAt, this.#session?.deadline()));
    const inside = this.#state === "up" ? this.#inside : undefined;
    if (inside !== undefined) {
      if (inside.pingMs > 0) at = earliest(at, this.#sentAt + inside.pingMs);
      if (inside.pingRestartMs > 0) at = earliest(at, this.#receivedAt + inside.pingRestartMs);
      if (inside.pingExitMs > 0) at = earliest(at, this.#receivedAt + inside.pingExitMs);
    }
    return at;
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
    this.#remote = (this.#remote + 1) % this.#config.remotes;
    this.#tried++;
    this.#state = "connecting";
    this.#until = now + (this.#config.serverPollMs ?? serverPollMs);
    this.#events.push({ kind: "connect", remote: this.#remote });
  }

  #begin(to: SocketAddress, transport: OpenVpnTransport, now: Instant): void {
    const config = this.#config;
    this.#address = { ...to };
    this.#transport = transport;
    this.#batch = new Batch(this.mtu, transport === "tcp" ? 1 : batchPacketsMax);
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
    this.#receivedAt = now;
    this.#sentAt = now;
  }

  /** The session is over: the next remote, at once while there are others, after a pause when all have been tried. */
  #restart(reason: OpenVpnFailure, now: Instant): void {
    if (this.#state === "over" || this.#state === "waiting") return;
    this.#leave();
    const isRound = this.#tried >= this.#config.remotes;
    if (isRound) {
      this.#tried = 0;
      this.#rounds++;
      if (!this.#wasUp && this.#rounds >= (this.#config.roundsMax ?? 1)) {
        this.#fail(reason);
        return;
      }
    }
    const isWelcome = reason.reason !== "restarted-by-peer" && reason.reason !== "exited-by-peer";
    const afterMs = Math.max(isRound || this.#state === "up" ? this.#pauseMs : 0, isWelcome ? 0 : restartPauseMs);
    if (isRound) this.#pauseMs = Math.min(2 * this.#pauseMs, this.#config.retryMaxMs ?? retryMaxMs);
    this.#state = "waiting";
    this.#until = now + afterMs;
    this.#events.push({ kind: "restarting", failure: reason, afterMs });
  }

  #leave(): void {
    this.#leaving?.destroy();
    this.#leaving = this.#session;
    this.#session = undefined;
    this.#pushAt = undefined;
    this.#pingDue = false;
    this.#batch.clear();
  }

  #fail(reason: OpenVpnFailure): void {
    if (this.#session !== undefined) this.#leave();
    this.#state = "over";
    this.#until = undefined;
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
        else this.#receivedAt = now;
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
    this.#receivedAt = now;
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
    forgetToken: () => {
      const had = this.#token !== undefined;
      this.#token = undefined;
      return had;
    },
  };

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
    const allowed = config.dataCiphers ?? defaultDataCiphers;
    const name = inside.cipher ?? config.fallbackCipher;
    const cipher = name === undefined ? undefined : dataCipher(name);
    const isAllowed = [...allowed, config.fallbackCipher].some((each) => each?.toUpperCase() === cipher?.name);
    if (cipher === undefined || !isAllowed || !canCipher(config.crypto, cipher)) {
      this.#fail(
        failure("no-common-cipher", `the server wants ${printable(name ?? "no cipher that it names")}`, {
          at: "cipher",
          hint: `allowed are ${allowed.join(", ")}: data-ciphers, or data-ciphers-fallback for old servers`,
        }),
      );
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
    this.#wasUp = true;
    this.#tried = 0;
    this.#pauseMs = config.retryMs ?? retryMs;
    this.#until = undefined;
    this.#pushAt = undefined;
    this.#receivedAt = now;
    this.#events.push({ kind: "up", inside, cipher: cipher.name, outcome: this.#outcome! });
  }

  /** Key method 2 of ours, with whom we are and what we know (wire document §6.7). */
  #exchange(): KeyExchange {
    const { entropy, credentials, peerInfo = [] } = this.#config;
    const ciphers = this.#config.dataCiphers ?? defaultDataCiphers;
    const proto = (this.#config.announce ?? allOfProto) & allOfProto;
    const lines = [
      "IV_VER=sealport",
      "IV_TCPNL=1",
      `IV_MTU=${tunMtuDefault}`,
      "IV_NCP=2",
      `IV_CIPHERS=${ciphers.join(":")}`,
      `IV_PROTO=${proto}`,
      ...peerInfo,
    ];
    const user = this.#token?.user ?? credentials?.user;
    return newKeyExchange(entropy, "client", {
      options: optionsString(this.#transport, this.#address?.address.includes(":") ?? false, ciphers[0] ?? "none"),
      user,
      password: this.#token?.password ?? (credentials && passwordText(credentials)),
      peerInfo: `${lines.join("\n")}\n`,
    });
  }

  // ── time, and what goes out ────────────────────────────────────────────────────────────────────────────────────

  #wake(now: Instant): void {
    this.#session?.wake(now);
    this.#hear(now);
    this.#requestPush(now);
    if (this.#until !== undefined && now >= this.#until) this.#timeIsUp(now);
    const inside = this.#state === "up" ? this.#inside : undefined;
    if (inside === undefined) return;
    const { pingMs, pingRestartMs, pingExitMs } = inside;
    if (pingMs > 0 && now >= this.#sentAt + pingMs) {
      this.#pingDue = true;
      this.#sentAt = now;
    }
    const silentMs = now - this.#receivedAt;
    const told = (ms: number) => failure("ping-timeout", `nothing was heard from the server for ${ms} ms`);
    if (pingExitMs > 0 && silentMs >= pingExitMs) this.#fail(told(pingExitMs));
    else if (pingRestartMs > 0 && silentMs >= pingRestartMs) this.#restart(told(pingRestartMs), now);
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
  }
}

import { fromUtf8 } from "../../../bytes/index.js";
import { type Answer, earliest, Failure, type Instant, type SocketAddress } from "../../../contract/index.js";
import { errorCodes, errorName, type GquicFailure, gquicFailure } from "../failure.js";
import { ClientHandshake } from "../handshake/client.js";
import type { HandshakeOutcome, HandshakeOutput } from "../handshake/handshake.js";
import type { KnownServer } from "../handshake/known-servers.js";
import { ServerHandshake } from "../handshake/server.js";
import { limits } from "../limits.js";
import type { GquicClientOptions, GquicServerOptions, ProofVerdict } from "../options.js";
import type { ConnectionEvent, ConnectionInput } from "../vocabulary.js";
import { Level, nonceSize } from "../wire/header.js";
import { u32At } from "../wire/numbers.js";
import { type Version, versionByCode } from "../wire/versions.js";
import { type Beginning, Core, Delivery, type Ground } from "./core.js";
import { CryptoSender, newReceivers } from "./crypto-stream.js";
import { Inbound, type InboundEvents } from "./inbound.js";
import { Outbound } from "./outbound.js";
import { Path, sameAddress } from "./path.js";

/** Questions of one connection have this many numbers; those of all connections of an endpoint are told apart. */
export const questionsPerConnection = 65_536;

/** What a client may send before the server has stated its limits: the least that anybody states. */
const earlyLimits = { connectionWindow: 16_384, streamWindow: 16_384, streams: 100 } as const;
/** How long a new place, or a claim that we are forgotten, is tried. */
const patienceTimeouts = 3;
const patienceMsMin = 1_000;
/** How long what is still on its way is awaited after the end, at most. */
const closingMsMax = 1_000;

/** Codes with which a peer ends what needs no more. */
const cleanCodes: ReadonlySet<number> = new Set([errorCodes.QUIC_NO_ERROR, errorCodes.QUIC_PEER_GOING_AWAY]);

/**
 * One connection: a router. Datagrams go to `Inbound`, which opens packets and hands their frames to the parts; `Outbound` makes
 * datagrams of what the parts have to say. Here is what is left: the handshake's outcome, the steps of a connection's life, its
 * timers, and the edge at which what a peer does wrong becomes one failure.
 */
export class Connection implements InboundEvents {
  readonly core: Core;
  readonly outbound: Outbound;
  readonly #inbound: Inbound;
  readonly #client: ClientHandshake | undefined;
  readonly #server: ServerHandshake | undefined;
  readonly #startedAt: Instant;
  /** Server: with many handshakes open, proof is shown to proved addresses alone. */
  isBusy = false;
  #questions = 0;
  #outcome: HandshakeOutcome | undefined;
  #negotiated = false;
  #isClosedTold = false;
  #isGoneTold = false;
  #suspectedUntil: Instant | undefined;
  #moving: { readonly back: Path; readonly until: Instant } | undefined;
  #hasNewKeys = false;

  constructor(ground: Ground, beginning: Beginning, known: KnownServer | undefined, now: Instant) {
    const delivery = new Delivery();
    const core = new Core(ground, beginning, delivery, now);
    delivery.core = core;
    this.core = core;
    this.#startedAt = now;
    this.#inbound = new Inbound(core, this);
    this.outbound = new Outbound(core);
    const { crypto, entropy, zlib, settings, options, server } = ground;
    if (server === undefined) {
      const { serverName } = options as GquicClientOptions;
      const own = { crypto, entropy, zlib, settings, serverName, cid: core.cid };
      this.#client = new ClientHandshake(own, core.version, known);
    } else {
      this.#server = new ServerHandshake(server, core.version, core.cid);
      this.#inbound.takesEarly = (options as GquicServerOptions).earlyData ?? true;
    }
  }

  get isGone(): boolean {
    return this.core.closing.state === "over";
  }

  start(now: Instant): void {
    this.#guard(now, () => {
      this.#client?.start(now);
      this.#pump(now);
    });
  }

  datagram(
    bytes: Uint8Array,
    from: number,
    end: number,
    local: SocketAddress,
    remote: SocketAddress,
    now: Instant,
  ): void {
    const { core } = this;
    if (core.closing.state === "draining" || this.isGone) return;
    core.closing.heard();
    if (!core.closing.isOpen) return;
    if (sameAddress(remote, core.path.remote)) core.path.bytesReceived += end - from;
    else if (core.isClient) {
      core.drop("elsewhere", now);
      return;
    }
    // For every datagram, and so without a closure.
    try {
      this.#inbound.datagram(bytes, from, end, local, remote, now);
      while (this.#hasNewKeys) {
        this.#hasNewKeys = false;
        this.#inbound.replay(now);
      }
    } catch (error) {
      this.#caught(error, now);
    }
  }

  answer({ answer }: Answer, now: Instant): void {
    this.#guard(now, () => {
      if (this.#client !== undefined) this.#client.judged(answer as ProofVerdict | undefined, now);
      else {
        for (const hello of this.#server!.signed(answer as Uint8Array | undefined))
          this.#hello(hello, Level.clear, now);
      }
      this.#pump(now);
    });
  }

  input(input: ConnectionInput, now: Instant): void {
    const { core } = this;
    if (!core.closing.isOpen) {
      if (input.kind === "stream-write") input.released?.();
      if (input.kind === "send-datagram") input.fate?.("expired");
      if (input.kind === "abort") core.closing.end(undefined);
      return;
    }
    const { streams } = core;
    switch (input.kind) {
      case "open-stream":
        streams.open(input.priority, input.early);
        break;
      case "stream-write":
        streams.write(input.stream, input.bytes, input.released);
        break;
      case "stream-finish":
        streams.finish(input.stream);
        break;
      case "stream-reset":
        streams.reset(input.stream, input.code);
        break;
      case "stream-stop":
        streams.stop(input.stream, input.code, now);
        break;
      case "stream-priority":
        streams.setPriority(input.stream, input.priority);
        break;
      case "stream-pause":
        streams.pause(input.stream);
        break;
      case "stream-resume":
        streams.resume(input.stream, now);
        break;
      case "send-datagram":
        core.messages.add(input.bytes, input.fate);
        break;
      case "close":
        this.#close(input.code, input.reason, undefined, now);
        break;
      case "abort":
        core.closing.end(undefined);
        break;
      case "refused":
        if (core.isClient && core.packetsReceived === 0) {
          core.closing.end(gquicFailure("connection-lost", "port", "nobody listens there", { cause: input.cause }));
        }
        break;
      case "ping":
        core.pingWanted = true;
        break;
      case "keep-alive":
        core.idle.keepAliveMs = input.ms;
        break;
      case "migrate":
        this.#migrate(input.local, now);
        break;
    }
  }

  transmit(into: Uint8Array, now: Instant): number {
    return this.outbound.transmit(into, now);
  }

  event(): ConnectionEvent | undefined {
    const { core } = this;
    const { number } = core;
    const event = core.events.shift();
    if (event !== undefined) return event;
    const told = core.streams.event();
    if (told !== undefined) {
      const early = told.kind === "opened" && core.earlyStreams.delete(told.id);
      return { kind: "stream", connection: number, event: told, early };
    }
    const fate = core.messages.next();
    if (fate !== undefined) return { kind: "fate", connection: number, ...fate };
    if (core.closing.isOpen) return undefined;
    if (!this.#isClosedTold) {
      this.#isClosedTold = true;
      const { failure } = core.closing;
      core.trace("connection_closed", this.#lastAt, { reason: failure?.reason ?? "clean" });
      core.streams.close();
      this.#client?.destroy();
      const last = core.streams.event();
      const closed = { kind: "closed", connection: number, failure } as const;
      if (last === undefined) return closed;
      // Writes are released before the end is told.
      core.emit({ kind: "stream", connection: number, event: last, early: false });
      for (let more = core.streams.event(); more !== undefined; more = core.streams.event()) {
        core.emit({ kind: "stream", connection: number, event: more, early: false });
      }
      core.emit(closed);
      return core.events.shift();
    }
    if (core.closing.state !== "over" || this.#isGoneTold) return undefined;
    this.#isGoneTold = true;
    core.keyring.destroy();
    return { kind: "gone", connection: number };
  }

  #lastAt: Instant = 0;

  deadline(now: Instant): Instant | undefined {
    const { core } = this;
    const { closing, recovery, received, idle, mtu, ground } = core;
    this.#lastAt = now;
    if (closing.state === "over") return undefined;
    if (!closing.isOpen) return closing.deadline();
    let at = earliest(recovery.deadline(), idle.deadline(core.ptoMs, core.isComplete));
    at = earliest(at, received.deadline());
    at = earliest(at, this.#suspectedUntil);
    at = earliest(at, this.#moving?.until);
    at = earliest(at, mtu.deadline());
    if (!core.isConfirmed) at = earliest(at, this.#startedAt + ground.settings.handshakeTimeoutMs);
    if (this.outbound.hasWaiting) at = earliest(at, recovery.paceAt(now));
    return at;
  }

  wake(now: Instant): void {
    this.#guard(now, () => this.#woken(now));
  }

  /** The port is gone: nothing can be said any more. */
  portGone(): void {
    this.core.closing.end(gquicFailure("connection-lost", "port", "the port below is gone"));
  }

  /** Server: somebody else needs the room. */
  evict(): void {
    this.core.closing.end(gquicFailure("handshake-timeout", "handshake", "too many handshakes are open"));
  }

  // What packets mean

  versionNegotiation(bytes: Uint8Array, at: number, end: number, now: Instant): void {
    const { core } = this;
    const isExpected = core.isClient && core.packetsReceived === 0 && !this.#negotiated && (end - at) % 4 === 0;
    const codes: number[] = [];
    for (let i = at; i + 4 <= end && codes.length < limits.versionsMax; i += 4) codes.push(u32At(bytes, i));
    if (!isExpected || codes.includes(core.version.code)) {
      core.drop("unexpected-version-negotiation", now);
      return;
    }
    const { versions } = core.ground.settings;
    const chosen = versions.find(({ code }) => codes.includes(code));
    if (chosen === undefined) {
      const names = codes.map((code) => versionByCode(code)?.name ?? `0x${code.toString(16)}`).join(", ");
      throw gquicFailure("no-common-version", "Version Negotiation", `the server has ${names || "none"}`);
    }
    this.#negotiated = true;
    core.trace("version_negotiated", now, { from: core.version.name, to: chosen.name });
    this.#restart(chosen, codes, now);
  }

  resetClaimed(now: Instant): void {
    const { core } = this;
    if (core.version.reset !== "public") return;
    // Anybody may say so: who is still there shows it by the answer to a PING.
    this.#suspectedUntil ??= now + Math.max(patienceMsMin, patienceTimeouts * core.ptoMs);
    core.pingWanted = true;
  }

  resetProved(now: Instant): void {
    const { core } = this;
    const failure = gquicFailure("stateless-reset", "packet", "the server does not know the connection any more");
    core.closing.drain(failure, now);
  }

  handshakeBytes(level: Level, now: Instant): void {
    const receiver = this.core.receivers[level];
    for (let raw = receiver.next(); raw !== undefined; raw = receiver.next()) {
      this.core.trace("message_received", now, { size: raw.length, level });
      if (this.#client !== undefined) {
        // Whatever it is, the server has our hello.
        if (!this.#client.isComplete) this.core.crypto.answered();
        this.#client.message(raw, level, now);
      } else this.#hello(raw, level, now);
    }
    this.#pump(now);
  }

  opened(level: Level, local: SocketAddress, remote: SocketAddress, isNewest: boolean, now: Instant): void {
    const { core } = this;
    core.isHeard = true;
    if (level !== Level.clear || core.isClient) this.#suspectedUntil = undefined;
    if (level === Level.forwardSecure && !core.isConfirmed) this.#confirmed(now);
    if (!core.isClient) {
      if (isNewest && level !== Level.clear && !sameAddress(remote, core.path.remote)) this.#follow(local, remote, now);
      return;
    }
    const moving = this.#moving;
    if (moving === undefined || level === Level.clear || !sameAddress(local, core.path.local)) return;
    this.#moving = undefined;
    core.emit({ kind: "migrated", connection: core.number, local, failure: undefined });
    const move = { at: now, whose: "ours", from: moving.back.local, to: core.path.local } as const;
    core.emit({ kind: "moved", connection: core.number, move });
  }

  closedByPeer(code: number, reason: Uint8Array, now: Instant): void {
    const { core } = this;
    const said = fromUtf8(reason) ?? "";
    const failure =
      cleanCodes.has(code) && core.isComplete
        ? undefined
        : gquicFailure(
            "closed-by-peer",
            "CONNECTION_CLOSE",
            `the peer closed with ${errorName(code)}${said && `: ${said}`}`,
            {
              code,
              byPeer: true,
            },
          );
    core.closing.drain(failure, now);
  }

  // The handshake

  #hello(raw: Uint8Array, level: Level, now: Instant): void {
    const { core } = this;
    core.crypto.answered();
    this.#server!.message(raw, level, core.path.remote.address, this.isBusy, now);
    if (this.#server!.isAddressProved) core.path.isValidated = true;
  }

  #pump(now: Instant): void {
    const handshake = this.#client ?? this.#server!;
    for (let output = handshake.output(); output !== undefined; output = handshake.output()) this.#put(output, now);
  }

  #put(output: HandshakeOutput, now: Instant): void {
    const { core } = this;
    switch (output.kind) {
      case "message":
        core.crypto.push(output.level, output.bytes);
        break;
      case "keys":
        this.#hasNewKeys = true;
        core.keyring.install(
          output.level,
          output.keys,
          core.isClient ? undefined : core.ground.entropy.fill(new Uint8Array(nonceSize)),
        );
        if (output.level === "initial" && core.isClient) core.streams.startEarly(earlyLimits);
        break;
      case "question":
        core.emit({
          kind: "question",
          id: core.number * questionsPerConnection + this.#questions++,
          question: { ...output.question, connection: core.number },
        } as never);
        break;
      case "parameters":
        core.peer = output.parameters;
        core.idle.timeoutMs = Math.min(core.ground.settings.idleTimeoutMs, output.parameters.idleTimeoutMs);
        break;
      case "rejected":
        core.trace("hello_rejected", now, { reasons: output.reasons });
        if (core.earlyData === "offered") {
          core.earlyData = "rejected";
          core.emit({ kind: "early-data", connection: core.number, status: "rejected" });
        }
        // Nothing under those keys was taken.
        core.recovery.lostAll(0);
        core.streams.holdBack();
        core.keyring.drop(Level.initial);
        break;
      case "reset-token":
        core.resetToken = output.token;
        break;
      case "complete":
        this.#complete(output.outcome, now);
        break;
      case "failed":
        throw output.failure;
    }
  }

  #complete(outcome: HandshakeOutcome, now: Instant): void {
    const { core } = this;
    this.#outcome = outcome;
    core.isComplete = true;
    core.trace("handshake_complete", now, { version: core.version.name, hellos: outcome.hellos });
    core.streams.start(core.peer!.limits);
    if (core.isClient) {
      if (core.earlyData === "offered") {
        core.earlyData = "accepted";
        core.emit({ kind: "early-data", connection: core.number, status: "accepted" });
      }
      const { known, serverName } = core.ground.options as GquicClientOptions;
      const kept = this.#client!.remembered();
      const name = knownName(serverName, core.path.remote);
      if (kept !== undefined) known?.set(name, kept, now);
      this.#confirmed(now);
      // Who has nothing to send lets the server know that there are keys.
      core.pingWanted = true;
    } else {
      const { local, remote } = core.path;
      core.emit({ kind: "accepted", connection: core.number, local, remote });
    }
  }

  #confirmed(now: Instant): void {
    const { core } = this;
    core.isConfirmed = core.isComplete;
    if (!core.isConfirmed) return;
    core.recovery.confirmed = true;
    const { hellos, peer, serverName, resumed } = this.#outcome!;
    core.trace("handshake_confirmed", now, {});
    core.emit({
      kind: "confirmed",
      connection: core.number,
      outcome: {
        version: core.version.name,
        suite: "AESG",
        group: "C255",
        peer,
        serverName,
        resumed,
        roundTrips: hellos + (this.#negotiated ? 1 : 0),
        versionNegotiated: this.#negotiated,
        idleTimeoutMs: core.idle.timeoutMs,
        earlyData: core.earlyData === "offered" ? "none" : core.earlyData,
      },
    });
  }

  #restart(version: Version, codes: readonly number[], now: Instant): void {
    const { core } = this;
    core.recovery.lostAll(0);
    core.version = version;
    core.keyring.begin(version, core.cid);
    core.crypto = new CryptoSender(version.cryptoFrames);
    core.receivers = newReceivers(version.cryptoFrames);
    core.firstKeyed = Number.POSITIVE_INFINITY;
    core.streams.holdBack();
    this.#inbound.restart();
    this.outbound.restart();
    this.#client!.restart(version, codes, now);
    this.#pump(now);
  }

  // Places

  /** Server: the client speaks from elsewhere now. */
  #follow(local: SocketAddress, remote: SocketAddress, now: Instant): void {
    const { core } = this;
    const from = core.path.remote;
    const isSameHost = from.address === remote.address;
    const path = new Path({ ...local }, { ...remote }, isSameHost && core.path.isValidated);
    path.firstNumber = core.next;
    path.bytesReceived = core.mtu.current;
    core.path = path;
    if (!isSameHost) core.forgetPath();
    // Its acknowledgement shows that the client is there.
    core.pingWanted = true;
    const move = { at: now, whose: "the peer's", from, to: path.remote } as const;
    core.trace("path_changed", now, { to: remote });
    core.emit({ kind: "moved", connection: core.number, move });
  }

  #migrate(local: SocketAddress, now: Instant): void {
    const { core } = this;
    const failure = core.isClient && core.isComplete ? undefined : gquicFailure("misuse", "migrate", "too early");
    if (failure !== undefined) {
      core.emit({ kind: "migrated", connection: core.number, local, failure });
      return;
    }
    const back = this.#moving?.back ?? core.path;
    this.#moving = { back, until: now + Math.max(patienceMsMin, patienceTimeouts * core.ptoMs) };
    core.path = new Path(local, back.remote, true);
    core.forgetPath();
    core.pingWanted = true;
  }

  // Time

  #woken(now: Instant): void {
    const { core } = this;
    const { closing, recovery, idle, ground } = core;
    closing.wake(now);
    if (!closing.isOpen) return;
    if (idle.isOver(now, core.ptoMs)) {
      closing.end(gquicFailure("idle-timeout", "connection", `nothing was heard for ${idle.timeoutMs} ms`));
      return;
    }
    if (!core.isConfirmed && now >= this.#startedAt + ground.settings.handshakeTimeoutMs) {
      const failure = gquicFailure("handshake-timeout", "handshake", "the handshake took too long");
      if (core.packetsReceived === 0) closing.end(failure);
      else throw failure;
      return;
    }
    if (this.#suspectedUntil !== undefined && now >= this.#suspectedUntil) {
      closing.end(
        gquicFailure("public-reset", "Public Reset", "the peer does not know the connection, and answers nothing else"),
      );
      return;
    }
    const moving = this.#moving;
    if (moving !== undefined && now >= moving.until) {
      this.#moving = undefined;
      const { local } = core.path;
      core.path = moving.back;
      core.forgetPath();
      core.pingWanted = true;
      const failure = gquicFailure("no-viable-path", "migrate", "the server does not answer there");
      core.emit({ kind: "migrated", connection: core.number, local, failure });
    }
    if (core.isComplete && idle.wantsPing(now)) core.pingWanted = true;
    if (recovery.timeout(now) !== "none") core.followMtu(now);
  }

  // The edge

  #guard(now: Instant, call: () => void): void {
    try {
      call();
      while (this.#hasNewKeys) {
        this.#hasNewKeys = false;
        this.#inbound.replay(now);
      }
    } catch (error) {
      this.#caught(error, now);
    }
  }

  #caught(error: unknown, now: Instant): void {
    const failure =
      error instanceof Failure && error.protocol === "gQUIC"
        ? (error as GquicFailure)
        : gquicFailure("internal-error", "connection", "an unexpected error", { cause: error });
    this.#close(failure.code ?? errorCodes.QUIC_INTERNAL_ERROR, failure.message, failure, now);
  }

  /** What is still on its way may arrive: three probe timeouts, where they are known. */
  get #closingMs(): number {
    return Math.min(closingMsMax, patienceTimeouts * this.core.ptoMs);
  }

  #close(code: number, reason: string, failure: GquicFailure | undefined, now: Instant): void {
    const { core } = this;
    const { write } = core.keyring;
    const all = [Level.forwardSecure, Level.initial, Level.clear].filter((level) => write[level] !== undefined);
    // Who has not shown yet which keys he has is told under all that he may have.
    const levels = core.isConfirmed ? all.slice(0, 1) : core.isComplete ? all.slice(0, 2) : all.slice(-1);
    core.closing.close(code, reason, failure, levels, now + this.#closingMs);
  }
}

/** Under which name a client keeps a server. */
export const knownName = (serverName: string | undefined, { address, port }: SocketAddress): string =>
  `${serverName ?? address}:${port}`;

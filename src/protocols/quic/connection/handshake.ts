import { Failure, type Instant } from "../../../contract/index.js";
import type { TlsFailure, TlsHandshakeOutput, TlsOutcome, TrafficKeys13 } from "../../tls/index.js";
import { cryptoError, type QuicFailure, quicFailure, refuse } from "../failure.js";
import type { QuicClientOptions, QuicServerOptions } from "../options.js";
import { Protection } from "../protection/protection.js";
import type { QuicOutcome } from "../session.js";
import { defaultParameters, type TransportParameters } from "../wire/transport-parameters.js";
import type { Core } from "./core.js";
import type { Negotiation } from "./negotiation.js";
import {
  checkIds,
  checkVersion,
  chooseVersion,
  encodeParameters,
  ownParameters,
  peerParameters,
  streamLimits,
} from "./parameters.js";
import { SpaceId } from "./space.js";
import { parametersExtension, TlsGlue } from "./tls.js";

/** Questions of one connection have this many numbers; those of all connections of an endpoint are told apart. */
export const questionsPerConnection = 65_536;

/** TLS's alert (RFC 9846 §6.2). */
const unexpectedMessage = 10;

const spaceOf = {
  initial: SpaceId.initial,
  early: SpaceId.application,
  handshake: SpaceId.handshake,
  application: SpaceId.application,
};

/** What the handshake's progress means for a connection. */
export interface HandshakeEvents {
  /** TLS is done: 1-RTT packets may be read. */
  completed(now: Instant): void;
  failed(failure: QuicFailure, now: Instant): void;
}

/** Drives TLS, and does what it says: keys, parameters, the outcome (RFC 9001 §4). */
export class HandshakeDriver {
  readonly #core: Core;
  readonly #negotiation: Negotiation;
  readonly #events: HandshakeEvents;

  constructor(core: Core, negotiation: Negotiation, events: HandshakeEvents) {
    this.#core = core;
    this.#negotiation = negotiation;
    this.#events = events;
  }

  /** Begins, or begins anew after a Version Negotiation. */
  start(now: Instant): void {
    const core = this.#core;
    const { ground } = core;
    const version = (): number => core.version.code;
    if (core.isClient) {
      core.own = ownParameters(ground.settings, { initialSourceConnectionId: core.beginning.ownCid }, core.version);
      const encoded = encodeParameters(core.own, ground.settings, ground.entropy);
      const options = ground.options as QuicClientOptions;
      core.tls = TlsGlue.client(ground, options, encoded, version, () => core.peer);
    } else {
      const options = ground.options as QuicServerOptions;
      if (options.preferredAddress !== undefined) {
        const { cid: connectionId, token: statelessResetToken } = core.ownCids.preferred();
        const { ipv4, ipv6 } = options.preferredAddress;
        core.ownPreferredAddress = { ipv4, ipv6, connectionId, statelessResetToken };
      }
      const answer = (offered: Uint8Array): Uint8Array => this.#answer(offered);
      const parameters = (): TransportParameters => ({ ...defaultParameters, ...this.#serverParameters() });
      core.tls = TlsGlue.server(ground, options, answer, version, parameters);
    }
    core.tls.start(now);
    this.pump(now);
  }

  /** Handshake bytes of a level, in order. */
  receive(space: SpaceId, bytes: Uint8Array, now: Instant): void {
    const { tls } = this.#core;
    if (tls.isSettled) {
      const message = "after the handshake a client has nothing to say";
      const more = { code: cryptoError + unexpectedMessage, fault: "misbehaviour" } as const;
      throw quicFailure("handshake", "CRYPTO", message, more);
    }
    tls.receive(space, bytes, now);
    this.pump(now);
  }

  /** Takes what TLS puts out. */
  pump(now: Instant): void {
    const { tls } = this.#core;
    for (let output = tls.output(); output !== undefined; output = tls.output()) this.#put(output, now);
    if (this.#core.isComplete) this.#core.tls.settle();
  }

  #put(output: TlsHandshakeOutput, now: Instant): void {
    const core = this.#core;
    switch (output.kind) {
      case "message": {
        const space = core.spaces[spaceOf[output.epoch]];
        if (!space.isDiscarded || space.id === SpaceId.application) space.sender.push(output.bytes);
        break;
      }
      case "keys":
        if (output.keys.version === "1.3") this.#keys(output.epoch, output.direction, output.keys);
        break;
      case "question":
        core.emit({
          kind: "question",
          id: core.number * questionsPerConnection + output.id,
          question: { ...output.question, connection: core.number },
        });
        break;
      case "confirmed":
        this.#complete(output.outcome, now);
        break;
      case "early-data":
        if (core.isClient) this.#earlyData(output.status);
        break;
      case "ticket":
        core.emit({ kind: "ticket", connection: core.number });
        break;
      case "failed":
        this.#events.failed(fromTls(output.failure), now);
        break;
      default:
        break;
    }
  }

  #keys(epoch: keyof typeof spaceOf, direction: "read" | "write", { suite, secret }: TrafficKeys13): void {
    const core = this.#core;
    const space = core.spaces[spaceOf[epoch]];
    if (direction === "read") core.hasNewReadKeys = true;
    if (epoch === "application") {
      if (direction === "read") core.oneRtt.setRead(suite, secret);
      else {
        core.oneRtt.setWrite(suite, secret);
        // RFC 9001 §4.9.3: 0-RTT keys have served.
        space.write?.destroy();
        space.write = undefined;
        core.recovery.setKeys(SpaceId.application, true);
      }
      return;
    }
    const version = epoch === "early" ? core.originalVersion : core.version;
    space[direction]?.destroy();
    space[direction] = new Protection(core.ground.crypto, version, suite, secret, direction);
    secret.wipe();
    if (direction === "write" && epoch === "handshake") core.recovery.setKeys(SpaceId.handshake, true);
  }

  #earlyData(status: "offered" | "accepted" | "rejected"): void {
    const core = this.#core;
    if (status === "offered") {
      const { remembered } = core.tls;
      // Without remembered parameters there is nothing that 0-RTT could keep to.
      if (remembered === undefined) {
        core.spaces[2].write?.destroy();
        core.spaces[2].write = undefined;
        return;
      }
      core.zeroRtt = "offered";
      core.streams.startEarly(streamLimits(remembered.parameters));
      return;
    }
    if (core.zeroRtt !== "offered") return;
    core.zeroRtt = status;
    if (status === "rejected") {
      core.recovery.lostAll(SpaceId.application);
      core.streams.earlyRejected();
      core.spaces[2].write?.destroy();
      core.spaces[2].write = undefined;
    }
    core.emit({ kind: "early-data", connection: core.number, status });
  }

  /** RFC 9001 §8.2: server: the client's parameters came with its ClientHello; ours go with EncryptedExtensions. */
  #answer(offered: Uint8Array): Uint8Array {
    const core = this.#core;
    const { settings, entropy } = core.ground;
    const client = peerParameters(offered, "client");
    checkIds(client, { initialSource: core.peerInitialCid! });
    const version = chooseVersion(client, core.originalVersion, settings.versions);
    if (version === undefined)
      refuse("version-negotiation", "version_information", "it contradicts the packet it came in");
    if (version !== core.version) this.#negotiation.change(version);
    this.#take(client);
    core.own = this.#serverParameters();
    return encodeParameters(core.own, settings, entropy);
  }

  #serverParameters(): Partial<TransportParameters> {
    const core = this.#core;
    const { settings, resetTokens, options } = core.ground;
    const { ownCid, originalDcid, retryScid } = core.beginning;
    const { disableActiveMigration } = options as QuicServerOptions;
    return ownParameters(
      settings,
      {
        originalDestinationConnectionId: originalDcid,
        initialSourceConnectionId: ownCid,
        retrySourceConnectionId: retryScid,
        statelessResetToken: resetTokens?.of(ownCid),
        disableActiveMigration: disableActiveMigration ?? false,
        preferredAddress: core.ownPreferredAddress,
      },
      core.version,
    );
  }

  /** What the peer allows, and how it behaves. */
  #take(peer: TransportParameters): void {
    const core = this.#core;
    core.peer = peer;
    core.recovery.maxAckDelayMs = peer.maxAckDelayMs;
    const both = [core.ground.settings.idleTimeoutMs, peer.maxIdleTimeoutMs].filter((each) => each > 0);
    core.idle.timeoutMs = both.length === 0 ? 0 : Math.min(...both);
    // Before a client has shown who it is, nothing of the application's goes to it.
    if (core.isClient || !this.#awaitsIdentity) core.streams.start(streamLimits(peer));
    core.ownCids.setPeerLimit(peer.activeConnectionIdLimit);
    core.mtu = core.newMtu();
  }

  #complete(outcome: TlsOutcome, now: Instant): void {
    const core = this.#core;
    if (core.isClient) this.#takeServer(outcome.extensions.get(parametersExtension)!);
    else if (this.#awaitsIdentity) core.streams.start(streamLimits(core.peer!));
    core.isComplete = core.hasNewReadKeys = true;
    const told = this.#outcome(outcome);
    core.tracer?.parameters("local", core.own, { tls_cipher: told.suite.replace(/^TLS_/, "") }, now);
    core.tracer?.parameters("remote", core.peer!, {}, now);
    core.tracer?.state("handshake_complete", now);
    core.emit({ kind: "confirmed", connection: core.number, outcome: told });
    this.#events.completed(now);
  }

  #takeServer(bytes: Uint8Array): void {
    const core = this.#core;
    const server = peerParameters(bytes, "server");
    checkIds(server, {
      initialSource: core.peerInitialCid!,
      originalDestination: core.firstDcid,
      retrySource: core.retryScid,
    });
    const { refused } = this.#negotiation;
    checkVersion(server, core.version, core.ground.settings.versions, refused);
    if (core.version !== core.originalVersion && server.versionInformation === undefined) {
      refuse("version-negotiation", "version_information", "the version was changed without a word (RFC 9368 §4)");
    }
    this.#take(server);
    if (server.statelessResetToken !== undefined) core.peerCids.setResetToken(server.statelessResetToken);
    const preferred = server.preferredAddress;
    if (preferred !== undefined) core.peerCids.preferred(preferred.connectionId, preferred.statelessResetToken);
  }

  get #awaitsIdentity(): boolean {
    return ((this.#core.ground.options as QuicServerOptions).clientAuthentication ?? "none") !== "none";
  }

  #outcome(outcome: TlsOutcome): QuicOutcome {
    const core = this.#core;
    const { version: _, extensions, ...shared } = outcome;
    const changed = core.version !== core.originalVersion;
    return {
      ...shared,
      version: core.version.name,
      extensions: new Map([...extensions].filter(([type]) => type !== parametersExtension)),
      versionChanged: changed ? "compatible" : this.#negotiation.refused === undefined ? "no" : "incompatible",
      datagramFrameMax: core.peer!.maxDatagramFrameSize,
      idleTimeoutMs: core.idle.timeoutMs,
      addressRetried: core.retryScid !== undefined,
    };
  }
}

/** TLS's failure as QUIC's: the alert is in the code (RFC 9001 §4.8). What QUIC itself refused inside of TLS comes back. */
function fromTls(failure: TlsFailure): QuicFailure {
  const { cause, fault, at, message, hint, code } = failure;
  if (cause instanceof Failure && cause.protocol === "QUIC") return cause as QuicFailure;
  const reason = failure.reason === "handshake-timeout" ? "handshake-timeout" : "handshake";
  return quicFailure(reason, at ?? "handshake", message, {
    cause: failure,
    fault,
    code: cryptoError + (code ?? 80),
    ...(hint === undefined ? {} : { hint }),
  });
}

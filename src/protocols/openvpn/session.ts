import {
  type Answer,
  type CryptoProvider,
  type Entropy,
  earliest,
  equalInConstantTime,
  type Instant,
  type Question,
  Secret,
} from "../../contract/index.js";
import type { TlsAsks, TlsMachine, TlsOutcome } from "../tls/index.js";
import { Negotiation } from "./control/negotiation.js";
import { dynamicKey } from "./control/static-key.js";
import { type ControlKey, type ControlWrap, controlWrap, type Role, TlsCrypt } from "./control/wrap.js";
import type { Span } from "./data/framing.js";
import { DataKeys, type DataParameters } from "./data/keys.js";
import { type DropReason, failure, type OpenVpnFailure } from "./failure.js";
import { exporterLabels, type KeyExchange, keyBlockSize, prfKeyBlock } from "./key-exchange.js";
import { acksAloneMax, acksMax, controlChunk, controlPacketMax, controlPacketReadMax, keySwitchMs } from "./limits.js";
import { bodySize, type ControlBody, decodeBody, encodeBody } from "./wire/control.js";
import { controlHeaderSize, firstByte, keyIdOf, nextKeyId, Opcode, opcodeOf, sessionIdSize } from "./wire/opcodes.js";

/** When keys are renewed, whichever comes first; zero is never. */
export interface Renewal {
  readonly afterMs: number;
  readonly bytes: number;
  readonly packets: number;
}

export interface SessionConfig {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  readonly role: Role;
  readonly control: ControlKey;
  /** A TLS machine for each negotiation. */
  readonly tls: () => TlsMachine;
  /** What we say in key method 2. */
  readonly exchange: () => KeyExchange;
  readonly renewal: Renewal;
  readonly handshakeWindowMs: number;
  readonly transitionWindowMs: number;
}

export type SessionEvent =
  | Question<TlsAsks>
  /** A negotiation is done; of the first, `agree` must follow before there are data keys. */
  | { readonly kind: "keyed"; readonly isFirst: boolean; readonly peer: KeyExchange; readonly outcome: TlsOutcome }
  | { readonly kind: "message"; readonly text: string }
  | { readonly kind: "ended" }
  | { readonly kind: "failed"; readonly failure: OpenVpnFailure };

/** What was agreed on after the first key exchange, and holds for every renewal. */
export interface Agreed extends DataParameters {
  /** Keys come from TLS's exporter, not from the PRF of old. */
  readonly tlsExport: boolean;
  readonly dynamicTlsCrypt: boolean;
}

/** A server that validated the client's address without keeping anything knows both session IDs before there is a session. */
export interface Resumed {
  readonly sessionId: Uint8Array;
  readonly remoteSessionId: Uint8Array;
}

const nothing = new Uint8Array(0);
/** Packet IDs of the wrapping that answers without state may have used. */
const statelessIds = 16;

/**
 * One session of two peers, on either side: the control channel with its negotiations, of which two may be alive, and the
 * keys of the data channel that came of them. It knows no addresses.
 */
export class Session {
  readonly sessionId: Uint8Array;
  readonly #config: SessionConfig;
  #remoteSessionId: Uint8Array | undefined;
  readonly #wrap: ControlWrap;
  #dynamicWrap: ControlWrap | undefined;
  #agreed: Agreed | undefined;
  #current: Negotiation;
  /** The one before, whose keys still receive. */
  #previous: Negotiation | undefined;
  #previousEndsAt: Instant = 0;
  readonly #events: SessionEvent[] = [];
  /** Questions of TLS machines, by the number under which we asked them. */
  readonly #asked = new Map<number, { readonly of: Negotiation; readonly id: number }>();
  #nextQuestion = 1;
  #failed: OpenVpnFailure | undefined;
  #hasRenewed = 0;

  constructor(config: SessionConfig, now: Instant, resumed?: Resumed) {
    this.#config = config;
    this.#wrap = controlWrap(config.crypto, config.control, config.role, resumed === undefined ? 0 : statelessIds);
    this.sessionId = resumed?.sessionId ?? config.entropy.fill(new Uint8Array(sessionIdSize));
    this.#remoteSessionId = resumed?.remoteSessionId;
    this.#current = this.#negotiation(0, now, resumed === undefined ? 0 : 1);
    if (resumed === undefined) {
      const isV2 = config.control.kind === "tls-crypt-v2";
      this.#current.reset(isV2 ? Opcode.hardResetClientV3 : Opcode.hardResetClientV2);
    } else this.#current.start(now);
  }

  get failure(): OpenVpnFailure | undefined {
    return this.#failed;
  }

  /** Has a negotiation just begun, so that there is something to send? */
  get isDue(): boolean {
    return this.#current.data === undefined;
  }

  get renewals(): number {
    return this.#hasRenewed;
  }

  get outcome(): TlsOutcome | undefined {
    return this.#current.outcome ?? this.#previous?.outcome;
  }

  get retransmissions(): number {
    return this.#current.reliable.retransmissions;
  }

  /** Keying material bound to the TLS session in use (PSKE). Undefined before there is one. */
  exportKey(label: string, length: number, context?: Uint8Array): Uint8Array | undefined {
    const of = this.#current.outcome === undefined ? this.#previous : this.#current;
    return of?.outcome && of.tls.handshake.exportKey(label, length, context);
  }

  event(): SessionEvent | undefined {
    return this.#events.shift();
  }

  answer(answer: Answer, now: Instant): void {
    const asked = this.#asked.get(answer.id);
    if (asked === undefined || asked.of.isOver) return;
    this.#asked.delete(answer.id);
    asked.of.tls.handle({ kind: "answer", id: asked.id, answer: answer.answer }, now);
    asked.of.pump(now);
    this.#hear(asked.of, now);
  }

  /** Sends a text message on the control channel. */
  message(text: string, now: Instant): void {
    const of = this.#current.outcome === undefined ? this.#previous : this.#current;
    of?.message(text, now);
  }

  // ── the control channel ────────────────────────────────────────────────────────────────────────────────────────

  /** Takes a control packet, which must be memory of its own. Answers why it was dropped, if it was. */
  receive(packet: Uint8Array, now: Instant): DropReason | undefined {
    if (this.#failed !== undefined) return "unknown-session";
    if (packet.length < controlHeaderSize || packet.length > controlPacketReadMax) return "malformed";
    const opcode = opcodeOf(packet[0]!);
    const keyId = keyIdOf(packet[0]!);
    const from = packet.subarray(1, controlHeaderSize);
    if (this.#remoteSessionId !== undefined && !equalInConstantTime(from, this.#remoteSessionId)) {
      return "unknown-session";
    }
    const wrap = this.#wrapOf(keyId);
    const opened = wrap.open(packet);
    if (typeof opened === "string") return opened;
    const isAck = opcode === Opcode.ackV1;
    const body = decodeBody(opened, !isAck, acksAloneMax);
    if (body === undefined) return "malformed";
    if (body.remoteSessionId !== undefined && !equalInConstantTime(body.remoteSessionId, this.sessionId)) {
      return "unknown-session";
    }
    const negotiation = this.#negotiationFor(opcode, keyId, body, now);
    if (typeof negotiation === "string") return negotiation;
    if (this.#remoteSessionId === undefined) this.#remoteSessionId = from.slice();
    negotiation.reliable.acknowledged(body.acks);
    if (body.packetId !== undefined && !negotiation.reliable.receive(body.packetId, opcode, body.payload)) {
      return "out-of-window";
    }
    if (opcode === Opcode.hardResetServerV2 && wantsWrappedKey(body.payload)) negotiation.resendWrappedKey();
    // TLS begins when the packet that began the negotiation is known to have arrived; its client speaks first.
    if (!negotiation.isStarted && negotiation.reliable.isEmpty) negotiation.start(now);
    negotiation.advance(now);
    this.#hear(negotiation, now);
    return undefined;
  }

  #negotiationFor(opcode: number, keyId: number, body: ControlBody, now: Instant): Negotiation | DropReason {
    const current = this.#current;
    if (this.#remoteSessionId === undefined) {
      // The first answer proves itself by acknowledging our first packet.
      const isAnswer = opcode === Opcode.hardResetServerV2 && keyId === 0 && body.acks.includes(0);
      return isAnswer ? current : "unknown-session";
    }
    if (opcode === Opcode.softResetV1 && keyId === nextKeyId(current.keyId) && current.data !== undefined) {
      return this.#renew(now);
    }
    if (keyId === current.keyId) return current;
    return this.#previous?.keyId === keyId ? this.#previous : "unknown-key";
  }

  /** The next control packet, if any is due; memory of its own. */
  transmit(now: Instant): Uint8Array | undefined {
    return (
      (this.#previous && this.#transmitOf(this.#previous, now)) ?? this.#transmitOf(this.#current, now) ?? undefined
    );
  }

  #transmitOf(negotiation: Negotiation, now: Instant): Uint8Array | undefined {
    const { reliable, keyId } = negotiation;
    const packet = reliable.next(now);
    if (packet === undefined && !(reliable.owesAcks && this.#remoteSessionId !== undefined)) return undefined;
    const acks = this.#remoteSessionId === undefined ? [] : reliable.takeAcks(packet ? acksMax : acksAloneMax);
    const opcode = packet?.opcode ?? Opcode.ackV1;
    const body = encodeBody({
      acks,
      remoteSessionId: this.#remoteSessionId,
      packetId: packet?.id,
      payload: packet?.payload ?? nothing,
    });
    const header = new Uint8Array(controlHeaderSize);
    header[0] = firstByte(opcode, keyId);
    header.set(this.sessionId, 1);
    const sealed = this.#wrapOf(keyId).seal(header, body, now);
    if (packet !== undefined) {
      negotiation.pump(now);
      this.#hear(negotiation, now);
    }
    const { control } = this.#config;
    if (control.kind !== "tls-crypt-v2") return sealed;
    if (opcode !== Opcode.hardResetClientV3 && opcode !== Opcode.controlWkcV1) return sealed;
    const whole = new Uint8Array(sealed.length + control.wrapped.length);
    whole.set(sealed);
    whole.set(control.wrapped, sealed.length);
    return whole;
  }

  #wrapOf(keyId: number): ControlWrap {
    return keyId > 0 && this.#dynamicWrap !== undefined ? this.#dynamicWrap : this.#wrap;
  }

  #negotiation(keyId: number, now: Instant, passed = 0): Negotiation {
    const { role, tls, exchange, control } = this.#config;
    const room = controlPacketMax - controlHeaderSize - this.#wrap.overhead - bodySize(acksMax, true, 0);
    const chunk = Math.min(controlChunk, room);
    const wrapped = control.kind === "tls-crypt-v2" && keyId === 0 ? control.wrapped.length : 0;
    const firstChunk = Math.max(64, Math.min(chunk, room - wrapped));
    return new Negotiation({ role, keyId, tls: tls(), exchange, chunk, firstChunk, passed }, now);
  }

  /** What a negotiation tells. */
  #hear(negotiation: Negotiation, now: Instant): void {
    for (let event = negotiation.event(); event !== undefined; event = negotiation.event()) {
      switch (event.kind) {
        case "question": {
          const id = this.#nextQuestion++;
          this.#asked.set(id, { of: negotiation, id: event.id });
          this.#events.push({ kind: "question", id, question: event.question } as Question<TlsAsks>);
          break;
        }
        case "keyed":
          this.#keyed(negotiation, now);
          break;
        case "message":
        case "ended":
          this.#events.push(event);
          break;
        case "tls-failed":
          this.#fail(
            failure("tls-failed", `TLS: ${event.failure.message}`, {
              cause: event.failure,
              ...(event.failure.hint !== undefined && { hint: event.failure.hint }),
            }),
          );
          break;
        case "bad-key-exchange":
          this.#fail(failure("bad-key-exchange", "the peer's key exchange cannot be read", { at: "key_exchange" }));
          break;
      }
    }
  }

  #keyed(negotiation: Negotiation, now: Instant): void {
    const isFirst = this.#agreed === undefined;
    if (!isFirst) {
      this.#derive(negotiation, now);
      this.#hasRenewed++;
    }
    this.#events.push({ kind: "keyed", isFirst, peer: negotiation.peer!, outcome: negotiation.outcome! });
  }

  #fail(reason: OpenVpnFailure): void {
    if (this.#failed !== undefined) return;
    this.#failed = reason;
    this.#events.push({ kind: "failed", failure: reason });
  }

  // ── keys ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What holds for the data channel from now on: the first keys are derived. */
  agree(agreed: Agreed, now: Instant): void {
    const { crypto, role, control } = this.#config;
    const isFirst = this.#agreed === undefined;
    this.#agreed = agreed;
    if (!isFirst) return;
    this.#derive(this.#current, now);
    if (!agreed.dynamicTlsCrypt) return;
    const exported = this.#current.tls.handshake.exportKey(exporterLabels.dynamicTlsCrypt, keyBlockSize);
    const key = dynamicKey(exported, control.kind === "none" ? undefined : control.key);
    exported.fill(0);
    this.#dynamicWrap = new TlsCrypt(crypto, key, role);
    key.wipe();
  }

  #derive(negotiation: Negotiation, now: Instant): void {
    const { crypto, entropy, role } = this.#config;
    const agreed = this.#agreed!;
    const own = negotiation.own!;
    const peer = negotiation.peer!;
    const remoteId = this.#remoteSessionId!;
    const block = agreed.tlsExport
      ? new Secret(negotiation.tls.handshake.exportKey(exporterLabels.dataKeys, keyBlockSize))
      : role === "client"
        ? prfKeyBlock(crypto, own, peer, this.sessionId, remoteId)
        : prfKeyBlock(crypto, peer, own, remoteId, this.sessionId);
    negotiation.data = new DataKeys(crypto, entropy, agreed, block, role, negotiation.keyId, now);
    block.wipe();
    for (const exchange of [own, peer]) exchange.preMaster?.fill(0);
  }

  /** Begins new keys, unless new ones are being made already (§6.2.2.3). */
  renegotiate(now: Instant): boolean {
    if (this.#failed !== undefined || this.#current.data === undefined) return false;
    this.#renew(now);
    return true;
  }

  #renew(now: Instant): Negotiation {
    this.#dropPrevious();
    this.#previous = this.#current;
    this.#previousEndsAt = now + this.#config.transitionWindowMs;
    this.#current = this.#negotiation(nextKeyId(this.#previous.keyId), now);
    this.#current.reset(Opcode.softResetV1);
    return this.#current;
  }

  #dropPrevious(): void {
    const previous = this.#previous;
    this.#previous = undefined;
    if (previous === undefined) return;
    for (const [id, { of }] of this.#asked) if (of === previous) this.#asked.delete(id);
    previous.destroy();
  }

  /**
   * The keys to send with: a client's newest, since the server had them before it said its part; a server's, once the client
   * has shown that it has them or has had time to.
   */
  sendKeys(now: Instant): DataKeys | undefined {
    const newest = this.#current.data;
    const before = this.#previous?.data;
    if (newest === undefined) return before?.isUsable ? before : undefined;
    const isEarly = this.#config.role === "server" && !newest.hasReceived && now - newest.bornAt < keySwitchMs;
    if (isEarly && before?.isUsable) return before;
    return newest.isUsable ? newest : undefined;
  }

  /** Opens a data packet in place. */
  open(bytes: Uint8Array, at: number, size: number, span: Span): DropReason | undefined {
    const keyId = keyIdOf(bytes[at]!);
    const keys =
      this.#current.keyId === keyId
        ? this.#current.data
        : this.#previous?.keyId === keyId
          ? this.#previous.data
          : undefined;
    return keys === undefined ? "unknown-key" : keys.open(bytes, at, size, span);
  }

  /** After packets: keys that are worn out are renewed. */
  afterTraffic(now: Instant): void {
    const keys = this.#current.data;
    if (keys === undefined) return;
    const { bytes, packets } = this.#config.renewal;
    if (keys.isWorn || (bytes > 0 && keys.bytes >= bytes) || (packets > 0 && keys.packets >= packets)) {
      this.renegotiate(now);
    }
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────

  wake(now: Instant): void {
    if (this.#failed !== undefined) return;
    const current = this.#current;
    if (this.#previous !== undefined && now >= this.#previousEndsAt) this.#dropPrevious();
    const { handshakeWindowMs, renewal } = this.#config;
    if (current.data === undefined && now - current.startedAt >= handshakeWindowMs) {
      const at = current.outcome === undefined ? "handshake" : "key exchange";
      this.#fail(
        failure("handshake-timeout", `no keys after ${handshakeWindowMs} ms`, {
          at,
          hint: "a wrong tls-auth or tls-crypt key is met with silence; compare it, proto, the port and the firewall",
        }),
      );
      return;
    }
    if (renewal.afterMs > 0 && current.data !== undefined && now - current.data.bornAt >= renewal.afterMs) {
      this.renegotiate(now);
    }
    this.#current.tls.handle({ kind: "wake" }, now);
    this.#current.pump(now);
    this.#hear(this.#current, now);
  }

  deadline(): Instant | undefined {
    if (this.#failed !== undefined) return undefined;
    const { data, startedAt, reliable, tls } = this.#current;
    const { handshakeWindowMs, renewal } = this.#config;
    let at = earliest(reliable.deadline(), data === undefined ? tls.deadline() : undefined);
    if (data === undefined) at = earliest(at, startedAt + handshakeWindowMs);
    else if (renewal.afterMs > 0) at = earliest(at, data.bornAt + renewal.afterMs);
    if (this.#previous !== undefined) {
      at = earliest(at, earliest(this.#previousEndsAt, this.#previous.reliable.deadline()));
    }
    return at;
  }

  destroy(): void {
    this.#failed ??= failure("closed-locally", "the session was closed");
    this.#dropPrevious();
    this.#current.destroy();
    this.#wrap.destroy();
    this.#dynamicWrap?.destroy();
    this.#asked.clear();
  }
}

/** The server's first packet may say, in type-length-value, that it kept nothing and needs the wrapped key again. */
function wantsWrappedKey(payload: Uint8Array): boolean {
  for (let at = 0; at + 4 <= payload.length; ) {
    const type = (payload[at]! << 8) | payload[at + 1]!;
    const size = (payload[at + 2]! << 8) | payload[at + 3]!;
    if (type === earlyFlags && size === 2 && at + 6 <= payload.length)
      return (payload[at + 5]! & resendWrappedKey) !== 0;
    at += 4 + size;
  }
  return false;
}

const earlyFlags = 1;
const resendWrappedKey = 1;

import { utf8 } from "../../bytes/index.js";
import {
  type Answer,
  type DatagramInput,
  type Datagrams,
  earliest,
  type Instant,
  type Machine,
  type Question,
  Secret,
  type SocketAddress,
  type Transmit,
  type Wake,
} from "../../contract/index.js";
import { destinationAt, innerLength, sourceAt } from "../../mechanisms/ip-packet.js";
import { Inbound } from "../../mechanisms/packets/inbound.js";
import { tlsServer } from "../tls/index.js";
import { abilitiesOf, type Claim, commonCipher, hasSameKey, isAdmission, isSame, optionsFor } from "./admission.js";
import { pushReply } from "./config/push.js";
import { Threshold } from "./control/stateless.js";
import { canCipher, type DataCipher, dataCipher, defaultDataCiphers } from "./data/ciphers.js";
import { framings, type Span } from "./data/framing.js";
import { specialPayload } from "./data/payloads.js";
import { type DropCounts, type DropReason, failure, noDrops, type OpenVpnFailure } from "./failure.js";
import type { Admission, Guest, GuestStatus } from "./guest.js";
import { GuestPackets } from "./guest-packets.js";
import { Guests } from "./guests.js";
import { newKeyExchange, Proto, peerInfoOf } from "./key-exchange.js";
import {
  batchPacketsMax,
  clientsHalfOpenMax,
  clientsMax,
  handshakeWindowMs,
  renegotiateAfterMs,
  serverPingMs,
  serverPingRestartMs,
  transitionWindowMs,
  tunMtuDefault,
} from "./limits.js";
import type {
  OpenVpnServerAsks,
  OpenVpnServerConfig,
  OpenVpnServerEvent,
  OpenVpnServerInput,
} from "./server-options.js";
import { Session } from "./session.js";
import { isControl, isData, Opcode, opcodeOf, sessionIdSize } from "./wire/opcodes.js";

type Pending = { readonly guest: Guest; readonly id: number } | { readonly guest: Guest; readonly id: undefined };

/** An OpenVPN server: many clients on one port, offering IP packets. For strangers it keeps nothing at all. */
export class OpenVpnServer implements Machine<OpenVpnServerInput | DatagramInput | Answer, OpenVpnServerEvent> {
  readonly mtu: number;
  readonly drops: DropCounts = noDrops();
  readonly #config: OpenVpnServerConfig;
  readonly #threshold: Threshold;
  readonly #pingMs: number;
  readonly #pingRestartMs: number;
  readonly #ciphers: readonly DataCipher[];
  readonly #guests = new Guests();
  readonly #packets: GuestPackets;

  /** Guests whose control channel may have something to say. */
  readonly #due = new Set<Guest>();
  readonly #answers: { readonly bytes: Uint8Array; readonly to: SocketAddress }[] = [];
  readonly #questions = new Map<number, Pending>();
  #nextQuestion = 1;
  readonly #events: OpenVpnServerEvent[] = [];
  readonly #span: Span = { at: 0, size: 0 };
  readonly #transmitted: { -readonly [K in keyof Transmit]: Transmit[K] } = { size: 0 };
  readonly #inbound = new Inbound(batchPacketsMax);
  #dueAt: Instant | undefined;
  #isClosed = false;
  /** When the input came that is being worked on. */
  #now: Instant = 0;

  constructor(config: OpenVpnServerConfig) {
    this.#config = config;
    this.mtu = config.mtu ?? tunMtuDefault;
    this.#pingMs = config.pingMs ?? serverPingMs;
    this.#pingRestartMs = config.pingRestartMs ?? serverPingRestartMs;
    this.#packets = new GuestPackets(
      this.#guests,
      config.source,
      this.mtu,
      config.batchPackets,
      (reason) => this.#drop(reason),
      (guest, now) => this.#worn(guest, now),
    );
    const window = config.handshakeWindowMs ?? handshakeWindowMs;
    this.#threshold = new Threshold(config.crypto, config.entropy, config.control ?? { kind: "none" }, window);
    this.#ciphers = (config.dataCiphers ?? defaultDataCiphers).map((name) => {
      const cipher = dataCipher(name);
      if (cipher !== undefined && canCipher(config.crypto, cipher)) return cipher;
      throw failure("not-supported", `there is no cipher ${name}`, { at: "dataCiphers" });
    });
  }

  handle(input: OpenVpnServerInput | DatagramInput | Answer | Wake, now: Instant): void {
    if (this.#isClosed) return;
    this.#now = now;
    switch (input.kind) {
      case "datagrams":
        this.#datagrams(input, now);
        break;
      case "packet":
        this.#packets.push(input.bytes);
        break;
      case "wake":
        this.#dueAt = undefined;
        for (const guest of [...this.#guests]) this.#wake(guest, now);
        break;
      case "answer":
        this.#answer(input, now);
        break;
      case "remove-client": {
        const guest = this.#guests.byPeerId(input.peerId);
        if (guest === undefined) break;
        guest.session.message("HALT,the server ended the session", now);
        this.#flush(guest, now);
        this.#remove(guest, undefined);
        break;
      }
      case "renegotiate":
        for (const guest of this.#guests) {
          guest.session.renegotiate(now);
          this.#touch(guest);
        }
        break;
      case "close":
        for (const guest of [...this.#guests]) {
          if (guest.isUp) guest.session.message("RESTART", now);
          this.#flush(guest, now);
          this.#remove(guest, undefined);
        }
        this.#threshold.destroy();
        this.#isClosed = true;
        break;
      case "opened":
      case "closed":
        break;
    }
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    const answer = this.#answers.shift();
    if (answer !== undefined) {
      into.set(answer.bytes);
      return this.#out(answer.bytes.length, answer.to);
    }
    for (const guest of this.#due) {
      const packet = guest.session.transmit(now);
      if (packet !== undefined) {
        guest.sentAt = now;
        this.#hear(guest, now);
        into.set(packet);
        return this.#out(packet.length, guest.address);
      }
      this.#due.delete(guest);
      this.#dueAt = earliest(this.#dueAt, this.#deadlineOf(guest));
      if (!guest.isPingDue) continue;
      guest.isPingDue = false;
      const size = this.#packets.ping(guest, into, now);
      if (size > 0) return this.#out(size, guest.address);
    }
    return this.#isClosed ? undefined : this.#packets.transmit(into, now);
  }

  event(): OpenVpnServerEvent | undefined {
    const event = this.#events.shift();
    this.#inbound.taken(event);
    return event;
  }

  deadline(): Instant | undefined {
    return this.#isClosed ? undefined : this.#dueAt;
  }

  get clients(): readonly GuestStatus[] {
    return [...this.#guests].filter(({ isUp }) => isUp).map(({ status }) => status);
  }

  /** Keying material bound to a client's TLS session (PSKE). */
  exportKey(peerId: number, label: string, length: number, context?: Uint8Array): Uint8Array | undefined {
    return this.#guests.byPeerId(peerId)?.session.exportKey(label, length, context);
  }

  // ── what comes in ──────────────────────────────────────────────────────────────────────────────────────────────

  #datagrams({ bytes, segmentSize, from }: Datagrams, now: Instant): void {
    for (let at = 0; at < bytes.length; at += segmentSize) {
      const size = Math.min(segmentSize, bytes.length - at);
      if (size === 0) return;
      const opcode = opcodeOf(bytes[at]!);
      if (isData(opcode)) this.#data(bytes, at, size, opcode, from, now);
      else if (isControl(opcode)) this.#control(bytes.slice(at, at + size), from, now);
      else this.#drop("unknown-opcode");
    }
  }

  #control(packet: Uint8Array, from: SocketAddress, now: Instant): void {
    const opcode = opcodeOf(packet[0]!);
    if (opcode === Opcode.hardResetClientV2 || opcode === Opcode.hardResetClientV3) {
      const answer = this.#threshold.answer(packet, from, now);
      if (typeof answer === "string") this.#drop(answer);
      else if (this.#answers.length < clientsHalfOpenMax) this.#answers.push({ bytes: answer, to: { ...from } });
      else this.#drop("table-full");
      return;
    }
    const guest = this.#guests.bySession(packet.subarray(1, 1 + sessionIdSize));
    if (guest === undefined) {
      this.#stranger(packet, from, now);
      return;
    }
    const dropped = guest.session.receive(this.#threshold.strip(packet), now);
    if (dropped !== undefined) this.#drop(dropped);
    else guest.receivedAt = now;
    this.#hear(guest, now);
    this.#touch(guest);
  }

  #stranger(packet: Uint8Array, from: SocketAddress, now: Instant): void {
    const admitted = this.#threshold.admit(packet, from, now);
    if (typeof admitted === "string") {
      this.#drop(admitted);
      return;
    }
    if (this.#guests.halfOpen >= clientsHalfOpenMax || this.#guests.size >= (this.#config.clientsMax ?? clientsMax)) {
      this.#drop("table-full");
      return;
    }
    const { sessionId, remoteSessionId, control } = admitted;
    const { crypto, entropy, tls, renewal } = this.#config;
    const window = this.#config.handshakeWindowMs ?? handshakeWindowMs;
    const session = new Session(
      {
        crypto,
        entropy,
        role: "server",
        control,
        tls: () =>
          tlsServer({ crypto, entropy }, { clientAuthentication: "require", handshakeTimeoutMs: window, ...tls }),
        exchange: () =>
          newKeyExchange(entropy, "server", {
            options: serverOptions,
            user: undefined,
            password: undefined,
            peerInfo: "",
          }),
        renewal: { afterMs: renegotiateAfterMs, bytes: 0, packets: 0, ...renewal },
        handshakeWindowMs: window,
        transitionWindowMs: this.#config.transitionWindowMs ?? transitionWindowMs,
      },
      now,
      { sessionId, remoteSessionId },
    );
    const guest = this.#guests.add(session, remoteSessionId, from, now);
    const dropped = session.receive(admitted.packet, now);
    if (dropped !== undefined) this.#drop(dropped);
    this.#hear(guest, now);
    this.#touch(guest);
  }

  #data(bytes: Uint8Array, at: number, size: number, opcode: number, from: SocketAddress, now: Instant): void {
    const peerId = size < 4 ? -1 : (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    const guest = opcode === Opcode.dataV2 ? this.#guests.byPeerId(peerId) : this.#guests.at(from);
    if (guest === undefined || !guest.isUp) {
      this.#drop(guest === undefined ? "unknown-session" : "no-keys");
      return;
    }
    const span = this.#span;
    const dropped = guest.session.open(bytes, at, size, span);
    if (dropped !== undefined) {
      this.#drop(dropped);
      return;
    }
    if (from.port !== guest.address.port || from.address !== guest.address.address) {
      if (!this.#float(guest, from)) return;
    }
    guest.receivedAt = now;
    if (!framings[guest.framing].unwrap(bytes, span)) {
      this.#drop("compressed");
      return;
    }
    const special = specialPayload(bytes, span.at, span.size);
    if (special === "exit") this.#remove(guest, failure("exited-by-peer", "the client left", { byPeer: true }));
    if (special !== undefined) return;
    const length = innerLength(bytes, span.at, span.size);
    if (length === 0) {
      this.#drop("not-ip");
      return;
    }
    if (this.#guests.routed(bytes, sourceAt(bytes, span.at), span.at) !== guest) {
      this.#drop("source-not-allowed");
      return;
    }
    guest.packetsReceived++;
    guest.bytesReceived += length;
    if (!this.#forwards(bytes, span.at, length)) this.#tell(bytes, span.at, length);
    this.#worn(guest, now);
  }

  /** A packet for another client, if clients reach each other. */
  #forwards(bytes: Uint8Array, at: number, length: number): boolean {
    if (this.#config.clientToClient !== true) return false;
    if (this.#guests.routed(bytes, destinationAt(bytes, at), at) === undefined) return false;
    this.#packets.forward(bytes, at, length);
    return true;
  }

  #worn(guest: Guest, now: Instant): void {
    guest.session.afterTraffic(now);
    if (guest.session.isDue) this.#touch(guest);
  }

  /** An authentic packet from elsewhere: the client is there now, unless another is (wire document §7.3.2). */
  #float(guest: Guest, from: SocketAddress): boolean {
    const before = guest.address;
    if (!this.#guests.move(guest, from)) {
      this.#drop("wrong-source");
      return false;
    }
    this.#trace("client_moved", { peerId: guest.peerId, from: before, to: guest.address });
    this.#events.push({ kind: "moved", peerId: guest.peerId, from: before, to: guest.address });
    return true;
  }

  #tell(bytes: Uint8Array, at: number, length: number): void {
    const event = this.#inbound.add(bytes, at, length);
    if (event !== undefined) this.#events.push(event);
  }

  // ── sessions ───────────────────────────────────────────────────────────────────────────────────────────────────

  #hear(guest: Guest, now: Instant): void {
    for (let event = guest.session.event(); event !== undefined; event = guest.session.event()) {
      switch (event.kind) {
        case "question": {
          const id = this.#nextQuestion++;
          this.#questions.set(id, { guest, id: event.id });
          this.#events.push({ ...event, id } as Question<OpenVpnServerAsks>);
          break;
        }
        case "keyed":
          guest.handshakes++;
          guest.lastHandshakeAt = now;
          this.#keyed(guest, event.isFirst, { ...event.peer, peer: event.outcome.peer }, event.peer.peerInfo);
          break;
        case "message":
          if (event.text === "PUSH_REQUEST") {
            guest.wantsPush = true;
            this.#push(guest, now);
          } else if (event.text === "EXIT" || event.text.startsWith("EXIT,")) {
            this.#remove(guest, failure("exited-by-peer", "the client left", { byPeer: true }));
          }
          break;
        case "ended":
          this.#remove(guest, failure("exited-by-peer", "the client ended TLS", { byPeer: true }));
          break;
        case "failed":
          this.#flush(guest, now);
          this.#remove(guest, event.failure);
          break;
      }
    }
  }

  #keyed(guest: Guest, isFirst: boolean, claim: Claim, info: string): void {
    if (!isFirst) {
      this.#trace("keys_renewed", { peerId: guest.peerId });
      if (isSame(guest, claim)) this.#events.push({ kind: "renewed", client: guest.status });
      else this.#remove(guest, failure("identity-changed", "the client became another when keys were renewed"));
      return;
    }
    const { user, password, peer } = claim;
    guest.user = user;
    guest.password = password === undefined ? undefined : new Secret(utf8(password));
    guest.peer = peer;
    guest.peerInfo = peerInfoOf(info);
    const id = this.#nextQuestion++;
    this.#questions.set(id, { guest, id: undefined });
    const ask = { from: guest.address, peer, user, password: guest.password, peerInfo: guest.peerInfo };
    this.#events.push({ kind: "question", id, question: { kind: "accept-client", ...ask } });
  }

  #answer(answer: Answer, now: Instant): void {
    const pending = this.#questions.get(answer.id);
    this.#questions.delete(answer.id);
    if (pending === undefined) return;
    const { guest, id } = pending;
    if (!this.#guests.has(guest)) {
      if (id === undefined && isAdmission(answer.answer)) {
        this.#events.push({ kind: "declined", admission: answer.answer });
      }
      return;
    }
    if (id !== undefined) guest.session.answer({ kind: "answer", id, answer: answer.answer }, now);
    else this.#admit(guest, answer.answer as Admission | undefined, now);
    this.#hear(guest, now);
    this.#touch(guest);
  }

  #admit(guest: Guest, admission: Admission | undefined, now: Instant): void {
    if (guest.admission !== undefined) return;
    if (!isAdmission(admission)) {
      this.#refuse(guest, "", now);
      return;
    }
    if (commonCipher(this.#ciphers, guest) === undefined) {
      this.#events.push({ kind: "declined", admission });
      this.#refuse(guest, ",Data channel cipher negotiation failed (no shared cipher)", now);
      return;
    }
    // Whoever was at this address before is gone.
    const before = this.#guests.at(guest.address);
    if (before !== undefined) this.#remove(before, failure("exited-by-peer", "the client came anew"));
    if (this.#config.oneOfAKey === true) this.#removeOthers(guest, now);
    this.#guests.admit(guest, admission);
    if (guest.can(Proto.requestPush)) guest.wantsPush = true;
    this.#push(guest, now);
  }

  /** Whoever shows the same key is the same client, come anew. */
  #removeOthers(guest: Guest, now: Instant): void {
    if (guest.peer === undefined) return;
    for (const other of [...this.#guests]) {
      if (other === guest || other.admission === undefined || !hasSameKey(other.peer, guest.peer)) continue;
      other.session.message("HALT,the same certificate is in use elsewhere", now);
      this.#flush(other, now);
      this.#remove(other, failure("exited-by-peer", "the client came anew"));
    }
  }

  #refuse(guest: Guest, text: string, now: Instant): void {
    guest.session.message(`AUTH_FAILED${text}`, now);
    this.#flush(guest, now);
    this.#remove(guest, failure("auth-failed", "the client was refused"));
  }

  #push(guest: Guest, now: Instant): void {
    const { admission } = guest;
    if (!guest.wantsPush || admission === undefined) return;
    guest.wantsPush = false;
    const cipher = commonCipher(this.#ciphers, guest)!;
    const { addresses } = this.#config;
    const pushed = { addresses, pingMs: this.#pingMs, pingRestartMs: this.#pingRestartMs, mtu: this.mtu };
    for (const part of pushReply(optionsFor(guest, admission, cipher, pushed))) guest.session.message(part, now);
    if (guest.isUp) return;
    const { dataV2, tlsExport, dynamicTlsCrypt } = abilitiesOf(guest);
    const peerId = dataV2 ? guest.peerId : undefined;
    const { auth = "SHA-1", replayWindow } = this.#config;
    guest.session.agree({ cipher, auth, peerId, tlsExport, dynamicTlsCrypt, replayWindow }, now);
    guest.cipher = cipher.name;
    this.#trace("client_joined", { peerId: guest.peerId, cipher: cipher.name, tlsExport, dynamicTlsCrypt });
    this.#events.push({ kind: "joined", client: guest.status });
  }

  #remove(guest: Guest, reason: OpenVpnFailure | undefined): void {
    if (!this.#guests.remove(guest)) return;
    this.#due.delete(guest);
    for (const [id, pending] of this.#questions) {
      if (pending.guest === guest && pending.id !== undefined) this.#questions.delete(id);
    }
    const wasUp = guest.isUp;
    const client = guest.status;
    guest.destroy();
    this.#trace("client_left", { peerId: client.peerId, reason: reason?.reason });
    if (wasUp) this.#events.push({ kind: "left", client, failure: reason });
  }

  /** What a client is still to hear before it is forgotten. */
  #flush(guest: Guest, now: Instant): void {
    for (let left = flushPacketsMax; left > 0; left--) {
      const bytes = guest.session.transmit(now);
      if (bytes === undefined) return;
      this.#answers.push({ bytes, to: guest.address });
    }
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** It may have something to send; when that is sent, it is looked when it wants to be woken. */
  #touch(guest: Guest): void {
    if (this.#guests.has(guest)) this.#due.add(guest);
  }

  #deadlineOf(guest: Guest): Instant | undefined {
    const at = guest.session.deadline();
    return guest.isUp
      ? earliest(at, earliest(guest.sentAt + this.#pingMs, guest.receivedAt + 2 * this.#pingRestartMs))
      : at;
  }

  #wake(guest: Guest, now: Instant): void {
    guest.session.wake(now);
    this.#hear(guest, now);
    if (guest.isUp && now >= guest.receivedAt + 2 * this.#pingRestartMs) {
      this.#remove(
        guest,
        failure("ping-timeout", `nothing was heard from the client for ${2 * this.#pingRestartMs} ms`),
      );
      return;
    }
    if (guest.isUp && now >= guest.sentAt + this.#pingMs) {
      guest.isPingDue = true;
      guest.sentAt = now;
    }
    this.#touch(guest);
  }

  #out(size: number, to: SocketAddress): Transmit {
    const out = this.#transmitted;
    out.size = size;
    out.to = to;
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

const flushPacketsMax = 8;
const serverOptions = `V4,dev-type tun,link-mtu 1549,tun-mtu ${tunMtuDefault},proto UDPv4,cipher AES-256-GCM,auth [null-digest],keysize 256,key-method 2,tls-server`;

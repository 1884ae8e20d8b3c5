import { equal, formatAddress, type Prefix, toHex, utf8 } from "../../bytes/index.js";
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
  Secret,
  type SocketAddress,
  type Transmit,
  type Wake,
} from "../../contract/index.js";
import { destinationAt, innerLength, sourceAt } from "../../mechanisms/ip-packet.js";
import { Inbound } from "../../mechanisms/packets/inbound.js";
import { type PacketSource, Staged } from "../../mechanisms/packets/staged.js";
import { PrefixTable } from "../../mechanisms/prefix-table.js";
import { type TlsAsks, type TlsServerOptions, tlsServer } from "../tls/index.js";
import { pushReply } from "./config/push.js";
import { type ServerControlKey, Threshold } from "./control/stateless.js";
import { canCipher, type DataCipher, dataCipher, defaultDataCiphers } from "./data/ciphers.js";
import { framings, type Span } from "./data/framing.js";
import type { DataKeys } from "./data/keys.js";
import { sealAt } from "./data/outbound.js";
import { pingPayload, specialPayload } from "./data/payloads.js";
import { type DropCounts, type DropReason, failure, noDrops, type OpenVpnFailure } from "./failure.js";
import { type Admission, type Applicant, Guest, type GuestStatus } from "./guest.js";
import { newKeyExchange, Proto, peerInfoOf } from "./key-exchange.js";
import {
  batchPacketsMax,
  clientsHalfOpenMax,
  clientsMax,
  handshakeWindowMs,
  peerIdNone,
  renegotiateAfterMs,
  stagedPacketsMax,
  transitionWindowMs,
  tunMtuDefault,
} from "./limits.js";
import { type Renewal, Session } from "./session.js";
import { isControl, isData, Opcode, opcodeOf, sessionIdSize } from "./wire/opcodes.js";

export interface OpenVpnServerConfig {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  /** IPK, IV and the ALG of the control channel. Clients must show certificates unless it says otherwise. */
  readonly tls: TlsServerOptions;
  /** PSKI. Default: none. */
  readonly control?: ServerControlKey;
  /** ALG of the data channel, most wanted first. */
  readonly dataCiphers?: readonly string[];
  readonly auth?: HashName;
  /** Ours inside, by family: pushed as the gateway. */
  readonly addresses: readonly Prefix[];
  /** Pushed: how often a client says that it lives, and after how much silence it begins anew. Default 10 s and 60 s. */
  readonly pingMs?: number;
  readonly pingRestartMs?: number;
  readonly renewal?: Partial<Renewal>;
  readonly handshakeWindowMs?: number;
  readonly transitionWindowMs?: number;
  readonly clientsMax?: number;
  readonly mtu?: number;
  readonly source?: PacketSource;
}

export type OpenVpnServerInput =
  /** One inner IP packet to send, held until it is transmitted. */
  | { readonly kind: "packet"; readonly bytes: Uint8Array }
  | { readonly kind: "remove-client"; readonly peerId: number }
  /** New keys with every client. */
  | { readonly kind: "renegotiate" }
  /** Tells every client to come back later, and ends. */
  | { readonly kind: "close" };

export type OpenVpnServerAsks = TlsAsks & {
  /** May this client in, and with what? Undefined is AUTH_FAILED. */
  "accept-client": { ask: Applicant; answer: Admission };
};

export type OpenVpnServerEvent =
  | { readonly kind: "packets"; readonly bytes: Uint8Array; readonly ranges: Uint32Array; readonly count: number }
  | { readonly kind: "joined"; readonly client: GuestStatus }
  | { readonly kind: "renewed"; readonly client: GuestStatus }
  /** Its packets come from elsewhere: the answers go there. */
  | { readonly kind: "moved"; readonly peerId: number; readonly from: SocketAddress; readonly to: SocketAddress }
  /** An admission came to nothing: the client was gone, or shares no cipher. */
  | { readonly kind: "declined"; readonly admission: Admission }
  | { readonly kind: "left"; readonly client: GuestStatus; readonly failure: OpenVpnFailure | undefined }
  | Question<OpenVpnServerAsks>;

type Pending = { readonly guest: Guest; readonly id: number } | { readonly guest: Guest; readonly id: undefined };

const where = ({ address, port }: SocketAddress): string => `${address} ${port}`;

/** An OpenVPN server: many clients on one port, offering IP packets. For strangers it keeps nothing at all. */
export class OpenVpnServer implements Machine<OpenVpnServerInput | DatagramInput | Answer, OpenVpnServerEvent> {
  readonly mtu: number;
  readonly drops: DropCounts = noDrops();
  readonly #config: OpenVpnServerConfig;
  readonly #threshold: Threshold;
  readonly #source: Staged;
  readonly #ciphers: readonly DataCipher[];
  readonly #guests = new Set<Guest>();
  readonly #byAddress = new Map<string, Guest>();
  readonly #byPeerId = new Map<number, Guest>();
  readonly #bySession = new Map<string, Guest>();
  readonly #routes = { 4: new PrefixTable<Guest>(4), 6: new PrefixTable<Guest>(16) };
  #halfOpen = 0;
  #nextPeerId = 0;

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

  constructor(config: OpenVpnServerConfig) {
    this.#config = config;
    this.mtu = config.mtu ?? tunMtuDefault;
    this.#source = new Staged(config.source, stagedPacketsMax);
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
    switch (input.kind) {
      case "datagrams":
        this.#datagrams(input, now);
        break;
      case "packet":
        if (input.bytes.length > this.mtu) this.#drop("too-big");
        else if (!this.#source.push(input.bytes)) this.#drop("queue-full");
        break;
      case "wake":
        this.#dueAt = undefined;
        for (const guest of [...this.#guests]) this.#wake(guest, now);
        break;
      case "answer":
        this.#answer(input, now);
        break;
      case "remove-client": {
        const guest = this.#byPeerId.get(input.peerId);
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
      const size = guest.isPingDue ? this.#ping(guest, into, now) : 0;
      if (size > 0) return this.#out(size, guest.address);
    }
    return this.#isClosed ? undefined : this.#packets(into, now);
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
    return this.#byPeerId.get(peerId)?.session.exportKey(label, length, context);
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
    const guest = this.#bySession.get(toHex(packet.subarray(1, 1 + sessionIdSize)));
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
    if (this.#halfOpen >= clientsHalfOpenMax || this.#guests.size >= (this.#config.clientsMax ?? clientsMax)) {
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
    const guest = new Guest(session, this.#freePeerId(), { ...from }, now);
    this.#guests.add(guest);
    this.#halfOpen++;
    this.#byPeerId.set(guest.peerId, guest);
    this.#bySession.set(toHex(remoteSessionId), guest);
    const dropped = session.receive(admitted.packet, now);
    if (dropped !== undefined) this.#drop(dropped);
    this.#hear(guest, now);
    this.#touch(guest);
  }

  #freePeerId(): number {
    while (this.#byPeerId.has(this.#nextPeerId)) this.#nextPeerId = (this.#nextPeerId + 1) % peerIdNone;
    const id = this.#nextPeerId;
    this.#nextPeerId = (id + 1) % peerIdNone;
    return id;
  }

  #data(bytes: Uint8Array, at: number, size: number, opcode: number, from: SocketAddress, now: Instant): void {
    const peerId = size < 4 ? -1 : (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    const guest = opcode === Opcode.dataV2 ? this.#byPeerId.get(peerId) : this.#byAddress.get(where(from));
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
    if (this.#routed(bytes, sourceAt(bytes, span.at), span.at) !== guest) {
      this.#drop("source-not-allowed");
      return;
    }
    guest.packetsReceived++;
    guest.bytesReceived += length;
    this.#tell(bytes, span.at, length);
    guest.session.afterTraffic(now);
    if (guest.session.isDue) this.#touch(guest);
  }

  /** An authentic packet from elsewhere: the client is there now, unless another is (wire document §7.3.2). */
  #float(guest: Guest, from: SocketAddress): boolean {
    if (this.#byAddress.has(where(from))) {
      this.#drop("wrong-source");
      return false;
    }
    const before = guest.address;
    this.#byAddress.delete(where(before));
    guest.address = { ...from };
    this.#byAddress.set(where(from), guest);
    this.#events.push({ kind: "moved", peerId: guest.peerId, from: before, to: guest.address });
    return true;
  }

  #routed(bytes: Uint8Array, addressAt: number, packetAt: number): Guest | undefined {
    return this.#routes[bytes[packetAt]! >> 4 === 4 ? 4 : 6].get(bytes, addressAt);
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
          if (event.isFirst) {
            this.#ask(guest, event.peer.user, event.peer.password, event.peer.peerInfo, event.outcome.peer);
          } else if (this.#isSame(guest, event.peer.user, event.peer.password, event.outcome.peer)) {
            this.#events.push({ kind: "renewed", client: guest.status });
          } else this.#remove(guest, failure("identity-changed", "the client became another when keys were renewed"));
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

  #ask(
    guest: Guest,
    user: string | undefined,
    password: string | undefined,
    info: string,
    peer: PeerIdentity | undefined,
  ): void {
    guest.user = user;
    guest.password = password === undefined ? undefined : new Secret(utf8(password));
    guest.peer = peer;
    guest.peerInfo = peerInfoOf(info);
    const id = this.#nextQuestion++;
    this.#questions.set(id, { guest, id: undefined });
    guest.isAsked = true;
    const ask = { from: guest.address, peer, user, password: guest.password, peerInfo: guest.peerInfo };
    this.#events.push({ kind: "question", id, question: { kind: "accept-client", ...ask } });
  }

  /** Who renews keys must be who made the session. */
  #isSame(
    guest: Guest,
    user: string | undefined,
    password: string | undefined,
    peer: PeerIdentity | undefined,
  ): boolean {
    const samePassword =
      password === undefined ? guest.password === undefined : (guest.password?.equals(utf8(password)) ?? false);
    const [before, after] = [guest.peer, peer];
    const sameKey =
      before?.kind === "certificate" && after?.kind === "certificate"
        ? equal(before.publicKey.spki, after.publicKey.spki)
        : before === after;
    return guest.user === user && samePassword && sameKey;
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
    if (this.#cipherFor(guest) === undefined) {
      this.#events.push({ kind: "declined", admission });
      this.#refuse(guest, ",Data channel cipher negotiation failed (no shared cipher)", now);
      return;
    }
    guest.admission = admission;
    this.#halfOpen--;
    // Whoever was at this address before is gone.
    const before = this.#byAddress.get(where(guest.address));
    if (before !== undefined) this.#remove(before, failure("exited-by-peer", "the client came anew"));
    this.#byAddress.set(where(guest.address), guest);
    for (const { address, length } of [...admission.addresses.map(single), ...(admission.routes ?? [])]) {
      this.#routes[address.length === 4 ? 4 : 6].set(address, length, guest);
    }
    if (this.#protoOf(guest) & Proto.requestPush) guest.wantsPush = true;
    this.#push(guest, now);
  }

  #refuse(guest: Guest, text: string, now: Instant): void {
    guest.session.message(`AUTH_FAILED${text}`, now);
    this.#flush(guest, now);
    this.#remove(guest, failure("auth-failed", "the client was refused"));
  }

  #protoOf = (guest: Guest): number => Number(guest.peerInfo.get("IV_PROTO") ?? 0) >>> 0;

  /** The first of ours that the client has; old ones say only that they can negotiate. */
  #cipherFor(guest: Guest): DataCipher | undefined {
    const told = guest.peerInfo.get("IV_CIPHERS")?.split(":");
    const theirs = told ?? (guest.peerInfo.get("IV_NCP") === "2" ? ["AES-256-GCM", "AES-128-GCM"] : []);
    return this.#ciphers.find(({ name }) => theirs.some((each) => each.toUpperCase() === name));
  }

  #push(guest: Guest, now: Instant): void {
    const { admission } = guest;
    if (!guest.wantsPush || admission === undefined) return;
    guest.wantsPush = false;
    const proto = this.#protoOf(guest);
    const cipher = this.#cipherFor(guest)!;
    const has = (bit: number): boolean => (proto & bit) !== 0;
    const tlsExport = has(Proto.tlsExport);
    const dynamicTlsCrypt = tlsExport && has(Proto.dynamicTlsCrypt);
    const flags = [
      ...(has(Proto.controlExit) ? ["cc-exit"] : []),
      ...(tlsExport ? ["tls-ekm"] : []),
      ...(dynamicTlsCrypt ? ["dyn-tls-crypt"] : []),
    ];
    const { pingMs = pingDefaultMs, pingRestartMs = pingRestartDefaultMs } = this.#config;
    const options = [
      ...this.#insideOf(admission),
      `ping ${Math.ceil(pingMs / 1_000)}`,
      `ping-restart ${Math.ceil(pingRestartMs / 1_000)}`,
      ...(admission.push ?? []),
      ...(has(Proto.dataV2) ? [`peer-id ${guest.peerId}`] : []),
      `cipher ${cipher.name}`,
      // Clients before cc-exit know the exporter by another name.
      ...(has(Proto.controlExit) ? [`protocol-flags ${flags.join(" ")}`] : tlsExport ? ["key-derivation tls-ekm"] : []),
      ...(guest.peerInfo.has("IV_MTU") ? [`tun-mtu ${this.mtu}`] : []),
    ];
    for (const part of pushReply(options)) guest.session.message(part, now);
    if (guest.cipher !== undefined) return;
    const peerId = has(Proto.dataV2) ? guest.peerId : undefined;
    const auth = this.#config.auth ?? "SHA-1";
    guest.session.agree(
      { cipher, auth, peerId, tlsExport, dynamicTlsCrypt: dynamicTlsCrypt && has(Proto.controlExit) },
      now,
    );
    guest.cipher = cipher.name;
    this.#events.push({ kind: "joined", client: guest.status });
  }

  #insideOf({ addresses }: Admission): readonly string[] {
    const own = (family: 4 | 16) => this.#config.addresses.find(({ address }) => address.length === family);
    return addresses.flatMap(({ address, length }) => {
      const text = formatAddress(address);
      const gateway = own(address.length === 4 ? 4 : 16);
      if (address.length === 4) {
        const via = gateway === undefined ? [] : [`route-gateway ${formatAddress(gateway.address)}`];
        return [...via, "topology subnet", `ifconfig ${text} ${maskOf(length)}`];
      }
      return [`ifconfig-ipv6 ${text}/${length} ${gateway === undefined ? text : formatAddress(gateway.address)}`];
    });
  }

  #remove(guest: Guest, reason: OpenVpnFailure | undefined): void {
    if (!this.#guests.delete(guest)) return;
    if (guest.admission === undefined) this.#halfOpen--;
    this.#due.delete(guest);
    this.#byPeerId.delete(guest.peerId);
    if (this.#byAddress.get(where(guest.address)) === guest) this.#byAddress.delete(where(guest.address));
    for (const [id, each] of this.#bySession) if (each === guest) this.#bySession.delete(id);
    for (const [id, pending] of this.#questions) {
      if (pending.guest === guest && pending.id !== undefined) this.#questions.delete(id);
    }
    this.#routes[4].deleteValue(guest);
    this.#routes[6].deleteValue(guest);
    const wasUp = guest.isUp;
    const client = guest.status;
    guest.destroy();
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
    const { pingMs = pingDefaultMs, pingRestartMs = pingRestartDefaultMs } = this.#config;
    const at = guest.session.deadline();
    return guest.isUp ? earliest(at, earliest(guest.sentAt + pingMs, guest.receivedAt + 2 * pingRestartMs)) : at;
  }

  #wake(guest: Guest, now: Instant): void {
    const { pingMs = pingDefaultMs, pingRestartMs = pingRestartDefaultMs } = this.#config;
    guest.session.wake(now);
    this.#hear(guest, now);
    if (guest.isUp && now >= guest.receivedAt + 2 * pingRestartMs) {
      this.#remove(guest, failure("ping-timeout", `nothing was heard from the client for ${2 * pingRestartMs} ms`));
      return;
    }
    if (guest.isUp && now >= guest.sentAt + pingMs) {
      guest.isPingDue = true;
      guest.sentAt = now;
    }
    this.#touch(guest);
  }

  // ── packets out ────────────────────────────────────────────────────────────────────────────────────────────────

  #ping(guest: Guest, into: Uint8Array, now: Instant): number {
    guest.isPingDue = false;
    const keys = guest.session.sendKeys(now);
    if (keys === undefined) return 0;
    const framing = framings[guest.framing];
    into.set(pingPayload, keys.head + framing.head);
    return sealAt(keys, framing, into, 0, pingPayload.length, this.#span);
  }

  #packets(into: Uint8Array, now: Instant): Transmit | undefined {
    const source = this.#source;
    if (this.#guests.size === 0) return undefined;
    // Where the payload begins is the receiver's affair: it is read from what is pulled.
    for (let size = source.pull(into, pullAt, now); size > 0; size = source.pull(into, pullAt, now)) {
      const length = innerLength(into, pullAt, size);
      const guest = length === 0 ? undefined : this.#routed(into, destinationAt(into, pullAt), pullAt);
      const keys: DataKeys | undefined = guest?.isUp ? guest.session.sendKeys(now) : undefined;
      if (guest === undefined || keys === undefined) {
        this.#drop(length === 0 ? "not-ip" : guest === undefined ? "no-route" : "no-keys");
        continue;
      }
      const framing = framings[guest.framing];
      const payload = keys.head + framing.head;
      if (payload !== pullAt) into.copyWithin(payload, pullAt, pullAt + size);
      const whole = sealAt(keys, framing, into, 0, size, this.#span);
      guest.packetsSent++;
      guest.bytesSent += size;
      guest.sentAt = now;
      guest.session.afterTraffic(now);
      if (guest.session.isDue) this.#touch(guest);
      return this.#out(whole, guest.address);
    }
    return undefined;
  }

  #out(size: number, to: SocketAddress): Transmit {
    const out = this.#transmitted;
    out.size = size;
    out.to = to;
    return out;
  }

  #drop(reason: DropReason): void {
    this.drops[reason]++;
  }
}

/** Where P_DATA_V2 of an AEAD has its payload. */
const pullAt = 4 + 4 + 16;
const flushPacketsMax = 8;
const pingDefaultMs = 10_000;
const pingRestartDefaultMs = 60_000;
const serverOptions = `V4,dev-type tun,link-mtu 1549,tun-mtu ${tunMtuDefault},proto UDPv4,cipher AES-256-GCM,auth [null-digest],keysize 256,key-method 2,tls-server`;

const single = ({ address }: Prefix): Prefix => ({ address, length: 8 * address.length });

function isAdmission(answer: unknown): answer is Admission {
  return typeof answer === "object" && answer !== null && "addresses" in answer && Array.isArray(answer.addresses);
}

/** A netmask of so many bits, as text. */
const maskOf = (length: number): string =>
  formatAddress(Uint8Array.from({ length: 4 }, (_, i) => (0xff00 >> Math.min(8, Math.max(0, length - 8 * i))) & 0xff));

import { type Entropy, type Instant, isSameAddress, networkFailure, type SocketAddress } from "../../contract/index.js";
import { Backoff } from "../../mechanisms/backoff.js";
import { Connection, scratch, type Tell } from "./connection.js";
import { type CurveCpFailure, curvecpFailure } from "./failure.js";
import { Credentials } from "./handshake/credentials.js";
import { type Boxes, counterNonce, longNonce } from "./keys.js";
import { hellosMax, helloWaitFactor, helloWaitMs, initiateTimeoutMs, keepAliveMs, limits } from "./limits.js";
import {
  clientKeyAt,
  clientMessage,
  cookiePacket,
  cookieSize,
  credentialsSize,
  extensionSize,
  hello,
  helloPlainSize,
  initiate,
  initiateMessageMax,
  magic,
  messageSizeMax,
  receiverExtensionAt,
  sameAt,
  senderExtensionAt,
  serverMessage,
  writeU64,
} from "./messages/packets.js";
import type { CurveCpClientOptions } from "./options.js";

/** `hello` until a Cookie has come, `initiate` until the server's first Message, then `confirmed`. */
type Phase = "hello" | "initiate" | "confirmed";

/** A client's end: Hellos to one address after another, Initiates with the first data, then Messages. */
export class ClientConnection extends Connection {
  readonly #entropy: Entropy;
  readonly #boxes: Boxes;
  /** C', which names the connection as long as it lives. */
  readonly #shortTermKey: Uint8Array;
  readonly #extension: Uint8Array;
  readonly #serverExtension: Uint8Array;
  readonly #addresses: readonly SocketAddress[];
  readonly #keepAliveMs: number;
  readonly #outcome: { readonly serverName: string; readonly key: Uint8Array };
  readonly #messageNonce = counterNonce("CurveCP-client-M");
  readonly #initiateNonce = counterNonce("CurveCP-client-I");
  readonly #serverNonce = counterNonce("CurveCP-server-M");
  readonly #backoff = new Backoff({ firstMs: helloWaitMs, factor: helloWaitFactor, repeatsMax: hellosMax - 1 });
  /** What is wiped at the server's first Message: by then nobody needs it any more. */
  #credentials: Credentials | undefined;
  #phase: Phase = "hello";
  #hellos = 0;
  #helloDue = true;
  #initiateBy: Instant = Number.POSITIVE_INFINITY;
  #keepAliveAt: Instant = Number.POSITIVE_INFINITY;

  constructor(
    id: number,
    remote: SocketAddress,
    options: CurveCpClientOptions,
    ground: { readonly entropy: Entropy; readonly boxes: Boxes },
    tell: Tell,
    now: Instant,
  ) {
    super(id, remote, options, ground.entropy, tell, now);
    const none = new Uint8Array(extensionSize);
    this.#entropy = ground.entropy;
    this.#boxes = ground.boxes;
    this.#extension = options.extension ?? none;
    this.#serverExtension = options.serverExtension ?? none;
    this.#addresses = this.#shuffled([remote, ...(options.alternates ?? [])].slice(0, limits.addressesMax));
    this.#keepAliveMs = options.keepAliveMs ?? keepAliveMs;
    this.#credentials = new Credentials(ground.boxes, ground.entropy, options);
    this.#shortTermKey = this.#credentials.shortTermKey;
    this.#outcome = { serverName: options.serverName ?? "", key: options.serverKey };
  }

  /** Is this one of the addresses at which the server may be? */
  knows(address: SocketAddress): boolean {
    for (const each of this.#addresses) if (isSameAddress(each, address)) return true;
    return isSameAddress(this.remote, address);
  }

  /** A Cookie packet, authentic or not. */
  cookie(bytes: Uint8Array, at: number, from: SocketAddress, now: Instant): void {
    this.at = now;
    const credentials = this.#credentials;
    if (this.#phase !== "hello" || credentials === undefined) {
      this.drop("replayed");
      return;
    }
    if (!this.#isOurs(bytes, at)) return;
    const nonce = longNonce("CurveCPK", bytes.subarray(at + cookiePacket.nonceAt, at + cookiePacket.boxAt));
    const boxSize = cookiePacket.size - cookiePacket.boxAt;
    const plain = this.#boxes.open(credentials.helloKey, nonce, bytes, at + cookiePacket.boxAt, boxSize);
    const key = plain && credentials.accept(plain, cookieSize);
    if (plain === undefined || key === undefined) {
      this.drop("bad-box");
      return;
    }
    this.remote = { ...from };
    this.sealer = this.#boxes.sealer(key);
    this.opener = this.#boxes.opener(key);
    key.wipe();
    plain.fill(0);
    this.#phase = "initiate";
    this.#helloDue = false;
    this.#backoff.stop();
    this.#initiateBy = now + initiateTimeoutMs;
    this.lastHeardAt = now;
    this.trace("cookie_received");
    // With nothing to say, an empty message asks for the server's first.
    this.pingOwed = true;
  }

  /** A Message packet of the server's, authentic or not. */
  packet(bytes: Uint8Array, at: number, end: number, now: Instant): void {
    this.at = now;
    if (this.opener === undefined) {
      this.drop("no-connection");
      return;
    }
    if (!this.#isOurs(bytes, at)) return;
    const { counterAt, boxAt } = serverMessage;
    const size = this.open(bytes, at + counterAt, at + boxAt, end, this.#serverNonce, scratch);
    if (size < 0) return;
    if (this.#phase === "initiate") this.#confirm(now);
    this.message(scratch, 0, size, now);
  }

  protected get messageMax(): number {
    return this.#phase === "confirmed" ? messageSizeMax : this.#phase === "initiate" ? initiateMessageMax : 0;
  }

  protected get sealNonce(): Uint8Array {
    return this.#phase === "confirmed" ? this.#messageNonce : this.#initiateNonce;
  }

  protected writeHead(into: Uint8Array, at: number): number {
    const isInitiate = this.#phase === "initiate";
    this.#writeStart(into, at, isInitiate ? magic.initiate : magic["client-message"]);
    if (isInitiate) into.set(this.#credentials!.cookie, at + initiate.cookieAt);
    const { counterAt, boxAt } = isInitiate ? initiate : clientMessage;
    writeU64(into, at + counterAt, this.counter);
    return at + boxAt;
  }

  protected override writePrefix(into: Uint8Array, at: number): number {
    if (this.#phase !== "initiate") return 0;
    into.set(this.#credentials!.plain, at);
    return credentialsSize;
  }

  protected override handshakePacket(into: Uint8Array, now: Instant): number {
    if (this.#phase !== "hello" || !this.#helloDue) return 0;
    this.#helloDue = false;
    this.remote = this.#addresses[this.#hellos % this.#addresses.length]!;
    this.#hellos++;
    this.#writeStart(into, 0, magic.hello);
    into.fill(0, hello.zerosAt, hello.counterAt);
    writeU64(into, hello.counterAt, this.counter);
    const nonce = counterNonce("CurveCP-client-H");
    writeU64(nonce, 16, this.counter++);
    into.set(this.#boxes.seal(this.#credentials!.helloKey, nonce, new Uint8Array(helloPlainSize)), hello.boxAt);
    if (this.#hellos === 1) this.#backoff.start(now, this.#jitter(helloWaitMs));
    this.packetsSent++;
    this.lastSentAt = now;
    this.trace("hello_sent", { attempt: this.#hellos });
    return hello.size;
  }

  protected ownDeadline(): Instant | undefined {
    if (this.#phase === "hello") return this.#backoff.deadline;
    if (this.#phase === "initiate") return this.#initiateBy;
    return this.#keepAliveMs > 0 ? this.#keepAliveAt : undefined;
  }

  protected ownWake(now: Instant): void {
    switch (this.#phase) {
      case "hello": {
        const wait = helloWaitMs * helloWaitFactor ** this.#hellos;
        const due = this.#backoff.due(now, this.#jitter(wait));
        if (due === "again") this.#helloDue = true;
        else if (due === "exhausted") {
          this.fail(unanswered("Hello", `nobody answered ${hellosMax} Hellos`), now);
        }
        return;
      }
      case "initiate":
        if (now < this.#initiateBy) return;
        this.fail(unanswered("Initiate", "the server gave a cookie, and then said nothing", refusedHint), now);
        return;
      case "confirmed":
        if (this.#keepAliveMs === 0 || now < this.#keepAliveAt) return;
        if (now >= this.lastSentAt + this.#keepAliveMs) this.acknowledgementOwed = true;
        this.#keepAliveAt = Math.max(now, this.lastSentAt) + this.#keepAliveMs;
    }
  }

  protected override wipe(): void {
    this.#credentials?.wipe();
    this.#credentials = undefined;
  }

  #confirm(now: Instant): void {
    this.#phase = "confirmed";
    this.#keepAliveAt = now + this.#keepAliveMs;
    this.wipe();
    const { serverName, key } = this.#outcome;
    this.trace("confirmed");
    if (this.state !== "open") return;
    this.tell({
      kind: "confirmed",
      connection: this.id,
      outcome: { peer: { kind: "static-key", key: key.slice() }, serverName },
    });
  }

  /** Both extensions of a packet from the server must be right: ours first. */
  #isOurs(bytes: Uint8Array, at: number): boolean {
    const isRight =
      sameAt(bytes, at + receiverExtensionAt, this.#extension, 0, extensionSize) &&
      sameAt(bytes, at + senderExtensionAt, this.#serverExtension, 0, extensionSize);
    if (!isRight) this.drop("wrong-extension");
    return isRight;
  }

  #writeStart(into: Uint8Array, at: number, name: Uint8Array): void {
    into.set(name, at);
    into.set(this.#serverExtension, at + receiverExtensionAt);
    into.set(this.#extension, at + senderExtensionAt);
    into.set(this.#shortTermKey, at + clientKeyAt);
  }

  /** A random wait on top of each (reference client: up to as much again). */
  #jitter(mostMs: number): number {
    const [a = 0, b = 0] = this.#entropy.fill(new Uint8Array(2));
    return (mostMs * (a * 256 + b)) / 65_536;
  }

  /** The order in which addresses are tried is left to chance (reference client). */
  #shuffled(addresses: SocketAddress[]): readonly SocketAddress[] {
    for (let i = addresses.length - 1; i > 0; i--) {
      const j = Math.floor(this.#jitter(i + 1));
      [addresses[i], addresses[j]] = [addresses[j]!, addresses[i]!];
    }
    return addresses;
  }
}

const refusedHint = "it may not know our long-term key, or not have the name that was asked for";

const unanswered = (at: string, message: string, hint?: string): CurveCpFailure =>
  curvecpFailure("no-answer", at, message, {
    cause: networkFailure("timed-out", message),
    ...(hint !== undefined && { hint }),
  });

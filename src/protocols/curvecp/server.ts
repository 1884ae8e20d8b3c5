import { type Entropy, type Instant, isSameAddress, type SocketAddress } from "../../contract/index.js";
import { Connection, scratch, type Tell } from "./connection.js";
import { curvecpFailure } from "./failure.js";
import type { Entrance } from "./handshake/threshold.js";
import { type Boxes, counterNonce } from "./keys.js";
import { idleMs } from "./limits.js";
import {
  clientMessage,
  credentialsSize,
  extensionSize,
  initiate,
  magic,
  messageSizeMax,
  receiverExtensionAt,
  sameAt,
  senderExtensionAt,
  serverMessage,
  writeU64,
} from "./messages/packets.js";
import type { CurveCpServerOptions } from "./options.js";

/** A server's end of a connection: it begins with a client that has proved both its keys. */
export class ServerConnection extends Connection {
  /** C', by which the endpoint finds it. */
  readonly shortTermKey: Uint8Array;
  /** C. */
  readonly publicKey: Uint8Array;
  readonly serverName: string;
  readonly #extension: Uint8Array;
  readonly #clientExtension: Uint8Array;
  readonly #idleMs: number;
  readonly #nonce = counterNonce("CurveCP-server-M");
  readonly #messageNonce = counterNonce("CurveCP-client-M");
  readonly #initiateNonce = counterNonce("CurveCP-client-I");

  constructor(
    id: number,
    from: SocketAddress,
    clientExtension: Uint8Array,
    entrance: Entrance,
    options: CurveCpServerOptions,
    ground: { readonly entropy: Entropy; readonly boxes: Boxes },
    tell: Tell,
    now: Instant,
  ) {
    super(id, from, options, ground.entropy, tell, now);
    this.shortTermKey = entrance.shortTermKey;
    this.publicKey = entrance.publicKey;
    this.serverName = entrance.serverName;
    this.#extension = options.extension ?? new Uint8Array(extensionSize);
    this.#clientExtension = clientExtension;
    this.#idleMs = options.idleTimeoutMs ?? idleMs;
    this.sealer = ground.boxes.sealer(entrance.key);
    this.opener = ground.boxes.opener(entrance.key);
    this.counters.accept(entrance.counter, 0);
    this.packetsReceived = 1;
  }

  /** The message of the Initiate with which it began, once it is accepted. */
  begin(entrance: Entrance, now: Instant): void {
    const { publicKey, serverName, message } = entrance;
    this.tell({
      kind: "confirmed",
      connection: this.id,
      outcome: { peer: { kind: "static-key", key: publicKey.slice() }, serverName },
    });
    this.trace("confirmed", { serverName });
    this.message(message, 0, message.length, now);
    // The server's first Message ends the client's Initiates, whether or not there was anything to acknowledge.
    this.acknowledgementOwed = true;
  }

  /** An Initiate or Message packet with our C', authentic or not. */
  packet(bytes: Uint8Array, at: number, end: number, isInitiate: boolean, from: SocketAddress, now: Instant): void {
    this.at = now;
    const { counterAt, boxAt } = isInitiate ? initiate : clientMessage;
    const nonce = isInitiate ? this.#initiateNonce : this.#messageNonce;
    const { greatest } = this.counters;
    const size = this.open(bytes, at + counterAt, at + boxAt, end, nonce, scratch);
    if (size < 0) return;
    // The newest authentic packet says where the client is (packets page): one that was overtaken does not.
    if (this.counters.greatest > greatest) this.#follow(bytes, at, from, now);
    const skip = isInitiate ? credentialsSize : 0;
    this.message(scratch, skip, size - skip, now);
  }

  protected get messageMax(): number {
    return messageSizeMax;
  }

  protected get sealNonce(): Uint8Array {
    return this.#nonce;
  }

  protected writeHead(into: Uint8Array, at: number): number {
    into.set(magic["server-message"], at);
    into.set(this.#clientExtension, at + receiverExtensionAt);
    into.set(this.#extension, at + senderExtensionAt);
    writeU64(into, at + serverMessage.counterAt, this.counter);
    return at + serverMessage.boxAt;
  }

  protected ownDeadline(): Instant | undefined {
    return this.lastHeardAt + this.#idleMs;
  }

  protected ownWake(now: Instant): void {
    if (now < this.lastHeardAt + this.#idleMs) return;
    this.fail(curvecpFailure("connection-lost", "message", "the client has said nothing for too long"), now);
  }

  #follow(bytes: Uint8Array, at: number, from: SocketAddress, now: Instant): void {
    if (!sameAt(bytes, at + senderExtensionAt, this.#clientExtension, 0, extensionSize)) {
      this.#clientExtension.set(bytes.subarray(at + senderExtensionAt, at + senderExtensionAt + extensionSize));
    }
    if (!isSameAddress(from, this.remote)) this.moveTo(from, now);
  }
}

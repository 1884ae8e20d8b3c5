import {
  type CryptoProvider,
  type Entropy,
  equalInConstantTime,
  type HashName,
  type Instant,
  type KeyedCipher,
  type Mac,
  type Opener,
  type Sealer,
  type Secret,
} from "../../../contract/index.js";
import { ReplayWindow } from "../../../mechanisms/replay-window.js";
import type { Role } from "../control/wrap.js";
import type { DropReason } from "../failure.js";
import { dataReplayWindow, gcmBlocksMax, packetIdMax, packetIdRenegotiate } from "../limits.js";
import { putU32, u32 } from "../wire/control.js";
import { firstByte, Opcode, opcodeOf } from "../wire/opcodes.js";
import type { DataCipher } from "./ciphers.js";
import type { Span } from "./framing.js";

/** What both sides agreed on for the data channel. */
export interface DataParameters {
  readonly cipher: DataCipher;
  /** `--auth`, for ciphers that are no AEAD. */
  readonly auth: HashName;
  /** Of P_DATA_V2; undefined sends P_DATA_V1. */
  readonly peerId: number | undefined;
  /** `--replay-window`: packets that may come late. Default `dataReplayWindow`, less the 32 that are being cleared. */
  readonly replayWindow?: number | undefined;
}

/** One key ID's way of protecting packets. Everything happens in place. */
interface Protection {
  /** From the packet ID to the payload. */
  readonly head: number;
  /** Most bytes behind the payload. */
  readonly tail: number;
  /** The payload lies at `at + header + head`; answers the bytes from `at` on. */
  seal(bytes: Uint8Array, at: number, header: number, size: number, id: number): number;
  /** Sets `span` to the payload. Answers the packet ID, or -1 for a wrong tag. */
  open(bytes: Uint8Array, at: number, header: number, size: number, span: Span): number;
  /** Blocks and packets under the sending key, as far as they are limited. */
  readonly used: number;
  destroy(): void;
}

/** The next power of two that remembers so many. */
const windowBits = (packets: number): number => 2 ** Math.ceil(Math.log2(Math.max(packets + 32, 64)));

const pairSize = 128;

/** The keys of one negotiation, for both directions, with their packet IDs and their window (wire document §7). */
export class DataKeys {
  readonly keyId: number;
  readonly bornAt: Instant;
  /** From the packet's start to the payload, and the most bytes behind it. */
  readonly head: number;
  readonly tail: number;
  readonly #protection: Protection;
  readonly #header: number;
  readonly #first: number;
  readonly #peerId: number;
  readonly #window: ReplayWindow;
  #sent = 0;
  #bytes = 0;
  #received = 0;
  readonly #isBlockLimited: boolean;

  /** `block` are the 256 bytes of key material (§7.1): client to server first. */
  constructor(
    crypto: CryptoProvider,
    entropy: Entropy,
    { cipher, auth, peerId, replayWindow }: DataParameters,
    block: Secret,
    role: Role,
    keyId: number,
    now: Instant,
  ) {
    this.keyId = keyId;
    this.bornAt = now;
    this.#window = new ReplayWindow(replayWindow === undefined ? dataReplayWindow : windowBits(replayWindow));
    const own = role === "client" ? 0 : pairSize;
    const other = role === "client" ? pairSize : 0;
    const bytes = block.expose();
    const pairs = { send: bytes.subarray(own, own + pairSize), receive: bytes.subarray(other, other + pairSize) };
    const { protection } = cipher;
    this.#protection =
      "aead" in protection
        ? new AeadProtection(crypto, protection.aead, cipher.keySize, pairs)
        : new CbcProtection(crypto, entropy, protection.cbc, cipher.keySize, auth, pairs);
    this.#isBlockLimited = "aead" in protection && protection.hasBlockLimit;
    this.#header = peerId === undefined ? 1 : 4;
    this.#first = firstByte(peerId === undefined ? Opcode.dataV1 : Opcode.dataV2, keyId);
    this.#peerId = peerId ?? 0;
    this.head = this.#header + this.#protection.head;
    this.tail = this.#protection.tail;
  }

  /** May these keys still send? */
  get isUsable(): boolean {
    return this.#sent < packetIdMax && !(this.#isBlockLimited && this.#protection.used >= gcmBlocksMax);
  }

  /** Are they near an end that the cipher or the packet ID sets? */
  get isWorn(): boolean {
    return (
      this.#sent >= packetIdRenegotiate || (this.#isBlockLimited && this.#protection.used >= (7 / 8) * gcmBlocksMax)
    );
  }

  /** Packets sent and received, and bytes of both. */
  get packets(): number {
    return this.#sent + this.#received;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get hasReceived(): boolean {
    return this.#received > 0;
  }

  /** Makes the packet around a payload of `size` bytes that lies at `at + head`. Answers its size. */
  seal(bytes: Uint8Array, at: number, size: number): number {
    const header = this.#header;
    bytes[at] = this.#first;
    if (header === 4) {
      bytes[at + 1] = this.#peerId >>> 16;
      bytes[at + 2] = this.#peerId >>> 8;
      bytes[at + 3] = this.#peerId;
    }
    this.#bytes += size;
    return this.#protection.seal(bytes, at, header, size, ++this.#sent);
  }

  /** Opens a packet in place and sets `span` to what was inside; or says why not. Only what is authentic moves the window. */
  open(bytes: Uint8Array, at: number, size: number, span: Span): DropReason | undefined {
    const header = opcodeOf(bytes[at]!) === Opcode.dataV2 ? 4 : 1;
    if (size < header + this.#protection.head) return "malformed";
    const id = this.#protection.open(bytes, at, header, size, span);
    if (id < 0) return "bad-tag";
    if (!this.#window.accept(id)) return "replayed";
    this.#received++;
    this.#bytes += span.size;
    return undefined;
  }

  destroy(): void {
    this.#protection.destroy();
  }
}

interface Pairs {
  readonly send: Uint8Array;
  readonly receive: Uint8Array;
}

const idSize = 4;
const tagSize = 16;
const implicitSize = 8;

/** §7.4: the tag stands before the ciphertext; the nonce is the packet ID and the head of the HMAC key. */
class AeadProtection implements Protection {
  readonly head = idSize + tagSize;
  /** The sealer writes its tag behind before it is moved. */
  readonly tail = tagSize;
  used = 0;
  readonly #sealer: Sealer;
  readonly #opener: Opener;
  readonly #sendNonce = new Uint8Array(idSize + implicitSize);
  readonly #receiveNonce = new Uint8Array(idSize + implicitSize);
  readonly #associated4 = new Uint8Array(idSize);
  readonly #associated8 = new Uint8Array(4 + idSize);
  readonly #tag = new Uint8Array(tagSize);

  constructor(
    crypto: CryptoProvider,
    name: Parameters<CryptoProvider["aead"]>[0],
    keySize: number,
    { send, receive }: Pairs,
  ) {
    const aead = crypto.aead(name);
    this.#sealer = aead.sealer(send.subarray(0, keySize));
    this.#opener = aead.opener(receive.subarray(0, keySize));
    this.#sendNonce.set(send.subarray(64, 64 + implicitSize), idSize);
    this.#receiveNonce.set(receive.subarray(64, 64 + implicitSize), idSize);
  }

  /** The header of P_DATA_V2 is authenticated, that of P_DATA_V1 is not. */
  #associated(bytes: Uint8Array, at: number, header: number): Uint8Array {
    const into = header === 4 ? this.#associated8 : this.#associated4;
    const from = at + header + idSize - into.length;
    for (let i = 0; i < into.length; i++) into[i] = bytes[from + i]!;
    return into;
  }

  seal(bytes: Uint8Array, at: number, header: number, size: number, id: number): number {
    const idAt = at + header;
    const payload = idAt + this.head;
    putU32(bytes, idAt, id);
    putU32(this.#sendNonce, 0, id);
    this.#sealer.seal(bytes, payload, size, this.#sendNonce, this.#associated(bytes, at, header));
    bytes.copyWithin(idAt + idSize, payload + size, payload + size + tagSize);
    this.used += 1 + ((size + 15) >>> 4);
    return header + this.head + size;
  }

  open(bytes: Uint8Array, at: number, header: number, size: number, span: Span): number {
    const idAt = at + header;
    const payload = idAt + this.head;
    const end = at + size;
    for (let i = 0; i < 4; i++) this.#receiveNonce[i] = bytes[idAt + i]!;
    const associated = this.#associated(bytes, at, header);
    const id = u32(bytes, idAt);
    // Behind the packet may lie another: the ciphertext moves over its tag, and the tag behind it.
    for (let i = 0; i < tagSize; i++) this.#tag[i] = bytes[idAt + idSize + i]!;
    const from = payload - tagSize;
    bytes.copyWithin(from, payload, end);
    bytes.set(this.#tag, end - tagSize);
    if (!this.#opener.open(bytes, from, end - from, this.#receiveNonce, associated)) return -1;
    span.at = from;
    span.size = end - payload;
    return id;
  }

  destroy(): void {
    this.#sealer.destroy();
    this.#opener.destroy();
  }
}

const blockSize = 16;

/** §7.6: HMAC over IV and ciphertext, and the packet ID at the front of the plaintext. Encrypt, then MAC. */
class CbcProtection implements Protection {
  readonly head: number;
  readonly tail = blockSize;
  readonly used = 0;
  readonly #entropy: Entropy;
  readonly #encrypt: KeyedCipher;
  readonly #decrypt: KeyedCipher;
  readonly #send: Mac;
  readonly #receive: Mac;
  readonly #iv = new Uint8Array(blockSize);
  readonly #computed: Uint8Array;
  readonly #given: Uint8Array;

  constructor(
    crypto: CryptoProvider,
    entropy: Entropy,
    name: Parameters<CryptoProvider["cipher"]>[0],
    keySize: number,
    auth: HashName,
    { send, receive }: Pairs,
  ) {
    const cipher = crypto.cipher(name);
    const hash = crypto.hash(auth);
    this.#entropy = entropy;
    this.#encrypt = cipher.encryptor(send.subarray(0, keySize));
    this.#decrypt = cipher.decryptor(receive.subarray(0, keySize));
    this.#send = hash.hmac(send.subarray(64, 64 + hash.size));
    this.#receive = hash.hmac(receive.subarray(64, 64 + hash.size));
    this.#computed = new Uint8Array(hash.size);
    this.#given = new Uint8Array(hash.size);
    this.head = hash.size + blockSize + idSize;
  }

  seal(bytes: Uint8Array, at: number, header: number, size: number, id: number): number {
    const tagAt = at + header;
    const ivAt = tagAt + this.#send.size;
    const plain = ivAt + blockSize;
    const pad = blockSize - ((idSize + size) % blockSize);
    const sealed = idSize + size + pad;
    putU32(bytes, plain, id);
    bytes.fill(pad, plain + idSize + size, plain + sealed);
    this.#entropy.fill(this.#iv);
    bytes.set(this.#iv, ivAt);
    this.#encrypt.apply(bytes, plain, sealed, this.#iv);
    this.#send.computeInto(bytes, tagAt, bytes, ivAt, plain + sealed);
    return plain + sealed - at;
  }

  open(bytes: Uint8Array, at: number, header: number, size: number, span: Span): number {
    const tagAt = at + header;
    const ivAt = tagAt + this.#receive.size;
    const plain = ivAt + blockSize;
    const sealed = at + size - plain;
    if (sealed < blockSize || sealed % blockSize !== 0) return -1;
    this.#receive.computeInto(this.#computed, 0, bytes, ivAt, at + size);
    for (let i = 0; i < this.#given.length; i++) this.#given[i] = bytes[tagAt + i]!;
    if (!equalInConstantTime(this.#computed, this.#given)) return -1;
    for (let i = 0; i < blockSize; i++) this.#iv[i] = bytes[ivAt + i]!;
    this.#decrypt.apply(bytes, plain, sealed, this.#iv);
    const pad = bytes[plain + sealed - 1]!;
    // It is authentic, so this tells nobody anything.
    if (pad === 0 || pad > blockSize || sealed < idSize + pad) return -1;
    span.at = plain + idSize;
    span.size = sealed - idSize - pad;
    return u32(bytes, plain);
  }

  destroy(): void {
    this.#encrypt.destroy();
    this.#decrypt.destroy();
    this.#send.destroy();
    this.#receive.destroy();
  }
}

import { DecodeError } from "../../bytes/index.js";
import type { AgreementKeys, CryptoProvider, Entropy, Secret } from "../../contract/index.js";
import { tcpcryptFailure } from "./failure.js";
import type { KeySchedule } from "./keys.js";
import { limits } from "./limits.js";
import { initHeaderSize, initMagic, readInit1, readInit2, writeInit1, writeInit2 } from "./messages/init.js";
import { nonceSize, type SymCipher, symCipherById, type Tep } from "./parameters.js";

export interface ExchangeConfig {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  readonly schedule: KeySchedule;
  readonly role: "A" | "B";
  readonly tep: Tep;
  readonly transcript: Uint8Array;
  /** Best first. */
  readonly ciphers: readonly SymCipher[];
}

/** What the exchange comes to: ss[0], the cipher, and the message that B has still to send. */
export interface Exchanged {
  readonly secret: Secret;
  readonly cipher: SymCipher;
  readonly answer: Uint8Array | undefined;
}

/** The key exchange of RFC 8548 §3.3: Init1 of A, Init2 of B. */
export class Exchange {
  readonly #config: ExchangeConfig;
  readonly #nonce: Uint8Array;
  #keys: AgreementKeys | undefined;
  #init1: Uint8Array | undefined;

  constructor(config: ExchangeConfig) {
    this.#config = config;
    this.#nonce = config.entropy.fill(new Uint8Array(nonceSize));
  }

  /** A's Init1; nothing for B, which waits for it. */
  start(): Uint8Array | undefined {
    const { role, tep, crypto, entropy, ciphers } = this.#config;
    if (role === "B") return undefined;
    this.#keys = crypto.agreement(tep.agreement).initiate(entropy);
    const message = { ciphers: ciphers.map(({ id }) => id), nonce: this.#nonce, share: this.#keys.share };
    this.#init1 = writeInit1(tep, message);
    return this.#init1;
  }

  /** The size of the peer's message, whose header this is. Throws what is no message of its. */
  sizeOf(bytes: Uint8Array, at: number): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, initHeaderSize);
    const { name, magic } = this.#expected;
    if (view.getUint32(0) !== magic) throw malformed(name, "it does not begin with its magic number");
    const size = view.getUint32(4);
    if (size < initHeaderSize) throw malformed(name, `${size} bytes are not even its header`);
    if (size > limits.initSizeMax) throw tcpcryptFailure("init-too-large", `${size} bytes`, { at: name });
    return size;
  }

  /** Takes the peer's message, whole. Throws why it cannot be followed. */
  receive(bytes: Uint8Array): Exchanged {
    try {
      return this.#config.role === "A" ? this.#conclude(bytes) : this.#respond(bytes);
    } catch (error) {
      if (error instanceof DecodeError) throw malformed(this.#expected.name, error.message);
      throw error;
    }
  }

  destroy(): void {
    this.#keys?.privateKey.wipe();
    this.#keys = undefined;
  }

  get #expected(): { readonly name: string; readonly magic: number } {
    return this.#config.role === "A"
      ? { name: "Init2", magic: initMagic.init2 }
      : { name: "Init1", magic: initMagic.init1 };
  }

  #respond(bytes: Uint8Array): Exchanged {
    const { tep, crypto, entropy, schedule, transcript, ciphers } = this.#config;
    const init1 = readInit1(bytes, tep);
    const cipher = ciphers.find(({ id }) => init1.ciphers.includes(id));
    if (cipher === undefined) {
      const offered = init1.ciphers.map((id) => symCipherById(id)?.name ?? `0x${id.toString(16)}`).join(", ");
      throw tcpcryptFailure("no-common-cipher", `A offers ${offered || "none"}`, { at: "sym_cipher_list" });
    }
    const agreed = init1.share && crypto.agreement(tep.agreement).respond(init1.share, entropy);
    if (agreed === undefined) throw invalidKey("Pub_A");
    const answer = writeInit2(tep, { cipher: cipher.id, nonce: this.#nonce, share: agreed.share });
    const secret = schedule.pseudoRandomKey(init1.nonce, transcript, bytes, answer, agreed.secret);
    agreed.secret.wipe();
    return { secret, cipher, answer };
  }

  #conclude(bytes: Uint8Array): Exchanged {
    const { tep, crypto, schedule, transcript, ciphers } = this.#config;
    const init2 = readInit2(bytes, tep);
    const cipher = ciphers.find(({ id }) => id === init2.cipher);
    if (cipher === undefined) {
      throw tcpcryptFailure("unoffered-cipher", `B chose 0x${init2.cipher.toString(16)}`, { at: "sym_cipher" });
    }
    const agreed = init2.share && crypto.agreement(tep.agreement).conclude(this.#keys!.privateKey, init2.share);
    this.destroy();
    if (agreed === undefined) throw invalidKey("Pub_B");
    const secret = schedule.pseudoRandomKey(this.#nonce, transcript, this.#init1!, bytes, agreed);
    agreed.wipe();
    return { secret, cipher, answer: undefined };
  }
}

const malformed = (at: string, message: string) => tcpcryptFailure("malformed-init", message, { at });
const invalidKey = (at: string) => tcpcryptFailure("invalid-public-key", "it is no key of this agreement", { at });

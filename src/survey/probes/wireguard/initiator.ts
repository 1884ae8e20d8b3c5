import type { DatagramPort, SocketAddress } from "../../../contract/index.js";
import { CookieKeeper } from "../../../protocols/wireguard/cookies.js";
import { SentInitiation } from "../../../protocols/wireguard/handshake.js";
import { type KeyPair, Suite } from "../../../protocols/wireguard/noise.js";
import { tai64n } from "../../../protocols/wireguard/timestamp.js";
import { see } from "../../probe.js";
import type { WireGuardStage } from "./stage.js";

/** Kinds of messages (§5.4). */
const response = 2;
const cookieReply = 3;
const cookieSize = 64;

/** Initiations by hand, from one port: what answers them is seen as it comes. */
export class Initiator implements Disposable {
  /** Cookies of the right size that came. */
  cookies = 0;
  /** Anything else that came before a cookie had been shown. */
  others = 0;
  readonly #stage: WireGuardStage;
  readonly #keeper: CookieKeeper;
  readonly #suite: Suite;
  readonly #own: KeyPair;
  readonly #peer: { readonly publicKey: Uint8Array; readonly preSharedKey: undefined };
  readonly #to: SocketAddress;
  #port!: DatagramPort;
  #index = 1;
  #hasCookie = false;
  #isAnswered = false;

  static async open(stage: WireGuardStage, own: Uint8Array, peer: Uint8Array, port: number): Promise<Initiator> {
    const made = new Initiator(stage, own, peer, port);
    made.#port = await stage.host.network.bindDatagrams(
      { address: "127.0.0.1", port: 0 },
      {
        // Some hosts hand over several at once.
        datagrams: (bytes, _, segmentSize) => {
          for (let at = 0; at < bytes.length; at += segmentSize) made.#heard(bytes.slice(at, at + segmentSize));
        },
        closed: () => {},
      },
    );
    return made;
  }

  private constructor(stage: WireGuardStage, own: Uint8Array, peer: Uint8Array, port: number) {
    this.#stage = stage;
    this.#suite = new Suite(stage.host.crypto);
    this.#keeper = new CookieKeeper(this.#suite, peer);
    this.#own = this.#suite.keyPair(own);
    this.#peer = { publicKey: peer, preSharedKey: undefined };
    this.#to = { address: "127.0.0.1", port };
  }

  /** Our cookie has come, for the last initiation. */
  get hasCookie(): boolean {
    return this.#hasCookie;
  }

  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** One that is right in all, with the cookie if there is one. */
  send(): void {
    const { host } = this.#stage;
    // Each a little later than the last, as its timestamp must be.
    const moment = host.now() + 100 * this.#index;
    const ephemeral = this.#suite.newKeyPair(host.entropy);
    const sent = SentInitiation.create(this.#suite, this.#own, this.#peer, ephemeral, this.#index++, tai64n(moment));
    see(sent, "an initiation");
    this.#keeper.sign(sent.message, host.now());
    this.#port.send(sent.message, this.#to);
  }

  /** So many that know the peer's public key and nothing else: work for it, and no session. */
  async flood(count: number): Promise<void> {
    const { host } = this.#stage;
    const rubbish = host.entropy.fill(new Uint8Array(148));
    rubbish.set([1, 0, 0, 0]);
    this.#keeper.sign(rubbish, host.now());
    for (let i = 0; i < count; i++) {
      this.#port.send(rubbish, this.#to);
      // No more at once than a queue holds.
      if (i % 32 === 0) await pause(5);
    }
  }

  /** Sends until it is so: a burst may push a datagram out of a queue. */
  async sendUntil(isIt: () => boolean, signal: AbortSignal): Promise<void> {
    while (!isIt()) {
      signal.throwIfAborted();
      this.send();
      await this.wait(isIt, 200);
    }
  }

  /** Waits for it, so long at the most. */
  async wait(isIt: () => boolean, ms: number): Promise<void> {
    for (let waited = 0; waited < ms && !isIt(); waited += 10) await pause(10);
  }

  [Symbol.dispose](): void {
    this.#port.close();
  }

  #heard(message: Uint8Array): void {
    if (message[0] === cookieReply && message.length === cookieSize) {
      this.cookies++;
      this.#hasCookie ||= this.#keeper.accept(message, this.#stage.host.now());
    } else if (!this.#hasCookie) this.others++;
    else if (message[0] === response) this.#isAnswered = true;
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

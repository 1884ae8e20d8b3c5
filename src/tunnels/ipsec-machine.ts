import {
  type Answer,
  type DatagramInput,
  earliest,
  type Instant,
  type Machine,
  type Transmit,
  type Wake,
} from "../contract/index.js";
import { Esp, type EspConfig, type EspEvent } from "../protocols/esp/index.js";
import { Ike, type IkeConfig, type IkeEvent, type IkeInput } from "../protocols/ikev2/index.js";

export type IpsecInput = IkeInput | { readonly kind: "packet"; readonly bytes: Uint8Array };

/** What either half tells, but for what is between them. */
export type IpsecEvent = IkeEvent | Exclude<EspEvent, { readonly kind: "ike" }>;

/** Everything for both halves of IPsec. */
export type IpsecConfig = IkeConfig & Pick<EspConfig, "mtu" | "source">;

/**
 * IKEv2 and ESP on one UDP port (RFC 3948, RFC 7296 §2.23) as one machine that offers IP packets: what the one agrees on the other
 * is keyed with, what the other uses up the one renews.
 */
export class IpsecMachine implements Machine<IpsecInput | DatagramInput | Answer, IpsecEvent> {
  readonly ike: Ike;
  readonly esp: Esp;
  readonly #events: IpsecEvent[] = [];
  readonly #heard = new Map<number, Instant>();

  constructor(config: IpsecConfig) {
    const { crypto, entropy, mtu, source, trace } = config;
    this.ike = new Ike(config);
    // IKE reminds NATs of us, for both.
    this.esp = new Esp({ crypto, entropy, mtu, source, trace, keyLog: config.keyLog, keepaliveMs: 0 });
  }

  get drops(): Readonly<Record<string, number>> {
    const prefixed = Object.entries(this.ike.drops).map(([reason, count]) => [`ike-${reason}`, count] as const);
    return { ...this.esp.drops, ...Object.fromEntries(prefixed) };
  }

  handle(input: IpsecInput | DatagramInput | Answer | Wake, now: Instant): void {
    switch (input.kind) {
      case "datagrams":
      case "packet":
        this.esp.handle(input, now);
        break;
      case "wake":
        this.esp.handle(input, now);
        this.#tellWhoLives(now);
        this.ike.handle(input, now);
        break;
      case "close":
        // Goodbyes are sent yet; nothing else is.
        this.ike.handle(input, now);
        this.esp.handle(input, now);
        break;
      default:
        this.ike.handle(input, now);
    }
    this.#settle(now);
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    const transmit = this.ike.transmit(into) ?? this.esp.transmit(into, now);
    // Sealing may use a pair up, and then IKE has to say.
    if (transmit === undefined && this.#settle(now)) return this.ike.transmit(into);
    return transmit;
  }

  event(): IpsecEvent | undefined {
    return this.#events.shift();
  }

  deadline(): Instant | undefined {
    return earliest(this.ike.deadline(), this.esp.deadline());
  }

  /** Lets the halves talk until neither has anything for the other. Answers whether they did. */
  #settle(now: Instant): boolean {
    let hasTalked = false;
    for (;;) {
      const fromEsp = this.esp.event();
      if (fromEsp !== undefined) {
        hasTalked = true;
        this.#fromEsp(fromEsp, now);
        continue;
      }
      const fromIke = this.ike.event();
      if (fromIke === undefined) return hasTalked;
      hasTalked = true;
      this.#fromIke(fromIke, now);
    }
  }

  #fromEsp(event: EspEvent, now: Instant): void {
    switch (event.kind) {
      case "ike": {
        const { bytes, from, to } = event;
        this.ike.handle({ kind: "datagrams", bytes, from, to, segmentSize: bytes.length, ecn: 0 }, now);
        return;
      }
      case "expiring":
        this.ike.handle({ kind: "rekey-child", spiIn: event.spiIn }, now);
        break;
      case "expired":
        this.ike.handle({ kind: "delete-child", spiIn: event.spiIn }, now);
        break;
    }
    this.#events.push(event);
  }

  #fromIke(event: IkeEvent, now: Instant): void {
    switch (event.kind) {
      case "child":
        this.esp.handle({ kind: "install", pair: event.pair }, now);
        break;
      case "child-deleted":
        this.#heard.delete(event.spiIn);
        this.esp.handle({ kind: "remove", spiIn: event.spiIn, gently: true }, now);
        break;
      case "moved":
        for (const spiIn of event.spisIn) this.esp.handle({ kind: "move", spiIn, peer: event.to }, now);
        break;
    }
    this.#events.push(event);
  }

  /** What came authentically by ESP proves that the peer lives, too (RFC 7296 §2.4). */
  #tellWhoLives(now: Instant): void {
    for (const { spiIn, receivedAt } of this.esp.status()) {
      if (receivedAt === undefined || this.#heard.get(spiIn) === receivedAt) continue;
      this.#heard.set(spiIn, receivedAt);
      this.ike.handle({ kind: "heard", spiIn }, now);
    }
  }
}

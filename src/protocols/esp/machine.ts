import type { Answer, DatagramInput, Instant, Machine, Transmit, Wake } from "../../contract/index.js";
import type { AssociationPair } from "./association.js";
import { type DropCounts, failure } from "./failure.js";
import { Incoming } from "./incoming.js";
import type { EspConfig, EspEvent, EspInput, PairStatus } from "./interfaces.js";
import { keyLogLines } from "./key-log.js";
import { pairsMax } from "./limits.js";
import { Outgoing } from "./outgoing.js";
import { Pair } from "./pair.js";
import { Shared } from "./shared.js";

/** ESP on one port: pairs of associations that somebody else has made keys for. Offers IP packets. */
export class Esp implements Machine<EspInput | DatagramInput | Answer, EspEvent> {
  readonly #shared: Shared;
  readonly #incoming: Incoming;
  readonly #outgoing: Outgoing;
  #isClosed = false;

  constructor(config: EspConfig) {
    this.#shared = new Shared(config);
    this.#incoming = new Incoming(this.#shared);
    this.#outgoing = new Outgoing(this.#shared);
  }

  /** Largest inner packet in bytes. */
  get mtu(): number {
    return this.#outgoing.mtu;
  }

  get drops(): DropCounts {
    return this.#shared.drops;
  }

  /** Is there a pair that sends? */
  get canSend(): boolean {
    return this.#shared.flows.canSend();
  }

  handle(input: EspInput | DatagramInput | Answer | Wake, now: Instant): void {
    if (this.#isClosed) return;
    switch (input.kind) {
      case "datagrams":
        this.#incoming.datagrams(input, now);
        break;
      case "packet":
        this.#outgoing.packet(input.bytes, now);
        break;
      case "wake":
        this.#shared.wake(now);
        break;
      case "install":
        this.#install(input.pair, now);
        break;
      case "remove": {
        const pair = this.#shared.flows.pair(input.spiIn);
        if (pair !== undefined) this.#shared.remove(pair, input.gently ?? false, now);
        break;
      }
      case "move": {
        const pair = this.#shared.flows.pair(input.spiIn);
        if (pair !== undefined) pair.peer = pair.heardFrom = { ...input.peer };
        break;
      }
      case "close":
        this.#close();
        break;
      case "answer":
      case "opened":
      case "closed":
        break;
    }
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    return this.#isClosed ? undefined : this.#outgoing.transmit(into, now);
  }

  event(): EspEvent | undefined {
    const event = this.#shared.events.shift();
    this.#incoming.taken(event);
    return event;
  }

  deadline(): Instant | undefined {
    return this.#shared.dueAt;
  }

  status(): readonly PairStatus[] {
    const { flows } = this.#shared;
    return flows.pairs().map((pair) => ({ ...pair.status, sends: flows.flowOf(pair).sender === pair }));
  }

  #install(wanted: AssociationPair, now: Instant): void {
    const { config, flows } = this.#shared;
    const { spiIn } = wanted;
    if (flows.size >= pairsMax) throw failure("too-many-associations", `${pairsMax} pairs are installed`);
    if (flows.pair(spiIn) !== undefined) throw failure("bad-association", "the SPI is in use");
    const pair = new Pair(config.crypto, config.entropy, wanted, now);
    if (config.keyLog !== undefined) for (const line of keyLogLines(wanted)) config.keyLog(line);
    for (const { encryption, integrity } of [wanted.keysIn, wanted.keysOut]) {
      encryption.wipe();
      integrity?.wipe();
    }
    const flow = flows.add(pair, wanted.replaces);
    pair.isPending = wanted.begins === "when-received" && flow.sender !== undefined;
    if (pair.isPending) this.#shared.schedule();
    else this.#shared.begin(pair, now);
    this.#shared.trace("installed", { spi: spiIn, mode: wanted.mode, replaces: wanted.replaces }, now);
  }

  #close(): void {
    const { flows, events, silent } = this.#shared;
    for (const pair of flows.pairs()) {
      flows.delete(pair);
      pair.destroy();
    }
    events.length = silent.length = 0;
    this.#outgoing.clear();
    this.#shared.dueAt = undefined;
    this.#isClosed = true;
  }
}

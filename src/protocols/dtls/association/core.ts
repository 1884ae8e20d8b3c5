import type { Instant, SocketAddress } from "../../../contract/index.js";
import type { Handshake } from "../../tls/index.js";
import { type DropReason, noDrops } from "../failure.js";
import type { DtlsOutcome } from "../options.js";
import { Epochs } from "../record/epochs.js";
import type { AssociationEvent } from "../vocabulary.js";
import type { Beginning, Surroundings } from "./beginning.js";

/** What several parts of an association look at: who it is, what time it is, how far it has come, and whom to tell. */
export class Core {
  readonly id: number;
  readonly begin: Beginning;
  readonly around: Surroundings;
  readonly handshake: Handshake;
  readonly epochs: Epochs;
  readonly drops = noDrops();
  /** Of the input in hand, and where its datagram came from. */
  now: Instant;
  from: SocketAddress;
  /** Once the handshake is confirmed. */
  outcome: DtlsOutcome | undefined;
  /** Something authentic has come, and when it last did. */
  isProtected = false;
  activeAt: Instant;

  constructor(begin: Beginning, around: Surroundings, now: Instant) {
    const { config } = begin;
    this.id = begin.id;
    this.begin = begin;
    this.around = around;
    this.handshake = begin.handshake;
    this.epochs = new Epochs(config.crypto, config.entropy, config.dialect.labelPrefix, begin.firstRecord);
    this.now = this.activeAt = now;
    this.from = begin.remote;
  }

  get options(): Beginning["config"]["options"] {
    return this.begin.config.options;
  }

  get isServer(): boolean {
    return this.begin.config.role === "server";
  }

  get isConfirmed(): boolean {
    return this.outcome !== undefined;
  }

  /** Undefined until it is negotiated. */
  get version(): Handshake["version"] {
    return this.handshake.version;
  }

  drop(reason: DropReason): void {
    this.drops[reason]++;
    // Made only for who listens: a flood of what is dropped costs no memory.
    if (this.options.trace !== undefined) this.trace("dropped", { reason });
  }

  tell(event: AssociationEvent): void {
    this.around.tell(event);
  }

  trace(name: string, data: Readonly<Record<string, unknown>>): void {
    this.options.trace?.({ at: this.now, protocol: "DTLS", name: `dtls:${name}`, data });
  }
}

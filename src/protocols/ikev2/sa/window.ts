import type { Instant } from "../../../contract/index.js";
import { Backoff } from "../../../mechanisms/backoff.js";
import type { IkeConnection } from "../interfaces.js";
import { requestsMax, retransmitFirstMs, retransmitsMax, retransmitWaitMaxMs } from "../limits.js";
import type { Path, Request } from "./request.js";

/** Seals a message's payloads into the datagrams that carry it, and sends datagrams. */
export interface Wire {
  seal(request: Request, messageId: number, now: Instant): readonly Uint8Array[] | undefined;
  transmit(messages: readonly Uint8Array[], path: Path): void;
  readonly path: Path;
}

interface Outstanding {
  readonly request: Request;
  readonly messageId: number;
  readonly messages: readonly Uint8Array[];
}

/** Our requests: one at a time (a window of one, RFC 7296 §2.3), in order, each again until it is answered (§2.1). */
export class Requests {
  readonly #wire: Wire;
  readonly #backoff: Backoff;
  readonly #waiting: Request[] = [];
  readonly #postponed: { readonly at: Instant; readonly request: Request }[] = [];
  #nextId = 0;
  #outstanding: Outstanding | undefined;
  #ended = false;

  constructor(wire: Wire, { retransmit = {} }: Partial<Pick<IkeConnection, "retransmit">>) {
    this.#wire = wire;
    const { firstMs = retransmitFirstMs, repeatsMax = retransmitsMax } = retransmit;
    this.#backoff = new Backoff({ firstMs, waitMsMax: retransmitWaitMaxMs, repeatsMax });
  }

  /** Nothing of ours is unanswered, or waits. */
  get isIdle(): boolean {
    return this.#outstanding === undefined && this.#waiting.length === 0;
  }

  add(request: Request, now: Instant): void {
    if (this.#ended || this.#waiting.length >= requestsMax) return;
    this.#waiting.push(request);
    this.#advance(now);
  }

  addLater(request: Request, at: Instant): void {
    if (!this.#ended && this.#postponed.length < requestsMax) this.#postponed.push({ at, request });
  }

  /** IKE_SA_INIT, in the clear; each of those is the first. */
  addClear(request: Request, message: Uint8Array, now: Instant): void {
    this.#nextId = 1;
    this.#outstanding = { request, messageId: 0, messages: [message] };
    this.repeat(now);
  }

  /** Does a response with this ID and of this exchange answer anything? */
  expects(messageId: number, exchange: number): boolean {
    const outstanding = this.#outstanding;
    return outstanding?.messageId === messageId && outstanding.request.exchange === exchange;
  }

  answered(respond: (request: Request) => void, now: Instant): void {
    const { request } = this.#outstanding!;
    this.#outstanding = undefined;
    this.#backoff.stop();
    respond(request);
    this.#advance(now);
  }

  /** Sends what is unanswered at once again: the peer is elsewhere now. */
  repeat(now: Instant): void {
    if (this.#outstanding === undefined) return;
    this.#wire.transmit(this.#outstanding.messages, this.#wire.path);
    this.#backoff.start(now);
  }

  #advance(now: Instant): void {
    while (!this.#ended && this.#outstanding === undefined && this.#waiting.length > 0) {
      const request = this.#waiting.shift()!;
      const messages = this.#wire.seal(request, this.#nextId, now);
      if (messages === undefined) continue;
      this.#outstanding = { request, messageId: this.#nextId++, messages };
      this.repeat(now);
    }
  }

  /** What waits is not wanted any more; what is on its way may still be answered. */
  drop(): void {
    this.#waiting.length = this.#postponed.length = 0;
  }

  end(): void {
    this.#ended = true;
    this.#outstanding = undefined;
    this.#backoff.stop();
    this.drop();
  }

  deadline(): Instant | undefined {
    let at = this.#backoff.deadline;
    for (const each of this.#postponed) if (at === undefined || each.at < at) at = each.at;
    return at;
  }

  /** True: the peer never answered. */
  wake(now: Instant): boolean {
    const due = this.#backoff.due(now);
    if (due === "exhausted") return true;
    if (due === "again") this.#wire.transmit(this.#outstanding!.messages, this.#wire.path);
    for (let i = this.#postponed.length - 1; i >= 0; i--) {
      if (now >= this.#postponed[i]!.at) this.add(this.#postponed.splice(i, 1)[0]!.request, now);
    }
    return false;
  }
}

/** The peer's requests: each is answered once, and the last answer again when it was not heard. */
export class Responses {
  readonly #wire: Pick<Wire, "transmit">;
  #expected = 0;
  #answering: { readonly exchange: number; readonly path: Path } | undefined;
  #last: readonly Uint8Array[] | undefined;

  constructor(wire: Pick<Wire, "transmit">) {
    this.#wire = wire;
  }

  /** `again`: it has been answered; `old` and `early` are outside of the window. */
  judge(messageId: number): "new" | "again" | "old" | "early" {
    if (messageId === this.#expected) return "new";
    if (messageId === this.#expected - 1) return "again";
    return messageId < this.#expected ? "old" : "early";
  }

  /** A request is being answered: the answer, for which somebody may have been asked, has not been given. */
  get isBusy(): boolean {
    return this.#answering !== undefined;
  }

  /** Where the request came from that is being answered. */
  get path(): Path | undefined {
    return this.#answering?.path;
  }

  begin(exchange: number, path: Path): void {
    this.#answering = { exchange, path };
  }

  /** The answer, sealed with the request's message ID. */
  finish(seal: (exchange: number, messageId: number) => readonly Uint8Array[]): void {
    const answering = this.#answering;
    if (answering === undefined) return;
    this.#answering = undefined;
    this.#last = seal(answering.exchange, this.#expected++);
    this.#wire.transmit(this.#last, answering.path);
  }

  finishClear(message: Uint8Array, path: Path): void {
    this.#expected = 1;
    this.#last = [message];
    this.#wire.transmit(this.#last, path);
  }

  repeat(path: Path): void {
    if (this.#last !== undefined) this.#wire.transmit(this.#last, path);
  }

  end(): void {
    this.#answering = undefined;
  }
}

import {
  type Alarm,
  type Answer,
  type AskOf,
  earliest,
  type Failure,
  type Host,
  type Instant,
  type Machine,
  type Question,
  wake,
} from "../../contract/index.js";
import { questionTimeoutMs } from "../limits.js";

/** What a driver tells those above it. */
export interface DriverHandlers<Event> {
  /** Every event but the questions. It may give the machine new input at once. */
  event(event: Exclude<Event, { readonly kind: "question" }>): void;
  /**
   * Finds a question's answer, now or later. A rejection, a time-out and undefined all mean no. The signal is aborted
   * when the answer has come to nothing: too late, or the machine is gone.
   */
  answer?(question: AskOf<Event>, signal: AbortSignal): unknown;
  /** After the port had been full: it takes more, and all that the machine had to transmit is on its way. */
  writable?(): void;
  /** All that there was to tell has been told, for now: what was gathered of it may be handed on. */
  settled?(): void;
  /** Something that does not end the port went wrong on the way. */
  softError?(failure: Failure): void;
  /** The port is gone; nothing follows. */
  closed?(failure?: Failure): void;
}

export interface DriverOptions {
  /** Default `questionTimeoutMs`. */
  readonly questionTimeoutMs?: number;
  /**
   * Tell before sending, and send after the current work if anything was told: acknowledgements then leave with what is written
   * because of what they acknowledge. For machines that tell something before they were asked what to transmit. Default false.
   */
  readonly tellsFirst?: boolean;
}

/**
 * The part of driving that streams and datagrams share: one alarm for the machine's deadline, questions and their
 * answers, and the loop that drains without ever entering itself.
 */
export class DriverCore<Input, Event> {
  readonly #host: Host;
  readonly #machine: Machine<Input | Answer, Event>;
  readonly #handlers: DriverHandlers<Event>;
  readonly #transmit: (now: Instant) => void;
  readonly #questionTimeoutMs: number;
  readonly #tellsFirst: boolean;
  readonly #open = new Map<number, { readonly by: Instant; readonly abort: AbortController }>();
  #alarm: Alarm | undefined;
  #alarmAt = Number.POSITIVE_INFINITY;
  #draining = false;
  #over = false;
  #isDrainDue = false;
  #closeBy: Instant | undefined;
  #closing: (() => void) | undefined;

  /** `transmit` empties the machine into the port as far as it goes. */
  constructor(
    host: Host,
    machine: Machine<Input | Answer, Event>,
    handlers: DriverHandlers<Event>,
    options: DriverOptions,
    transmit: (now: Instant) => void,
  ) {
    this.#host = host;
    this.#machine = machine;
    this.#handlers = handlers;
    this.#transmit = transmit;
    this.#questionTimeoutMs = options.questionTimeoutMs ?? questionTimeoutMs;
    this.#tellsFirst = options.tellsFirst ?? false;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Gives an input and drains. Called by a handler during a drain, it gives the input and lets that drain go on. */
  handle(input: Input | Answer): void {
    if (this.#over) return;
    this.#machine.handle(input, this.#host.now());
    if (this.#tellsFirst && this.#tellNow()) this.#drainSoon();
    else this.drain();
  }

  /** Gives an input, and drains after the current work: what an application does in one go leaves in one piece. */
  give(input: Input | Answer): void {
    if (this.#over) return;
    this.#machine.handle(input, this.#host.now());
    if (!this.#draining) this.#drainSoon();
  }

  #drainSoon(): void {
    if (this.#isDrainDue) return;
    this.#isDrainDue = true;
    this.#host.soon(this.#drainDue);
  }

  readonly #drainDue = (): void => {
    this.#isDrainDue = false;
    this.drain();
  };

  /** What there is to tell without more being sent. False if there was nothing. */
  #tellNow(): boolean {
    if (this.#draining || this.#over) return false;
    this.#draining = true;
    try {
      return this.#tellAll();
    } finally {
      this.#draining = false;
    }
  }

  #tellAll(): boolean {
    let told = false;
    for (let event = this.#machine.event(); event !== undefined; event = this.#machine.event()) {
      told = true;
      this.#tell(event);
    }
    if (told) this.#handlers.settled?.();
    return told;
  }

  /**
   * Bytes first, then events, until there is neither; so an event is told after the bytes that it follows are sent,
   * and what the handlers of many events send leaves in one piece.
   */
  drain(): void {
    if (this.#draining || this.#over) return;
    this.#draining = true;
    try {
      do this.#transmit(this.#host.now());
      while (this.#tellAll());
    } finally {
      this.#draining = false;
    }
    this.#arm();
  }

  /** Calls at the moment unless the end comes first. */
  closeBy(at: Instant, call: () => void): void {
    this.#closeBy = at;
    this.#closing = call;
    this.#arm();
  }

  /** The last input: what the machine still has to tell is told, open questions are dropped. */
  end(last: Input, failure: Failure | undefined): void {
    if (this.#over) return;
    this.#machine.handle(last, this.#host.now());
    this.drain();
    this.#over = true;
    this.#alarm?.cancel();
    for (const { abort } of this.#open.values()) abort.abort(failure);
    this.#open.clear();
    this.#handlers.closed?.(failure);
  }

  #tell(event: Event): void {
    if (isQuestion(event)) this.#ask(event.id, event.question as AskOf<Event>);
    else this.#handlers.event(event as Exclude<Event, { readonly kind: "question" }>);
  }

  #ask(id: number, question: AskOf<Event>): void {
    const abort = new AbortController();
    this.#open.set(id, { by: this.#host.now() + this.#questionTimeoutMs, abort });
    let answer: unknown;
    try {
      answer = this.#handlers.answer?.(question, abort.signal);
    } catch {
      answer = undefined;
    }
    if (isPromise(answer)) {
      answer.then(
        (value) => this.#answer(id, value),
        () => this.#answer(id, undefined),
      );
    } else this.#answer(id, answer);
  }

  #answer(id: number, answer: unknown): void {
    if (this.#open.delete(id)) this.handle({ kind: "answer", id, answer });
  }

  /**
   * A moment that moves away leaves the alarm where it is: it fires early and is set again then. Machines that push
   * their deadline forward with every packet so cost nothing.
   */
  #arm(): void {
    if (this.#over) return;
    let at = earliest(this.#machine.deadline(), this.#closeBy);
    for (const { by } of this.#open.values()) at = earliest(at, by);
    if (at === undefined || at >= this.#alarmAt) return;
    this.#alarm?.cancel();
    this.#alarmAt = at;
    this.#alarm = this.#host.wakeAt(at, this.#wake);
    this.#alarm.unref();
  }

  readonly #wake = (): void => {
    this.#alarm = undefined;
    this.#alarmAt = Number.POSITIVE_INFINITY;
    if (this.#over) return;
    const now = this.#host.now();
    for (const [id, { by, abort }] of this.#open) {
      if (by > now) continue;
      abort.abort();
      this.#answer(id, undefined);
    }
    if (this.#closeBy !== undefined && this.#closeBy <= now) {
      this.#closeBy = undefined;
      this.#closing?.();
    }
    const deadline = this.#machine.deadline();
    if (deadline !== undefined && deadline <= now && !this.#over) {
      this.#machine.handle(wake, now);
      this.drain();
    } else this.#arm();
  };
}

function isQuestion(event: unknown): event is Question<{ [kind: string]: { ask: unknown; answer: unknown } }> {
  return typeof event === "object" && event !== null && "kind" in event && event.kind === "question";
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

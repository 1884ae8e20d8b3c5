/**
 * A question keeps a machine synchronous while the answer takes its time: is this chain trusted, sign this, find this
 * pre-shared key. The machine raises it as an event and goes on when `handle({ kind: "answer", id, answer })` brings
 * the answer, at once or seconds later. `undefined` as an answer means no: not trusted, no such key. A late, second
 * or unasked answer is ignored.
 */
export interface Question<Asks extends { [kind: string]: { ask: unknown; answer: unknown } }> {
  readonly kind: "question";
  readonly id: number;
  readonly question: { [K in keyof Asks]: { readonly kind: K } & Asks[K]["ask"] }[keyof Asks];
}

export interface Answer {
  readonly kind: "answer";
  readonly id: number;
  /** Of the type that the question's kind names; undefined is no. */
  readonly answer: unknown;
}

/** What an event's questions ask; never, for events that ask nothing. */
export type AskOf<Event> = Event extends { readonly kind: "question"; readonly question: infer Ask } ? Ask : never;

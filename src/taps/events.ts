/** The one option that every subscription takes. */
export interface SubscribeOptions {
  /** Ends the subscription. */
  readonly signal?: AbortSignal;
}

/**
 * Subscribers by event name. No `error` event that kills, no objects made per event; a subscriber that throws does not
 * keep the others from hearing.
 */
export class Emitter<Events extends object> {
  readonly #calls = new Map<keyof Events, Set<(event: never) => void>>();
  readonly #thrown: (error: unknown) => void;

  /** `thrown` is told of what subscribers throw; a host raises it where nobody can miss it. */
  constructor(thrown: (error: unknown) => void) {
    this.#thrown = thrown;
  }

  on<Name extends keyof Events>(
    name: Name,
    call: (event: Events[Name]) => void,
    { signal }: SubscribeOptions = {},
  ): Disposable {
    const calls = this.#calls.get(name) ?? new Set();
    this.#calls.set(name, calls);
    const off = () => {
      calls.delete(call);
      signal?.removeEventListener("abort", off);
    };
    if (signal?.aborted !== true) {
      calls.add(call);
      signal?.addEventListener("abort", off, { once: true });
    }
    return { [Symbol.dispose]: off };
  }

  has(name: keyof Events): boolean {
    return (this.#calls.get(name)?.size ?? 0) > 0;
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    const calls = this.#calls.get(name) as Set<(event: Events[Name]) => void> | undefined;
    if (calls === undefined || calls.size === 0) return;
    for (const call of [...calls]) {
      try {
        call(event);
      } catch (error) {
        this.#thrown(error);
      }
    }
  }
}

/** What every action that takes time accepts. */
export interface ActionOptions {
  /** Its abort means Abort for what the action began. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the action fails with `timeout`. Default: none. */
  readonly timeout?: number | undefined;
}

// Sessions in Redis, so that a fleet of servers resumes each other's, and a fleet of clients too. Any Redis client
// fits: give the function that sends one command, such as node-redis' `(command) => client.sendCommand(command)`.
import { fromBase64, toBase64 } from "../src/bytes/index.js";
import type { Instant } from "../src/contract/index.js";
import type { SessionStore, StoredSession } from "../src/protocols/tls/index.js";

export type SendCommand = (command: string[]) => Promise<unknown>;

/** Each key is a list, its newest session first; Redis forgets it when the last session has expired. */
export class RedisSessionStore implements SessionStore {
  readonly #send: SendCommand;
  readonly #prefix: string;
  readonly #perKeyMax: number;

  constructor(send: SendCommand, options: { readonly prefix?: string; readonly perKeyMax?: number } = {}) {
    this.#send = send;
    this.#prefix = options.prefix ?? "sealport:session:";
    this.#perKeyMax = options.perKeyMax ?? 8;
  }

  async add(key: string, { bytes, expiresAt }: StoredSession): Promise<void> {
    const list = this.#prefix + key;
    await this.#send(["LPUSH", list, `${Math.floor(expiresAt)}:${toBase64(bytes)}`]);
    await this.#send(["LTRIM", list, "0", String(this.#perKeyMax - 1)]);
    await this.#send(["PEXPIREAT", list, String(Math.floor(expiresAt))]);
  }

  /** LPOP is atomic: of two servers, one gets the session. */
  async take(key: string, now: Instant): Promise<StoredSession | undefined> {
    for (;;) {
      const popped = await this.#send(["LPOP", this.#prefix + key]);
      if (typeof popped !== "string") return undefined;
      const session = parse(popped);
      if (session !== undefined && session.expiresAt > now) return session;
    }
  }

  async peek(key: string, now: Instant): Promise<StoredSession | undefined> {
    const first = await this.#send(["LINDEX", this.#prefix + key, "0"]);
    const session = typeof first === "string" ? parse(first) : undefined;
    return session !== undefined && session.expiresAt > now ? session : undefined;
  }

  async remove(key: string): Promise<void> {
    await this.#send(["DEL", this.#prefix + key]);
  }
}

function parse(text: string): StoredSession | undefined {
  const colon = text.indexOf(":");
  const bytes = colon < 0 ? undefined : fromBase64(text.slice(colon + 1));
  return bytes && { bytes, expiresAt: Number(text.slice(0, colon)) };
}

import { failure, type OpenVpnFailure } from "../failure.js";
import { pushOptionsMax, pushPartsMax } from "../limits.js";
import { copyOf, type Inside, type InsideDraft, insideOf, pushedOptions } from "./inside.js";
import { wordsOf } from "./words.js";

/** `pull-filter`: the first whose text an option begins with decides. */
export interface PullFilter {
  readonly action: "accept" | "ignore" | "reject";
  readonly text: string;
}

const prefix = "PUSH_REPLY";

/** The parts of a PUSH_REPLY (wire document §8.3), until `push-continuation` says that there are no more. */
export class PushReply {
  readonly #options: string[] = [];
  #parts = 0;

  /** Takes a message; true when the reply is whole. */
  add(message: string): boolean | OpenVpnFailure {
    if (++this.#parts > pushPartsMax) return failure("bad-push", "a PUSH_REPLY in too many parts", { at: prefix });
    const options = message
      .slice(prefix.length)
      .split(",")
      .filter((option) => option !== "");
    const more = options.some((option) => option.trim() === "push-continuation 2");
    for (const option of options) if (!option.startsWith("push-continuation")) this.#options.push(option);
    if (this.#options.length > pushOptionsMax) return failure("bad-push", "too many pushed options", { at: prefix });
    return !more;
  }

  /** What follows from it on top of the file. Options that nobody knows are counted as ignored, by name. */
  apply(
    file: InsideDraft,
    filters: readonly PullFilter[],
  ): { readonly inside: Inside; readonly ignored: readonly string[] } | OpenVpnFailure {
    const draft = copyOf(file);
    const ignored: string[] = [];
    // What the server gives replaces what the file said of it.
    for (const option of this.#options) {
      const filter = filters.find(({ text }) => option.startsWith(text));
      if (filter?.action === "ignore") continue;
      if (filter?.action === "reject") {
        return failure("push-refused", `the server pushed an option that pull-filter rejects: ${filter.text}`);
      }
      const words = wordsOf(option);
      const [name = ""] = words ?? [];
      const take = Object.hasOwn(pushedOptions, name) ? pushedOptions[name] : undefined;
      if (words === undefined || take === undefined) {
        ignored.push(name);
        continue;
      }
      const wrong = take(draft, words);
      if (wrong !== undefined) return failure("bad-push", `pushed ${name}: ${wrong}`, { at: name });
    }
    return { inside: insideOf(draft), ignored };
  }
}

export const isPushReply = (message: string): boolean => message === prefix || message.startsWith(`${prefix},`);

/** Characters of one PUSH_REPLY; openvpn's buffers hold 1024. */
const pushTextMax = 900;

/** PUSH_REPLY messages with these options, in as many parts as they need. */
export function pushReply(options: readonly string[]): readonly string[] {
  const parts: string[][] = [[]];
  let size = 0;
  for (const option of options) {
    size += option.length + 1;
    if (size > pushTextMax && parts.at(-1)!.length > 0) {
      parts.push([]);
      size = option.length + 1;
    }
    parts.at(-1)!.push(option);
  }
  return parts.map((part, i) => {
    const last = i === parts.length - 1;
    const more = parts.length === 1 ? [] : [`push-continuation ${last ? 1 : 2}`];
    return [prefix, ...part, ...more].join(",");
  });
}

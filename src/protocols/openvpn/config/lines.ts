import { fileLinesMax } from "../limits.js";
import { wrong } from "./complaints.js";
import { wordsOf } from "./words.js";

/** Reads the file that an option names: beside the file itself, usually. Undefined if there is none. */
export type ReadNamed = (name: string) => string | undefined;

/** One option of a file, with what stood in its inline block, if it had one. */
export interface Directive {
  readonly line: number;
  readonly words: readonly string[];
  readonly inline: string | undefined;
  readonly read: ReadNamed | undefined;
}

/** The options of a file, one a line, inline blocks gathered; `<connection>` and `</connection>` stand as they are. */
export function directivesOf(text: string, read: ReadNamed | undefined): readonly Directive[] {
  const lines = text.replace(/^\ufeff/, "").split(/\r?\n/);
  if (lines.length > fileLinesMax) throw wrong(fileLinesMax, "the file is too long");
  const found: Directive[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = i + 1;
    const words = wordsOf(lines[i]!);
    if (words === undefined) throw wrong(line, "a quote is not closed");
    const [name] = words;
    if (name === undefined) continue;
    if (/^<[a-z0-9-]+>$/.test(name) && name !== "<connection>") {
      const end = lines.findIndex((each, at) => at > i && each.trim() === `</${name.slice(1)}`);
      if (end < 0) throw wrong(line, `${name} is not closed`);
      found.push({ line, words: [name.slice(1, -1)], inline: `${lines.slice(i + 1, end).join("\n")}\n`, read });
      i = end;
    } else found.push({ line, words: [name.replace(/^--/, ""), ...words.slice(1)], inline: undefined, read });
  }
  return found;
}

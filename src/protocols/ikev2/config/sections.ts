import { failure } from "../failure.js";

/** A setting: where it stands, and what it says. */
export interface Setting {
  readonly value: string;
  readonly line: number;
}

/** A section of the file, with what it holds by name. Names are given once. */
export class Section {
  readonly name: string;
  readonly line: number;
  readonly settings = new Map<string, Setting>();
  readonly sections = new Map<string, Section>();

  constructor(name: string, line: number) {
    this.name = name;
    this.line = line;
  }
}

const depthMax = 8;
const entriesMax = 4_096;
const name = /[A-Za-z0-9_.\-*%@+]/;

/**
 * Reads the format of strongswan.conf(5): sections in braces, `key = value` up to the line's end or the closing brace, `#` for
 * comments, values in quotes. Throws `misuse/bad-configuration` with the line; includes and references to other sections are
 * refused, for a tunnel's file is whole.
 */
export function parseSections(text: string): Section {
  const root = new Section("", 1);
  const open: Section[] = [root];
  let line = 1;
  let at = 0;
  let entries = 0;
  const wrong = (message: string): never => {
    throw failure("bad-configuration", `line ${line}: ${message}`, { at: `line ${line}` });
  };
  const skip = (): void => {
    for (; at < text.length; at++) {
      const char = text[at]!;
      if (char === "\n") line++;
      else if (char === "#") {
        while (at + 1 < text.length && text[at + 1] !== "\n") at++;
      } else if (!/\s/.test(char)) return;
    }
  };
  for (skip(); at < text.length; skip()) {
    const section = open.at(-1)!;
    if (text[at] === "}") {
      if (open.length === 1) wrong("a closing brace too many");
      open.pop();
      at++;
      continue;
    }
    if (++entries > entriesMax) wrong(`more than ${entriesMax} entries`);
    const started = at;
    while (at < text.length && name.test(text[at]!)) at++;
    const word = text.slice(started, at);
    if (word === "") wrong(`${JSON.stringify(text[at])} is not expected here`);
    const begun = line;
    while (at < text.length && /[ \t\r]/.test(text[at]!)) at++;
    if (word === "include") wrong("files that include others are not read");
    if (text[at] === ":") wrong("sections that refer to others are not read");
    if (text[at] === "=") {
      at++;
      if (section.settings.has(word)) wrong(`${word} is given twice`);
      section.settings.set(word, { value: value(), line: begun });
      continue;
    }
    skip();
    if (text[at] !== "{") wrong("a word is followed by neither = nor {");
    at++;
    if (open.length > depthMax) wrong(`sections are nested deeper than ${depthMax}`);
    if (section.sections.has(word)) wrong(`section ${word} is given twice`);
    const inner = new Section(word, begun);
    section.sections.set(word, inner);
    open.push(inner);
  }
  if (open.length > 1) wrong(`section ${open.at(-1)!.name} is not closed`);
  return root;

  function value(): string {
    while (at < text.length && /[ \t\r]/.test(text[at]!)) at++;
    if (text[at] !== '"') {
      const from = at;
      while (at < text.length && text[at] !== "\n" && text[at] !== "#" && text[at] !== "}") at++;
      return text.slice(from, at).trim();
    }
    let said = "";
    for (at++; text[at] !== '"'; at++) {
      if (at >= text.length) wrong("a quote is not closed");
      if (text[at] === "\n") line++;
      if (text[at] !== "\\") {
        said += text[at];
        continue;
      }
      at++;
      if (at >= text.length) wrong("a quote is not closed");
      if (text[at] === "\n") line++;
      else said += escapes[text[at]!] ?? text[at]!;
    }
    at++;
    return said;
  }
}

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

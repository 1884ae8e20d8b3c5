/** Where a command writes. Answers go to stdout and nothing else does; what people read meanwhile goes to stderr. */
export interface Terminal {
  /** One object a line on stdout instead of text. */
  readonly json: boolean;
  /** Columns of stdout, or of a page when it is no terminal. */
  readonly width: number;
  readonly style: Style;
  /** A line of the answer. Does nothing with `--json`. */
  print(line?: string): void;
  /** An event of the answer: one line of JSON with `--json`, else nothing. */
  event(name: string, data: Readonly<Record<string, unknown>>): void;
  /** A whole document of JSON, for commands whose answer is one value. */
  document(value: unknown): void;
  /** A line for people, on stderr. Nothing with `--json`. */
  note(line: string): void;
  /** What is going on, overwritten by the next; only on a terminal. */
  progress(line: string): void;
}

export type Tone = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";
export type Style = (tone: Tone, text: string) => string;

/** Version of every JSON line and document that the command line writes; docs/json.md says what is in them. */
export const jsonVersion = 1;

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export function terminal(
  out: Output,
  err: Output,
  environment: Readonly<Record<string, string | undefined>>,
  json: boolean,
): Terminal {
  const live = err.isTTY === true && environment["TERM"] !== "dumb" && !json;
  let shown = false;
  const clear = () => {
    if (shown) err.write("\r\u001b[K");
    shown = false;
  };
  return {
    json,
    width: widthOf(out, environment),
    style: !json && colourWanted(out, environment) ? paint : plain,
    print(line = "") {
      if (json) return;
      clear();
      out.write(`${line}\n`);
    },
    event(name, data) {
      if (json) out.write(`${JSON.stringify({ v: jsonVersion, event: name, ...data })}\n`);
    },
    document(value) {
      clear();
      out.write(`${JSON.stringify(value, undefined, out.isTTY ? 2 : undefined)}\n`);
    },
    note(line) {
      if (json) return;
      clear();
      err.write(`${line}\n`);
    },
    progress(line) {
      if (!live) return;
      clear();
      err.write(line);
      shown = true;
    },
  };
}

/** no-color.org: NO_COLOR wins if it is not empty; FORCE_COLOR comes next; then what the terminal is. */
export function colourWanted(out: Output, environment: Readonly<Record<string, string | undefined>>): boolean {
  if (environment["NO_COLOR"]) return false;
  const forced = environment["FORCE_COLOR"];
  if (forced !== undefined) return forced !== "0" && forced !== "false";
  return out.isTTY === true && environment["TERM"] !== "dumb";
}

function widthOf(out: Output, environment: Readonly<Record<string, string | undefined>>): number {
  const named = Number(environment["COLUMNS"]);
  const columns = out.columns ?? (Number.isInteger(named) ? named : 0);
  return columns >= 40 ? columns : 100;
}

const codes: Readonly<Record<Tone, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};
const paint: Style = (tone, text) => `\u001b[${codes[tone][0]}m${text}\u001b[${codes[tone][1]}m`;
const plain: Style = (_, text) => text;

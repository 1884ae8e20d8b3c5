import type { Command, Parameter, Parameters } from "./command.js";
import type { Style } from "./terminal.js";

/** The page that `sealport` alone shows: what there is, and where to read on. */
export function frontPage(table: readonly Command[], style: Style, width: number): string {
  const terms = [
    ...table.map((row) => [synopsis(row), row.brief] as const),
    ["completion SHELL", "Print a completion script: bash, zsh, fish, nu, pwsh"] as const,
  ];
  return page([
    `${style("bold", "sealport")}: the secure transports of RFC 8922 behind one API`,
    "",
    style("bold", "Commands"),
    ...columns(terms, width),
    "",
    style("bold", "For every command"),
    ...columns(
      [
        ["--help", "Its options and examples"],
        ["--json", "Answer in JSON (sealport help json)"],
      ],
      width,
    ),
    "",
    style("bold", "Examples"),
    ...columns(
      table.flatMap((row) => row.examples.slice(0, 1)),
      width,
    ),
  ]);
}

/** The page of `sealport COMMAND --help`. */
export function commandPage(row: Command, style: Style, width: number): string {
  const positionals = Object.values(row.positionals).map((each) => [metavarOf(each), each.about] as const);
  const options = Object.entries(row.options).map(([name, each]) => [optionTerm(name, each), each.about] as const);
  return page([
    `${style("bold", "Usage")}: sealport ${synopsis(row)} [OPTIONS]`,
    "",
    ...wrap(row.details === undefined ? row.brief : `${row.brief}. ${row.details}`, width),
    ...(positionals.length > 0 ? ["", style("bold", "Arguments"), ...columns(positionals, width)] : []),
    "",
    style("bold", "Options"),
    ...columns([...options, ["--help", "This page"]], width),
    "",
    style("bold", "Examples"),
    ...columns(row.examples, width),
  ]);
}

/** The name with its positional arguments. */
export function synopsis({ name, positionals }: { readonly name: string; readonly positionals: Parameters }): string {
  return [name, ...Object.values(positionals).map(metavarOf)].join(" ");
}

/** An option as people type it: `-q, --quiet`, `--only WHAT …`. */
export function optionTerm(name: string, parameter: Parameter): string {
  const short = "short" in parameter && parameter.short !== undefined ? `${parameter.short}, ` : "";
  return `${short}--${name} ${metavarOf(parameter)}`.trimEnd();
}

function metavarOf(parameter: Parameter): string {
  if (parameter.kind === "flag") return "";
  if (parameter.kind === "choice") return parameter.values.join("|");
  return parameter.kind === "list" ? `${parameter.metavar} …` : parameter.metavar;
}

/** Terms on the left, what they mean on the right; a term that is too long has its meaning below it. */
export function columns(rows: readonly (readonly [term: string, about: string])[], width: number): string[] {
  const left = Math.min(Math.max(0, ...rows.map(([term]) => term.length)), 36) + 4;
  return rows.flatMap(([term, about]) => {
    const lines = wrap(about, width - left).map((line) => " ".repeat(left) + line);
    if (term.length + 4 > left) return [`  ${term}`, ...lines];
    return [`  ${term}`.padEnd(left) + lines[0]!.slice(left), ...lines.slice(1)];
  });
}

/** Breaks words into lines no longer than the width. */
export function wrap(words: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

const page = (lines: readonly string[]): string => `${lines.map((line) => line.trimEnd()).join("\n")}\n`;

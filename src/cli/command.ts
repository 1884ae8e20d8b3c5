import type { ExitName } from "./exit.js";
import type { Terminal } from "./terminal.js";

/** A value that an option or argument takes. Plain data: help, completion, parsing and the reference all read it. */
export type Parameter =
  | { readonly kind: "flag"; readonly about: string; readonly short?: `-${string}` }
  | { readonly kind: "text"; readonly metavar: string; readonly about: string; readonly short?: `-${string}` }
  | { readonly kind: "list"; readonly metavar: string; readonly about: string; readonly short?: `-${string}` }
  | { readonly kind: "number"; readonly metavar: string; readonly about: string; readonly min: number }
  | { readonly kind: "choice"; readonly metavar: string; readonly about: string; readonly values: readonly string[] };

export type ParameterValue<P extends Parameter> = P["kind"] extends "flag"
  ? boolean
  : P["kind"] extends "list"
    ? readonly string[]
    : P["kind"] extends "number"
      ? number | undefined
      : P extends { readonly kind: "choice"; readonly values: readonly (infer V)[] }
        ? V | undefined
        : string | undefined;

/** Names are as typed, without the dashes: `early-data`, `key-log`. */
export type Parameters = { readonly [name: string]: Parameter };
export type Values<P extends Parameters> = { readonly [K in keyof P]: ParameterValue<P[K]> };

export interface CommandContext {
  readonly terminal: Terminal;
  /** Aborted by SIGINT, SIGTERM and SIGHUP. */
  readonly signal: AbortSignal;
}

/** One row of the table of commands. */
export interface Command<O extends Parameters = Parameters, A extends Parameters = Parameters> {
  readonly name: string;
  readonly brief: string;
  readonly details?: string;
  /** Positional arguments in their order; all may be left out as far as the parser is concerned. */
  readonly positionals: A;
  readonly options: O;
  /** Command lines that work as they stand, each with what it does. */
  readonly examples: readonly (readonly [line: string, about: string])[];
  /** Imports the command's own room when it runs, so that `--help` stays quick. */
  run(values: Values<O> & Values<A>, context: CommandContext): Promise<ExitName>;
}

/** Keeps the literal types of a row, and forgets them for the table. */
export function command<const O extends Parameters, const A extends Parameters>(row: Command<O, A>): Command {
  return row as unknown as Command;
}

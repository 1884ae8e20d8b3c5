import { bash, fish, nu, pwsh, type ShellCompletion, zsh } from "@optique/core/completion";
import { object, or } from "@optique/core/constructs";
import { runParserSync } from "@optique/core/facade";
import { formatMessage, type Message, text } from "@optique/core/message";
import { multiple, optional, withDefault } from "@optique/core/modifiers";
import { ensureNonEmptyString } from "@optique/core/nonempty";
import type { Parser } from "@optique/core/parser";
import { argument, command, constant, flag, option } from "@optique/core/primitives";
import type { OptionName } from "@optique/core/usage";
import { choice, integer, string, type ValueParser } from "@optique/core/valueparser";
import type { Command, Parameter } from "./command.js";
import { UsageError } from "./exit.js";
import { didYouMean } from "./suggest.js";

/** A command to run; or nothing more to do, since a completion script or its suggestions have been written. */
export type Parsed = { readonly name: string; readonly values: Readonly<Record<string, unknown>> } | undefined;

const shells: Readonly<Record<string, ShellCompletion>> = { bash, zsh, fish, nu, pwsh };

/**
 * Parses a command line by the table of commands; throws a `UsageError` if it does not fit. The only file that knows
 * the parser library: it turns rows of plain data into parsers, and does nothing else.
 */
export function parseCommandLine(
  table: readonly Command[],
  args: readonly string[],
  out: (text: string) => void,
): Parsed {
  const shown = new Error("completion has been written");
  try {
    const value = runParserSync(or(...table.map(parserOf)), "sealport", args, {
      stdout: out,
      stderr: () => {},
      completion: {
        command: { names: ["completion"] },
        shells,
        onShow: () => {
          throw shown;
        },
      },
      onError: (_, message) => {
        const words = formatMessage(message, { colors: false, quotes: false }).replace(/\s+/g, " ");
        const [what, hint] = words.split(/ (?=Did you mean)/);
        throw new UsageError(what!, optionHint(table, args) ?? hint);
      },
    });
    const { command: name, ...values } = value as Readonly<Record<string, unknown>>;
    return { name: String(name), values };
  } catch (error) {
    if (error === shown) return undefined;
    throw error;
  }
}

/** What an unknown option of a known command was meant to be. */
function optionHint(table: readonly Command[], args: readonly string[]): string | undefined {
  const row = table.find(({ name }) => name === args[0]);
  if (row === undefined) return undefined;
  for (const arg of args.slice(1)) {
    const name = /^--([^=]+)/.exec(arg)?.[1];
    if (name === undefined || name in row.options) continue;
    return (
      didYouMean(
        `--${name}`,
        Object.keys(row.options).map((each) => `--${each}`),
      ) ?? `sealport ${row.name} --help`
    );
  }
  return undefined;
}

type AnyParser = Parser<"sync", unknown, unknown>;

function parserOf(row: Command): AnyParser {
  const fields: Record<string, AnyParser> = { command: constant(row.name) };
  for (const [name, parameter] of Object.entries(row.options)) fields[name] = optionOf(name, parameter);
  for (const [name, parameter] of Object.entries(row.positionals)) fields[name] = positionalOf(parameter);
  return command(row.name, object(fields), { brief: plain(row.brief) });
}

function optionOf(name: string, parameter: Parameter): AnyParser {
  const names: [OptionName, ...OptionName[]] = [`--${name}`];
  if ("short" in parameter && parameter.short !== undefined) names.unshift(parameter.short);
  const about = { description: plain(parameter.about) };
  if (parameter.kind === "flag") return withDefault(flag(...names, about), false);
  if (parameter.kind === "list") return multiple(option(...names, parserFor(parameter), about));
  return optional(option(...names, parserFor(parameter), about));
}

function positionalOf(parameter: Parameter): AnyParser {
  if (parameter.kind === "flag") throw new TypeError("a flag is not a positional argument");
  const parser = argument(parserFor(parameter), { description: plain(parameter.about) });
  return parameter.kind === "list" ? multiple(parser) : optional(parser);
}

function parserFor(parameter: Exclude<Parameter, { kind: "flag" }>): ValueParser<"sync", unknown> {
  const metavar: string = parameter.metavar;
  ensureNonEmptyString(metavar);
  if (parameter.kind === "number") return integer({ type: "number", metavar, min: parameter.min });
  if (parameter.kind === "choice") return choice<string>(parameter.values, { metavar });
  return string({ metavar });
}

const plain = (words: string): Message => [text(words)];

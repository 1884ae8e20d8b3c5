import type { CommandContext } from "../command.js";
import { commands } from "../commands.js";
import { type ExitName, UsageError } from "../exit.js";
import { columns, commandPage, frontPage, wrap } from "../page.js";
import { didYouMean } from "../suggest.js";
import { topics } from "../topics.js";

export async function help(
  { topic }: { readonly topic: string | undefined },
  { terminal }: CommandContext,
): Promise<ExitName> {
  const { style, width } = terminal;
  if (topic === undefined) {
    if (terminal.json) terminal.document({ topics: Object.keys(topics), commands: commands.map(({ name }) => name) });
    terminal.print(frontPage(commands, style, width).trimEnd());
    return "ok";
  }
  const row = commands.find(({ name }) => name === topic);
  const found = topics[topic];
  if (row !== undefined) {
    const { name, brief, details, positionals, options, examples } = row;
    if (terminal.json) terminal.document({ name, brief, details, positionals, options, examples });
    terminal.print(commandPage(row, style, width).trimEnd());
  } else if (found !== undefined) {
    if (terminal.json) terminal.document(found);
    terminal.print(style("bold", found.title));
    for (const paragraph of found.paragraphs) terminal.print(["", ...wrap(paragraph, width)].join("\n"));
    if (found.rows.length > 0) terminal.print(["", ...columns(found.rows, width)].join("\n"));
  } else {
    const known = [...Object.keys(topics), ...commands.map(({ name }) => name)];
    throw new UsageError(`no topic ${topic}`, didYouMean(topic, known) ?? `topics: ${Object.keys(topics).join(", ")}`);
  }
  return "ok";
}

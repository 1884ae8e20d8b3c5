import { readFileSync } from "node:fs";
import { Failure } from "../contract/index.js";
import { commands } from "./commands.js";
import { ConfigError, type ExitName, exitCodes, exitFor, UsageError } from "./exit.js";
import { commandPage, frontPage } from "./page.js";
import { type Terminal, terminal } from "./terminal.js";

/** Runs one command line in this process, and answers how it ended. */
export async function main(args: readonly string[]): Promise<ExitName> {
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  const screen = terminal(process.stdout, process.stderr, process.env, ownArgs(args).includes("--json"));
  try {
    return await dispatch(args, screen);
  } catch (error) {
    return report(error, screen);
  }
}

async function dispatch(args: readonly string[], screen: Terminal): Promise<ExitName> {
  const asked = commands.find(({ name }) => name === args[0]);
  if (args.length === 0 || wantsHelp(args)) {
    process.stdout.write(
      asked === undefined
        ? frontPage(commands, screen.style, screen.width)
        : commandPage(asked, screen.style, screen.width),
    );
    return "ok";
  }
  if (args[0] === "--version") {
    process.stdout.write(`${version()}\n`);
    return "ok";
  }
  // The parser library is the slowest thing to load; help and version do without it.
  const { parseCommandLine } = await import("./parser.js");
  const parsed = parseCommandLine(commands, args, (text) => process.stdout.write(`${text}\n`));
  if (parsed === undefined) return "ok";

  const stop = new AbortController();
  const interrupt = () => {
    if (stop.signal.aborted) process.exit(exitCodes.interrupted.code);
    stop.abort(new Interrupted());
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt).on("SIGHUP", interrupt);
  try {
    const row = commands.find(({ name }) => name === parsed.name)!;
    return await row.run(parsed.values as never, { terminal: screen, signal: stop.signal });
  } catch (error) {
    if (stop.signal.aborted) return "interrupted";
    throw error;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt).off("SIGHUP", interrupt);
  }
}

class Interrupted extends Error {}

/** `--help` anywhere before `--`, so that it can be added to any command line. */
const wantsHelp = (args: readonly string[]): boolean => ownArgs(args).some((arg) => arg === "--help" || arg === "-h");

/** What stands before `--` is ours, what stands behind it another command's. */
const ownArgs = (args: readonly string[]): readonly string[] =>
  args.slice(0, args.includes("--") ? args.indexOf("--") : undefined);

/** Says what went wrong: what, whose fault, what to try. Only a defect of our own shows a stack. */
function report(error: unknown, screen: Terminal): ExitName {
  const exit = exitFor(error);
  const message = error instanceof Error ? error.message : String(error);
  const hint =
    error instanceof Failure || error instanceof UsageError || error instanceof ConfigError ? error.hint : "";
  screen.event("error", {
    exit: exitCodes[exit].code,
    message,
    ...(hint ? { hint } : {}),
    ...(error instanceof Failure ? { failure: error } : {}),
  });
  if (screen.json) return exit;
  process.stderr.write(`sealport: ${message}\n`);
  if (error instanceof Failure) {
    const where = error.at === undefined ? "" : ` at ${error.at}`;
    process.stderr.write(
      `  ${error.protocol}: ${error.fault}/${error.reason}${where}${error.byPeer ? ", said by the peer" : ""}\n`,
    );
  }
  if (hint) process.stderr.write(`  try: ${hint}\n`);
  if (exit === "internal" && error instanceof Error) process.stderr.write(`${error.stack ?? ""}\n`);
  return exit;
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  return String(manifest.version);
}

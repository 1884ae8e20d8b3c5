import { command } from "./command.js";

/** The table of commands. Parsing, `--help`, completion and docs/cli.md all come from it. */
export const commands = [
  command({
    name: "demo",
    brief: "Show what works: every protocol shakes hands and moves data, then Table 1 with each cell's state",
    positionals: {},
    options: { json: { kind: "flag", about: "Write events as JSON, one a line" } },
    examples: [["sealport demo", "the whole show, a few seconds"]],
    run: async (values, context) => (await import("./commands/demo.js")).demo(values, context),
  }),
  command({
    name: "survey",
    brief: "Prove the cells of RFC 8922's Table 1: a real handshake and a real effect for each",
    details: "A cell is demonstrated only by what ran now; a blank is shown to refuse. Ends with 1 if a cell failed",
    positionals: {},
    options: {
      json: { kind: "flag", about: "Write one JSON document: protocols and cells" },
      md: { kind: "flag", about: "Write the table as Markdown" },
      html: { kind: "flag", about: "Write the table as one HTML page" },
      only: { kind: "list", metavar: "WHAT", about: "Only this protocol, interface or cell: TLS, KU, TLS/KU" },
    },
    examples: [
      ["sealport survey --only TLS", "one row"],
      ["sealport survey --md --only KU", "one column, for a paper"],
    ],
    run: async (values, context) => (await import("./commands/survey.js")).survey(values, context),
  }),
  command({
    name: "bench",
    brief: "Measure Sealport beside other implementations, both in one run",
    positionals: { name: { kind: "text", metavar: "NAME", about: "A benchmark; all of them if left out" } },
    options: {
      json: { kind: "flag", about: "Write one JSON document: rows" },
      list: { kind: "flag", about: "Name the benchmarks and end" },
    },
    examples: [["sealport bench --list", "what can be measured"]],
    run: async (values, context) => (await import("./commands/bench.js")).bench(values, context),
  }),
  command({
    name: "help",
    brief: "Explain a topic: exit-codes, secrets, json, environment",
    positionals: { topic: { kind: "text", metavar: "TOPIC", about: "A topic or a command" } },
    options: { json: { kind: "flag", about: "Write the topic as JSON" } },
    examples: [["sealport help exit-codes", "what each exit code means"]],
    run: async (values, context) => (await import("./commands/help.js")).help(values, context),
  }),
];

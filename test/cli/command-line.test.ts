import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { commands } from "../../src/cli/commands.js";
import { topics } from "../../src/cli/topics.js";
import { sealport } from "./sealport.js";

test("without arguments every command is listed, and the exit code is 0", async () => {
  const { code, out, err } = await sealport([]);
  assert.equal(code, 0);
  assert.equal(err, "");
  for (const { name } of commands) assert.match(out, new RegExp(`^  ${name}\\b`, "m"));
});

test("every command has a help page with its options and its examples", async () => {
  for (const row of commands) {
    const { code, out } = await sealport([row.name, "--help"]);
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^Usage: sealport ${row.name}`));
    for (const name of Object.keys(row.options)) assert.ok(out.includes(`--${name}`), `${row.name} --${name}`);
    assert.ok(row.examples.length > 0);
    for (const [line] of row.examples) assert.ok(out.includes(line), line);
  }
});

test("every topic is explained, and the help command names them all", async () => {
  const brief = commands.find(({ name }) => name === "help")!.brief;
  for (const name of Object.keys(topics)) {
    assert.ok(brief.includes(name), `${name} is not named`);
    const { code, out } = await sealport(["help", name]);
    assert.equal(code, 0);
    assert.ok(out.startsWith(topics[name]!.title));
  }
});

test("a mistyped command, option, topic and cell are usage errors that say what was meant", async () => {
  const meant: readonly (readonly [readonly string[], RegExp])[] = [
    [["surve"], /mean survey/],
    [["survey", "--onyl", "TLS"], /mean --only/],
    [["survey", "--only", "DTSL"], /mean DTLS/],
    [["help", "exit-code"], /mean exit-codes/],
  ];
  for (const [args, hint] of meant) {
    const { code, out, err } = await sealport(args);
    assert.equal(code, 2, args.join(" "));
    assert.equal(out, "");
    assert.match(err, hint);
  }
});

test("an error with --json is one event on stdout and nothing on stderr", async () => {
  const { code, out, err } = await sealport(["survey", "--only", "DTSL", "--json"]);
  assert.equal(code, 2);
  assert.equal(err, "");
  const event = JSON.parse(out);
  assert.deepEqual(Object.keys(event), ["v", "event", "exit", "message", "hint"]);
  assert.deepEqual([event.v, event.event, event.exit], [1, "error", 2]);
});

test("the version is that of the package", async () => {
  const { out } = await sealport(["--version"]);
  assert.match(out, /^\d+\.\d+\.\d+\n$/);
});

test("colours follow NO_COLOR, FORCE_COLOR and what stdout is", async () => {
  const ansi = "\u001b[";
  const page = (env: Record<string, string>) => sealport([], { env });
  assert.ok(!(await page({})).out.includes(ansi), "stdout is a pipe");
  assert.ok((await page({ FORCE_COLOR: "1" })).out.includes(ansi));
  assert.ok(!(await page({ FORCE_COLOR: "0" })).out.includes(ansi));
  assert.ok(!(await page({ FORCE_COLOR: "1", NO_COLOR: "1" })).out.includes(ansi));
});

test("pages are no wider than COLUMNS says", async () => {
  for (const width of [50, 72, 100]) {
    const { out } = await sealport(["help", "json"], { env: { COLUMNS: String(width) } });
    const widest = Math.max(...out.split("\n").map((line) => line.length));
    assert.ok(widest <= width && widest > width / 2, `${widest} of ${width}`);
  }
});

test("completion scripts are printed for five shells, and a word is completed", async () => {
  for (const shell of ["bash", "zsh", "fish", "nu", "pwsh"]) {
    const { code, out } = await sealport(["completion", shell]);
    assert.equal(code, 0);
    assert.ok(out.includes("sealport"), shell);
  }
  const { out } = await sealport(["completion", "bash", "surv"]);
  assert.equal(out.trim(), "survey");
});

test("the help pages import nothing but the command line itself", () => {
  const seen = new Set<string>();
  (function follow(url: URL): void {
    if (seen.has(url.href)) return;
    seen.add(url.href);
    for (const [, target] of readFileSync(url, "utf8").matchAll(/^(?:import|export)[^;]*? from "([^"]+)"/gm)) {
      if (target!.startsWith("node:")) continue;
      assert.ok(target!.startsWith("."), `${url.pathname} imports ${target}`);
      follow(new URL(target!, url));
    }
  })(new URL("../../src/cli/main.js", import.meta.url));
  const outside = [...seen].filter((href) => !/\/(cli|contract)\//.test(href));
  assert.deepEqual(outside, []);
  assert.ok(seen.size > 5);
});

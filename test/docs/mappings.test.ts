import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const folder = join(root, "docs/mappings");

function testNames(within: string): string[] {
  return readdirSync(within, { withFileTypes: true }).flatMap((entry) => {
    const path = join(within, entry.name);
    if (entry.isDirectory()) return testNames(path);
    if (!entry.name.endsWith(".test.ts")) return [];
    return [...readFileSync(path, "utf8").matchAll(/\btest\(\s*"((?:[^"\\]|\\.)*)"/g)].map(([, name]) => name!);
  });
}

interface Claim {
  readonly text: string;
  readonly notes: readonly string[];
}

/** Sentences of the mapping, below the first heading of a protocol, each with the notes that follow it. */
function claims(body: string): readonly Claim[] {
  return body
    .split(/\n\n+/)
    .filter((paragraph) => /^\*\*[^*]+:\*\*/.test(paragraph))
    .flatMap((paragraph) => {
      const text = paragraph
        .replace(/^\*\*[^*]+:\*\*/, "")
        .replaceAll("\n", " ")
        // The template's one-word answers.
        .replace(/^ (Connected|Byte-stream|Message)\./, "");
      return [...text.matchAll(/([^[]*?)((?:\[\^[^\]]+\]\s*)+|$)/g)]
        .map(([, words, notes]) => ({
          text: words!.trim(),
          notes: [...notes!.matchAll(/\[\^([^\]]+)\]/g)].map(([, note]) => note!),
        }))
        .filter(({ text: words }) => words !== "");
    });
}

for (const page of readdirSync(folder)) {
  test(`each sentence of docs/mappings/${page} points at a test that is there`, () => {
    const source = readFileSync(join(folder, page), "utf8");
    const notes = new Map([...source.matchAll(/^\[\^([^\]]+)\]: (.*)$/gm)].map(([, note, name]) => [note!, name!]));
    const body = source.slice(source.indexOf("\n## ")).replace(/^\[\^.*$/gm, "");
    const all = claims(body);
    assert.ok(all.length > 30, `${all.length} sentences were seen`);
    for (const { text, notes: cited } of all) {
      assert.ok(cited.length > 0, `"${text}" points at no test`);
      assert.doesNotMatch(text, /\.\s+[A-Z]/, `"${text}" is several sentences with one test`);
    }
    const used = new Set([...source.matchAll(/\[\^([^\]]+)\](?!:)/g)].map(([, note]) => note!));
    assert.deepEqual([...used].sort(), [...notes.keys()].sort(), "each note is used, and each use has its note");
    const names = new Set(testNames(join(root, "test")));
    assert.deepEqual(
      [...notes.values()].filter((name) => !names.has(name)),
      [],
      "tests that are named and not there",
    );
  });
}

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** One thing that a door exports, as the compiler declared it. */
export interface Declaration {
  readonly name: string;
  readonly kind: "function" | "class" | "interface" | "type" | "const";
  /** The text of its documentation comment, without stars. */
  readonly doc: string;
  /** Its declaration, with the comments of its members. */
  readonly code: string;
  /** The module that declares it. */
  readonly path: string;
  /** Exported as a type alone: a class that cannot be made from outside. */
  readonly typeOnly: boolean;
}

/** The doors of the package: subpath of `exports` → the declaration file behind it. */
export function doors(packageFolder: string): ReadonlyMap<string, string> {
  const manifest = JSON.parse(readFileSync(resolve(packageFolder, "package.json"), "utf8"));
  const entries = Object.entries(manifest.exports as Record<string, { readonly types?: string }>);
  return new Map(
    entries.flatMap(([subpath, { types }]) => (types === undefined ? [] : [[subpath, resolve(packageFolder, types)]])),
  );
}

/**
 * Everything that a module exports, by following its declaration file. The compiler writes these files in one manner, so
 * a small reader is enough; what it does not know, it refuses.
 */
export function exportsOf(path: string): ReadonlyMap<string, Declaration> {
  const found = new Map<string, Declaration>();
  const here = new Map<string, Declaration>();
  for (const { doc, code } of statements(readFileSync(path, "utf8"))) {
    const [, star] = /^export (?:type )?\* from "([^"]+)";$/.exec(code) ?? [];
    const allTypes = code.startsWith("export type ");
    const [, names, from] = /^export (?:type )?\{([^}]*)\}(?: from "([^"]+)")?;$/.exec(code) ?? [];
    const declared = declaration.exec(code);
    if (star !== undefined) {
      for (const [name, each] of exportsOf(follow(path, star))) found.set(name, typed(each, allTypes));
    } else if (names !== undefined) {
      const source = from === undefined ? here : exportsOf(follow(path, from));
      for (const listed of names.split(",").map((each) => each.trim())) {
        if (listed === "") continue;
        const item = listed.replace(/^type /, "");
        const [inner, outer = inner] = item.split(" as ") as [string, string?];
        const each = source.get(inner);
        if (each === undefined) throw new Error(`${path}: ${inner} is not declared in ${from ?? "this module"}`);
        found.set(outer, { ...typed(each, allTypes || item !== listed), name: outer });
      }
    } else if (declared !== null) {
      const kind = kinds[declared[2] as keyof typeof kinds];
      const name = declared[3]!;
      const earlier = here.get(name);
      const each: Declaration = {
        name,
        kind,
        doc: doc === "" ? (earlier?.doc ?? "") : doc,
        code: earlier === undefined ? code : `${earlier.code}\n${code}`,
        path,
        typeOnly: kind === "interface" || kind === "type",
      };
      here.set(name, each);
      if (declared[1] !== undefined) found.set(name, each);
    } else if (!/^(import |export \{\};|\/\/)/.test(code))
      throw new Error(`${path}: cannot read: ${code.split("\n")[0]}`);
  }
  return found;
}

const typed = (each: Declaration, typeOnly: boolean): Declaration => (typeOnly ? { ...each, typeOnly } : each);

const declaration =
  /^(export )?(?:declare )?(?:default )?(?:abstract )?(function|class|interface|type|const|let) ([A-Za-z_$][\w$]*)/;
const kinds = {
  function: "function",
  class: "class",
  interface: "interface",
  type: "type",
  const: "const",
  let: "const",
} as const;

const follow = (from: string, target: string): string => resolve(dirname(from), target.replace(/\.js$/, ".d.ts"));

/** Cuts a declaration file into its top-level statements, each with the documentation comment before it. */
function* statements(text: string): Generator<{ doc: string; code: string }> {
  const lines = text.split("\n").filter((line) => !line.startsWith("//# sourceMappingURL"));
  let doc = "";
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    if (line === "" || line.startsWith("#!")) continue;
    if (line.startsWith("/**")) {
      const start = i;
      while (!lines[i]!.endsWith("*/")) i++;
      doc = comment(lines.slice(start, i + 1));
      continue;
    }
    const start = i;
    // A statement ends at a line of depth zero that closes it.
    while (!(isEnd(lines, start, i) && balanced(lines.slice(start, i + 1)))) {
      if (++i >= lines.length) throw new Error(`unended statement: ${line}`);
    }
    yield { doc, code: lines.slice(start, i + 1).join("\n") };
    doc = "";
  }
}

/** Classes and interfaces end with a brace, everything else with a semicolon. */
const isEnd = (lines: readonly string[], start: number, i: number): boolean =>
  lines[i]!.endsWith(/^(export )?(declare )?(abstract )?(class|interface) /.test(lines[start]!) ? "}" : ";");

function balanced(lines: readonly string[]): boolean {
  const code = lines
    .join("\n")
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\/\/.*$/gm, "")
    .replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`/g, "");
  let depth = 0;
  for (const sign of code.replace(/=>/g, "")) {
    if ("([{".includes(sign)) depth++;
    else if (")]}".includes(sign)) depth--;
  }
  return depth === 0;
}

/** The words of a documentation comment. */
function comment(lines: readonly string[]): string {
  return lines
    .join("\n")
    .replace(/^\/\*\*\s?/, "")
    .replace(/\s*\*\/$/, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, ""))
    .join("\n")
    .trim();
}

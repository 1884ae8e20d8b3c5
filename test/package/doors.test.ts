import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { doors, exportsOf } from "../../scripts/doors.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));

for (const [subpath, path] of doors(root)) {
  const name = subpath === "." ? "index" : subpath.slice(2).replaceAll("/", "-");
  const golden = `${root}test/package/doors/${name}.txt`;

  test(`the door ${subpath} exports what its golden list says`, () => {
    const found = [...exportsOf(path).values()]
      .map(({ kind, name, typeOnly }) => `${typeOnly && kind === "class" ? "type of a class" : kind} ${name}`)
      .sort();
    const list = `${found.join("\n")}\n`;
    // After a change on purpose: UPDATE_GOLDEN=1 npm test -- package
    if (process.env["UPDATE_GOLDEN"]) {
      mkdirSync(`${root}test/package/doors`, { recursive: true });
      writeFileSync(golden, list);
    }
    assert.ok(existsSync(golden), `${golden} is missing: UPDATE_GOLDEN=1 npm test -- package`);
    assert.equal(list, readFileSync(golden, "utf8"));
  });

  test(`the values that the door ${subpath} declares are those that it exports when it runs`, async () => {
    const declared = [...exportsOf(path).values()].filter(({ typeOnly }) => !typeOnly);
    const module: unknown = await import(pathToFileURL(path.replace(/\.d\.ts$/, ".js")).href);
    assert.ok(typeof module === "object" && module !== null);
    assert.deepEqual(Object.keys(module).sort(), declared.map((each) => each.name).sort());
  });
}

test("every door can be imported by its name, and by require where Node has it", async () => {
  const names = [...doors(root).keys()].map((subpath) => `sealport${subpath.slice(1)}`);
  assert.ok(names.includes("sealport"));
  for (const name of names) assert.ok(Object.keys(await import(name)).length > 0, name);
});

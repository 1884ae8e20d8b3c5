import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

interface Locked {
  readonly optional?: boolean;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const lock: { readonly packages: Readonly<Record<string, Locked>> } = JSON.parse(
  readFileSync(new URL("../../../package-lock.json", import.meta.url), "utf8"),
);

test("the lock file holds the builds for every platform, or npm ci refuses it", () => {
  const missing: string[] = [];
  let seen = 0;
  for (const { optionalDependencies } of Object.values(lock.packages)) {
    for (const name of Object.keys(optionalDependencies ?? {})) {
      seen++;
      if (!(`node_modules/${name}` in lock.packages)) missing.push(name);
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(seen >= 30, `only ${seen} were seen`);
});

test("the lock file names no registry", () => {
  assert.deepEqual(
    Object.values(lock.packages).flatMap(({ resolved }) => resolved ?? []),
    [],
  );
});

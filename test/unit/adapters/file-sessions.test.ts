import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { FileSessionStore } from "../../../src/adapters/file-sessions.js";
import { utf8 } from "../../../src/bytes/index.js";
import { Failure } from "../../../src/contract/index.js";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sessions-"));
  path = join(folder, "sessions");
});
afterEach(() => rm(folder, { recursive: true }));

const entry = (text: string) => ({ bytes: utf8(text), expiresAt: 1000 });

test("sessions outlive the process that stored them, in a file for its owner alone", async () => {
  const store = await FileSessionStore.open(path);
  await Promise.all([store.add("a", entry("first")), store.add("a", entry("second")), store.add("b", entry("other"))]);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const again = await FileSessionStore.open(path);
  assert.deepEqual(again.peek("b", 0)?.bytes, utf8("other"));
  assert.deepEqual((await again.take("a", 0))?.bytes, utf8("second"));
  const third = await FileSessionStore.open(path);
  assert.deepEqual((await third.take("a", 0))?.bytes, utf8("first"));
  assert.equal(await third.take("a", 0), undefined);
  await third.remove("b");
  assert.equal((await FileSessionStore.open(path)).peek("b", 0), undefined);
  assert.deepEqual(await readdir(folder), ["sessions"]);
});

test("a session file that others may read is refused", async () => {
  await writeFile(path, "{}");
  await chmod(path, 0o644);
  await assert.rejects(FileSessionStore.open(path), (error) => error instanceof Failure && error.fault === "misuse");
});

test("a session file without sense counts as empty", async () => {
  for (const text of ["", "{", "[]", '{"format":9,"sessions":{}}', '{"format":1,"sessions":{"a":[{}]}}']) {
    await writeFile(path, text, { mode: 0o600 });
    assert.equal((await FileSessionStore.open(path)).peek("a", 0), undefined, text);
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { RedisSessionStore } from "../../../examples/redis-sessions.js";
import { utf8 } from "../../../src/bytes/index.js";

/** The five commands that the example sends, as Redis documents them. */
function commands(): (command: string[]) => Promise<unknown> {
  const lists = new Map<string, string[]>();
  return async ([name, key = "", ...given]) => {
    const list = lists.get(key) ?? [];
    lists.set(key, list);
    switch (name) {
      case "LPUSH":
        return list.unshift(given[0]!);
      case "LTRIM":
        return void list.splice(Number(given[1]) + 1);
      case "PEXPIREAT":
        return 1;
      case "LPOP":
        return list.shift() ?? null;
      case "LINDEX":
        return list[Number(given[0])] ?? null;
      case "DEL":
        return Number(lists.delete(key));
      default:
        throw new Error(`unknown command ${name}`);
    }
  };
}

test("the Redis example keeps sessions newest first, each for one taker", async () => {
  const store = new RedisSessionStore(commands(), { perKeyMax: 2 });
  for (const text of ["one", "two", "three"]) await store.add("k", { bytes: utf8(text), expiresAt: 1000 });
  assert.deepEqual((await store.peek("k", 0))?.bytes, utf8("three"));
  assert.deepEqual((await store.take("k", 0))?.bytes, utf8("three"));
  assert.deepEqual((await store.take("k", 0))?.bytes, utf8("two"));
  assert.equal(await store.take("k", 0), undefined);
  await store.add("k", { bytes: utf8("late"), expiresAt: 10 });
  assert.equal(await store.peek("k", 10), undefined);
  assert.equal(await store.take("k", 10), undefined);
  await store.add("k", { bytes: utf8("gone"), expiresAt: 1000 });
  await store.remove("k");
  assert.equal(await store.peek("k", 0), undefined);
});

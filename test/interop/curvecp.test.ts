import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeKeyDirectory, readKeyDirectory } from "../../src/adapters/index.js";
import { fromUtf8, toHex, utf8 } from "../../src/bytes/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import {
  type ClientQuestion,
  type CurveCpListener,
  type CurveCpServerOptions,
  type CurveCpSession,
  type CurveCpSink,
  connect,
  listen,
} from "../../src/protocols/curvecp/index.js";
import { clientIdentity, pattern, serverIdentity } from "../support/curvecp-pair.js";
import { extension, NaclKeys, naclClient, naclServer, serverName } from "./peers/curvecp.js";
import { peer } from "./peers/find.js";

const host = nodeHost();
const local = { address: "127.0.0.1", port: 0 };
const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Everything that a session hears, and promises for its end. */
class Ear implements CurveCpSink {
  readonly #parts: Uint8Array[] = [];
  readonly closedPromise: Promise<string | undefined>;
  #closed!: (reason: string | undefined) => void;
  onEnded: () => void = () => {};

  constructor() {
    this.closedPromise = new Promise((resolve) => (this.#closed = resolve));
  }

  get all(): Uint8Array {
    return Buffer.concat(this.#parts);
  }

  bytes(bytes: Uint8Array): void {
    this.#parts.push(bytes);
  }

  ended(): void {
    this.onEnded();
  }

  drained(): void {}

  closed(failure?: { readonly reason: string }): void {
    this.#closed(failure?.reason);
  }
}

function dial(port: number, keys: NaclKeys, ear: Ear, more: object = {}): CurveCpSession {
  const options = { serverKey: keys.publicKey, serverName, extension, serverExtension: extension, ...more };
  return connect(host, { address: "127.0.0.1", port }, options, ear);
}

/** Our server: what a client says is told when it has ended, and then it gets the answer. */
async function serve(
  answer: Uint8Array,
  options: Partial<CurveCpServerOptions> = {},
): Promise<{ listener: CurveCpListener; told: Promise<{ all: Uint8Array; session: CurveCpSession }>; ears: Ear[] }> {
  const ears: Ear[] = [];
  let tell!: (told: { all: Uint8Array; session: CurveCpSession }) => void;
  const told = new Promise<{ all: Uint8Array; session: CurveCpSession }>((resolve) => (tell = resolve));
  const listener = await listen(host, local, { identity: serverIdentity, extension, ...options }, (session) => {
    const ear = new Ear();
    ears.push(ear);
    ear.onEnded = () => {
      session.write(answer);
      session.finish();
      tell({ all: ear.all, session });
    };
    return ear;
  });
  return { listener, told, ears };
}

test("NaCl's server takes 4 MB of ours whole, and answers after our end", async () => {
  using keys = new NaclKeys();
  const { program, port } = await naclServer(keys, "sha256sum");
  await using _ = program;
  // Twice: its second connection counts from anywhere in 64 bits.
  for (const seed of [1, 2]) {
    const sent = pattern(4_000_000, seed);
    const ear = new Ear();
    const session = dial(port, keys, ear, { identity: clientIdentity });
    session.write(sent);
    session.finish();
    assert.equal(await ear.closedPromise, undefined);
    assert.equal(fromUtf8(ear.all)?.slice(0, 64), digest(sent));
    assert.equal(session.outcome && toHex(session.outcome.peer.key), toHex(keys.publicKey));
  }
});

test("NaCl's server speaks first and sends us 300 kB, at its own pace", async () => {
  using keys = new NaclKeys();
  const { program, port } = await naclServer(keys, "seq 1 100000 | head -c 300000");
  await using _ = program;
  const ear = new Ear();
  const session = dial(port, keys, ear);
  session.finish();
  assert.equal(await ear.closedPromise, undefined);
  const all = Array.from({ length: 100_000 }, (_, i) => `${i + 1}\n`).join("");
  assert.equal(digest(ear.all), digest(utf8(all.slice(0, 300_000))));
});

test("NaCl's server echoes what we say, while we say it, by the reference's own congestion control too", async () => {
  using keys = new NaclKeys();
  const { program, port } = await naclServer(keys, "cat");
  await using _ = program;
  for (const congestionControl of ["cubic", "chicago"] as const) {
    const ear = new Ear();
    const session = dial(port, keys, ear, { congestionControl });
    const sent = pattern(20_000);
    session.write(sent);
    session.finish();
    assert.equal(await ear.closedPromise, undefined);
    assert.equal(digest(ear.all), digest(sent));
    assert.equal(session.statistics.congestionControl, congestionControl);
  }
});

test("NaCl's client sends us 200 kB and gets 2 MB, and we learn its long-term key and the name it asked for", async () => {
  using keys = new NaclKeys();
  const answer = pattern(2_000_000, 3);
  const asked: ClientQuestion[] = [];
  const { listener, told, ears } = await serve(answer, {
    clients: async (question) => {
      asked.push(question);
      return true;
    },
    serverNames: ["other.example", serverName],
  });
  const send = "(seq 1 100000 | head -c 200000 >&7; exec 7>&-) & exec 7>&-; cat <&6 | sha256sum; wait";
  await using client = naclClient(listener.local.port, serverIdentity.publicKey, send, { keys });
  const [, hash] = await client.says(/([0-9a-f]{64})/);
  assert.equal(hash, digest(answer));
  const { all, session } = await told;
  const expected = Array.from({ length: 100_000 }, (_, i) => `${i + 1}\n`).join("");
  assert.equal(digest(all), digest(utf8(expected.slice(0, 200_000))));
  assert.equal(asked.length, 1);
  assert.equal(toHex(asked[0]!.publicKey), toHex(keys.publicKey));
  assert.equal(session.outcome?.serverName, serverName);
  assert.ok(session.peer?.kind === "static-key" && toHex(session.peer.key) === toHex(keys.publicKey));
  assert.equal(await client.ends(), "exited with 0");
  assert.equal(await ears[0]!.closedPromise, undefined);
  await listener.close();
});

test("three of NaCl's clients at once on one port, which let the server speak first", async () => {
  const { listener } = await serve(utf8("good day\n"));
  const port = listener.local.port;
  const clients = [1, 2, 3].map(() =>
    naclClient(port, serverIdentity.publicKey, "exec 7>&-; cat <&6", { first: false }),
  );
  for (const client of clients) {
    await client.says("good day");
    assert.equal(await client.ends(), "exited with 0");
  }
  await listener.close();
});

test("a client of NaCl's whose key we do not know, or that asks for another name, gets nothing but cookies", async () => {
  using known = new NaclKeys();
  using unknown = new NaclKeys();
  const { listener, ears } = await serve(utf8("no"), { clients: [known.publicKey], serverNames: [serverName] });
  const { port } = listener.local;
  const shell = "echo hello >&7; exec 7>&-; cat <&6";
  await using wrongKey = naclClient(port, serverIdentity.publicKey, shell, { keys: unknown });
  await using wrongName = naclClient(port, serverIdentity.publicKey, shell, { keys: known, name: "another.name" });
  await poll(() => listener.drops["refused-client"] > 0 && listener.drops["wrong-server-name"] > 0);
  await using right = naclClient(port, serverIdentity.publicKey, shell, { keys: known });
  await right.says("no");
  assert.equal(ears.length, 1);
  for (const refused of [wrongKey, wrongName]) assert.equal(refused.said, "");
  await listener.close();
});

test("key directories: ours are NaCl's, and NaCl's are ours", async () => {
  using keys = new NaclKeys();
  const pair = await readKeyDirectory(keys.path);
  assert.equal(toHex(pair.publicKey), toHex(keys.publicKey));
  const parent = await mkdtemp(join(tmpdir(), "sealport-keys-"));
  try {
    const path = join(parent, "ours");
    const made = await makeKeyDirectory(path);
    const { command, prefix } = peer("curvecpprintkey");
    assert.equal(String(execFileSync(command, [...prefix, path])).trim(), toHex(made.publicKey));
    const { program, port } = await naclServer({ path, publicKey: made.publicKey } as NaclKeys, "cat");
    await using _ = program;
    const ear = new Ear();
    const session = dial(port, { publicKey: made.publicKey } as NaclKeys, ear, { identity: pair });
    session.write(utf8("with a key of ours"));
    session.finish();
    assert.equal(await ear.closedPromise, undefined);
    assert.equal(fromUtf8(ear.all), "with a key of ours");
  } finally {
    await rm(parent, { recursive: true });
  }
});

/** Waits until it is so; a test that waits for long is broken. */
async function poll(isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 2_000 && !isSo(); tries++) await new Promise((again) => setTimeout(again, 10));
  assert.ok(isSo());
}

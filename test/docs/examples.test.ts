import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { program } from "../cli/sealport.js";
import { scratch } from "../interop/peers/certificates.js";
import { freePort } from "../support/free-port.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const folder = scratch();
const pages = ["README.md", "docs/getting-started.md"];
const port = String(await freePort());

// `npx sealport` as people type it, without a registry.
mkdirSync(join(folder, "bin"));
writeFileSync(join(folder, "bin/npx"), `#!/bin/sh\nshift\nexec "${process.execPath}" "${program}" "$@"\n`, {
  mode: 0o755,
});
const env = { ...process.env, PATH: `${join(folder, "bin")}${delimiter}${process.env["PATH"]}` };

const running: ChildProcessWithoutNullStreams[] = [];
after(() => {
  for (const child of running) child.kill("SIGKILL");
});

/** Runs one command line in the scratch folder; what ends with `&` is left running once it listens. */
async function run(line: string): Promise<string> {
  const background = line.endsWith("&");
  const child = spawn("bash", ["-c", `exec ${line.replace(/&$/, "")}`.replace(/^exec (.*\|)/, "$1")], {
    cwd: folder,
    env,
  });
  running.push(child);
  let said = "";
  return new Promise((resolve, reject) => {
    const hear = (text: string) => {
      said += text;
      if (background && /listening on/.test(said)) resolve(said);
    };
    child.stdout.setEncoding("utf8").on("data", hear);
    child.stderr.setEncoding("utf8").on("data", background ? hear : () => {});
    child.on("close", (code) =>
      code === 0 ? resolve(said) : reject(new Error(`${line}: ended with ${code}: ${said}`)),
    );
  });
}

const blocks = (page: string, language: string): readonly string[] =>
  [
    ...readFileSync(join(root, page), "utf8").matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm")),
  ].map(([, body]) => body!);

test("every TypeScript block of the pages is an example, letter by letter", () => {
  const examples = readdirSync(join(root, "examples"))
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(join(root, "examples", name), "utf8"));
  const shown = pages.flatMap((page) => blocks(page, "ts"));
  assert.ok(shown.length >= 3);
  for (const block of shown) assert.ok(examples.includes(block), block);
});

test("every sealport command line of the pages works as it stands", async () => {
  const lines = pages
    .flatMap((page) => blocks(page, "sh"))
    .flatMap((block) => block.split("\n"))
    .map((line) => line.replace(/\s+#.*$/, "").trim())
    .filter((line) => line.includes("npx sealport "));
  assert.ok(lines.length >= 4);
  for (const line of new Set(lines)) await run(line.replaceAll("8443", port));
});

/** Runs an example in the scratch folder, where the pages have made ca.crt and server.crt. */
function example(name: string, ...args: readonly string[]): ChildProcessWithoutNullStreams {
  const file = fileURLToPath(new URL(`../../examples/${name}.js`, import.meta.url));
  const child = spawn(process.execPath, [file, ...args], { cwd: folder });
  running.push(child);
  return child;
}

function ends(child: ChildProcessWithoutNullStreams): Promise<string> {
  let said = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  return new Promise((resolve, reject) => {
    child.on("close", (code) => (code === 0 ? resolve(said) : reject(new Error(`ended with ${code}: ${err}`))));
  });
}

test("the examples serve, dial and speak TAPS to each other", async () => {
  const server = example("serve", "tls://127.0.0.1:0");
  const at = await new Promise<string>((resolve, reject) => {
    server.stdout.setEncoding("utf8").on("data", (text: string) => {
      const [, digits] = /listening on (\d+)/.exec(text) ?? [];
      if (digits !== undefined) resolve(digits);
    });
    server.stderr.setEncoding("utf8").on("data", (text: string) => reject(new Error(text)));
  });
  assert.equal(await ends(example("dial", `tls://localhost:${at}`)), "hello");
  assert.equal(await ends(example("taps", at)), "TLS/TCP 1.3 false\nhello\n");
  server.kill();
});

test("the examples of QUIC and HTTP/3 talk to themselves", async () => {
  const quic = "QUIC 1, shout\nONE STREAM AND ANOTHER\nacknowledged\na datagram\nSTILL HERE\n";
  assert.equal(await ends(example("quic")), quic);
  assert.equal(await ends(example("streams")), "QUIC/UDP 2\none stream\nand another\n");
  assert.equal(await ends(example("gquic")), "hello, old friend\n");
  assert.equal(await ends(example("http3")), "200 you want /page\n{ path: '/say', heard: 'hello' }\n");
});

test("the example of DTLS answers itself under a pre-shared key", async () => {
  assert.equal(await ends(example("dtls")), "DTLS 1.3, psk\nhello to you too\n");
  const call = (compared: boolean) => `the words are the same: true; compared before: ${compared}\nhello\n`;
  assert.equal(await ends(example("zrtp")), call(false) + call(true));
  assert.equal(await ends(example("curvecp")), "hello, in boxes\n");
  assert.equal(await ends(example("ikev2")), "encryption 20, key exchanges 31 and 36\na child with keys of 20 bytes\n");
  const esp = "15 answers; the last packets went by SPI 2001\n5 by the second keys, 0 refused\n";
  assert.equal(await ends(example("esp")), esp);
  const tcpcrypt = "TCPCRYPT_ECDHE_Curve25519 AEAD_AES_128_GCM 33\nhello, whoever you are\n";
  assert.equal(await ends(example("tcpcrypt")), tcpcrypt);
  assert.equal(await ends(example("minimalt")), "hello, at once\nround trips before it: 0\n");
});

// A program of its own: our server, which echoes, and says what became of every visitor. `memory` on its input answers
// how much it holds; so what attackers make it hold can be measured from outside.
import { argv } from "node:process";
import { OurServer } from "../../interop/ours.js";

const handshakeTimeoutMs = Number(argv[2]);

const server = await OurServer.start({}, { server: { handshakeTimeoutMs } });
let open = 0;

process.stdin.on("data", (bytes) => {
  if (!bytes.toString().includes("memory")) return;
  globalThis.gc?.();
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  say(`MEMORY ${JSON.stringify({ open, rss, heapUsed, external, arrayBuffers })}`);
});
say(`LISTENING ${server.port}`);

for (;;) {
  const visitor = await server.next();
  open++;
  visitor.stream((bytes) => visitor.session.write(bytes.slice()));
  visitor.ending(false).then((failure) => {
    open--;
    say(`GONE ${JSON.stringify(failure?.toJSON() ?? null)}`);
  });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

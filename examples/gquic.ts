import { readFile } from "node:fs/promises";
import { certificatesFromPem, dial, identityFromPem, serve } from "sealport";

const identity = identityFromPem({ chain: await readFile("server.crt"), key: await readFile("server.key") });
const trust = certificatesFromPem(await readFile("ca.crt"));

// Google QUIC is old: who wants it names it, here by the scheme.
await using server = await serve(
  "gquic://localhost:0",
  async (connection) => {
    for await (const { data, final } of connection) await connection.send(data, { final });
  },
  { identity },
);

const connection = await dial(`gquic://localhost:${server.port}`, { trust });
await connection.send(new TextEncoder().encode("hello, old friend\n"), { final: true });
for await (const { data } of connection) process.stdout.write(data);
await connection.close();

import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dial, serve } from "sealport";
import { makeKeyDirectory, readPublicKey } from "sealport/adapters";

// Key directories as NaCl's curvecpmakekey makes them: the server's, and one of a client that it lets in.
const folder = await mkdtemp(join(tmpdir(), "curvecp-"));
const server = await makeKeyDirectory(join(folder, "server"));
const client = await makeKeyDirectory(join(folder, "client"));

await using listening = await serve(
  "curvecp://127.0.0.1:0",
  async (connection) => {
    for await (const { data } of connection) await connection.send(data);
    await connection.send(new Uint8Array(), { final: true });
  },
  { keyPair: server, peerKeys: [client.publicKey] },
);

// The server's public key is all that is known of it, and all that is needed.
const peerKeys = [await readPublicKey(join(folder, "server"))];
const connection = await dial(`curvecp://127.0.0.1:${listening.port}`, { peerKeys, keyPair: client });
await connection.send(new TextEncoder().encode("hello, in boxes\n"), { final: true });
for await (const { data } of connection) process.stdout.write(data);
await connection.close();

import { readFile } from "node:fs/promises";
import { identityFromPem, serve } from "sealport";

const [url = "tls://127.0.0.1:8443"] = process.argv.slice(2);
const identity = identityFromPem({ chain: await readFile("server.crt"), key: await readFile("server.key") });

const server = await serve(
  url,
  async (connection) => {
    for await (const { data } of connection) await connection.send(data);
  },
  { identity },
);
console.log(`listening on ${server.port}`);

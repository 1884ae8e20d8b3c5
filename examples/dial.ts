import { readFile } from "node:fs/promises";
import { certificatesFromPem, dial } from "sealport";

const [url = "tls://localhost:8443"] = process.argv.slice(2);
const trust = certificatesFromPem(await readFile("ca.crt"));

await using connection = await dial(url, { trust, timeout: 5_000 });
await connection.send(new TextEncoder().encode("hello"), { final: true });
for await (const { data } of connection) process.stdout.write(data);

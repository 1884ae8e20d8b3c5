import { readFile } from "node:fs/promises";
import { certificatesFromPem, identityFromPem } from "sealport";
import { connectHttp3, listenHttp3 } from "sealport/http3";

const identity = identityFromPem({ chain: await readFile("server.crt"), key: await readFile("server.key") });
const trust = certificatesFromPem(await readFile("ca.crt"));

await using server = await listenHttp3({ identity }, async ({ method, path, body }) =>
  method === "POST" ? Response.json({ path, heard: await body.text() }) : new Response(`you want ${path}`),
);

await using client = await connectHttp3(`https://localhost:${server.local.port}`, { trust });
const page = await client.request({ path: "/page" });
console.log(page.status, await page.text());

const answer = await client.fetch("/say", { method: "POST", body: "hello" });
console.log(await answer.json());

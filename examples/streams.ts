import { readFile } from "node:fs/promises";
import { certificatesFromPem, identityFromPem, preconnection, secure, serve } from "sealport";

const identity = identityFromPem({ chain: await readFile("server.crt"), key: await readFile("server.key") });
const trust = certificatesFromPem(await readFile("ca.crt"));
const alpn = ["echo"];

// Each stream is given back to its end.
await using server = await serve(
  "quic://localhost:0",
  async (connection) => {
    for await (const { data, final } of connection) await connection.send(data, { final });
  },
  { identity, alpn },
);

const remote = { host: "localhost", port: server.port };
const allowed = ["QUIC", "TLS"] as const;
const pre = preconnection({ remote, security: secure({ allowed, equivalent: [allowed], alpn, trust }) });
const one = await pre.connect();
const two = await one.clone().ready;
console.log(one.stack, one.group.size);
for (const [stream, text] of [
  [one, "one stream"],
  [two, "and another"],
] as const) {
  await stream.send(new TextEncoder().encode(text), { final: true });
  for await (const { data } of stream) console.log(new TextDecoder().decode(data));
}
await one.group.close();

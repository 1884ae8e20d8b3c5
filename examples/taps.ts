import { readFile } from "node:fs/promises";
import { certificatesFromPem, preconnection, reliableInorderStream, secure } from "sealport";

const [port = "8443"] = process.argv.slice(2);

// What is needed, not how: RFC 9622. Only TLS 1.3 is allowed, so nothing else is ever tried.
const pre = preconnection({
  remote: { host: "localhost", port: Number(port) },
  transport: reliableInorderStream,
  security: secure({ allowed: ["TLS 1.3"], trust: certificatesFromPem(await readFile("ca.crt")) }),
});
const connection = await pre.connect({ timeout: 5_000 });
console.log(connection.stack, connection.security?.outcome?.version, connection.get("preserveMsgBoundaries"));
await connection.send(new TextEncoder().encode("hello"));
const { data } = await connection.receive();
console.log(new TextDecoder().decode(data));
await connection.close();

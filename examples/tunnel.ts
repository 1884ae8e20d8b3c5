import { once } from "node:events";
import { createServer } from "node:http";
import { tunnel } from "sealport";

const [file = "office.conf", url = "http://intranet.office/"] = process.argv.slice(2);

// The file that the network team sent, as it is: no root, no device, no side-car. Names are looked up inside.
await using office = await tunnel(file);
const response = await office.fetch(url);
console.log(await response.text());

// Anything that takes a socket: new Pool({ host: "db.office", stream: () => office.socket() }), ws, ssh2, mysql2 …
const { hostname, port } = new URL(url);
const socket = office.connect({ host: hostname, port: Number(port || 80) });
await once(socket, "connect");
socket.destroy();

// A server of ours that only the office can reach.
const server = await office.listen(
  8080,
  createServer((_, answer) => answer.end("hello, office")),
);
console.log(`reachable inside on port ${server.address()?.port}; ${office.status().peers[0]?.handshakes} handshake`);

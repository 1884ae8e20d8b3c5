import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { type Answer, decode, encode, TRUNCATED_RESPONSE } from "dns-packet";
import { WebSocketServer } from "ws";

/**
 * What a private network has: a web server that says who asks and where (8080), with WebSockets that echo; UDP echo (7);
 * a name server (53) for office.test, whose long answers need TCP. Its arguments are what it calls itself, and its address.
 */
const [, , title = "office", address = "10.99.0.1"] = process.argv;

const http = createServer((request, response) => {
  if (request.method === "POST") return void request.pipe(response);
  response.setHeader("content-type", "text/plain");
  response.end(`${title} saw ${request.headers.host} from ${request.socket.remoteAddress}`);
});
const sockets = new WebSocketServer({ server: http });
sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));

const echo = createSocket("udp4", (bytes, { port, address }) => echo.send(bytes, port, address));

const addresses: Readonly<Record<string, readonly string[]>> = {
  "intranet.office.test": [address],
  "many.office.test": Array.from({ length: 100 }, (_, i) => `10.99.1.${i}`),
};

function answer(query: Buffer, isUdp: boolean): Buffer {
  const { id, questions = [] } = decode(query);
  const [{ name, type } = { name: "", type: "A" as const }] = questions;
  const found = type === "A" ? (addresses[name.toLowerCase()] ?? []) : [];
  const answers = found.map((data): Answer => ({ type: "A", name, ttl: 60, data }));
  const cut = isUdp && answers.length > 50;
  const flags = (cut ? TRUNCATED_RESPONSE : 0) | (addresses[name.toLowerCase()] === undefined ? 3 : 0);
  return encode({ type: "response", id: id!, flags, questions, answers: cut ? [] : answers });
}

const udpNames = createSocket("udp4", (query, { port, address }) => udpNames.send(answer(query, true), port, address));
const tcpNames = createTcpServer((socket) => {
  // Who has the answer may hang up with a reset.
  socket.on("error", () => {});
  socket.on("data", (query) => {
    const made = answer(query.subarray(2), false);
    socket.end(Buffer.concat([Buffer.of(made.length >> 8, made.length & 255), made]));
  });
});

await Promise.all([
  new Promise<void>((resolve) => http.listen(8080, "0.0.0.0", resolve)),
  new Promise<void>((resolve) => echo.bind(7, "0.0.0.0", resolve)),
  new Promise<void>((resolve) => udpNames.bind(53, "0.0.0.0", resolve)),
  new Promise<void>((resolve) => tcpNames.listen(53, "0.0.0.0", resolve)),
]);
console.log("the office is open");

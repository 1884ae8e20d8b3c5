import { Secret } from "sealport";
import { DtlsSocket } from "sealport/adapters";

// Two sockets with node:dgram's face under one pre-shared key, as CoAP and LwM2M devices have it.
const key = () => ({ identity: Buffer.from("lamp"), key: new Secret(Uint8Array.from({ length: 16 }, (_, i) => i)) });
const server = new DtlsSocket({ server: { psks: [key()] } });
const client = new DtlsSocket({ client: { psks: [key()] } });

server.on("message", (bytes, from) => server.send(`${bytes} to you too`, from.port, from.address));
server.bind(0, "127.0.0.1", () => client.send("hello", server.address().port));

client.on("secure", ({ outcome }) => console.log(`DTLS ${outcome?.version}, ${outcome?.mode}`));
client.on("message", (bytes) => {
  console.log(String(bytes));
  client.close();
  server.close();
});

import { Secret } from "sealport";
import { DtlsSocket } from "sealport/adapters";

// Two sockets as node:dgram has them, under one pre-shared key: what CoAP and LwM2M devices speak.
const key = { identity: Buffer.from("lamp"), key: Buffer.from("000102030405060708090a0b0c0d0e0f", "hex") };
const server = new DtlsSocket({ server: { psks: [psk()] } });
const client = new DtlsSocket({ client: { psks: [psk()] } });

server.on("message", (bytes, from) => server.send(`${bytes} to you too`, from.port, from.address));
server.bind(0, "127.0.0.1", () => client.send("hello", server.address().port));

client.on("secure", ({ outcome }) => console.log(`DTLS ${outcome?.version}, ${outcome?.mode}`));
client.on("message", (bytes) => {
  console.log(String(bytes));
  client.close();
  server.close();
});

function psk() {
  return { identity: key.identity, key: new Secret(Uint8Array.from(key.key)) };
}

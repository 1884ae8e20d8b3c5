import { readFile } from "node:fs/promises";
import { certificatesFromPem, identityFromPem } from "sealport";
import { openQuic, serveQuic } from "sealport/quic";

const identity = identityFromPem({ chain: await readFile("server.crt"), key: await readFile("server.key") });
const trust = certificatesFromPem(await readFile("ca.crt"));
const bytes = (text: string) => new TextEncoder().encode(text);

// Each stream is given back what it said, in capitals; each datagram as it is.
await using server = await serveQuic({ alpn: ["shout"], identity, quic: { datagramFrameMax: 1_200 } }, async (peer) => {
  const streams = (async () => {
    for await (const stream of peer) stream.end(bytes((await stream.text()).toUpperCase()));
  })();
  for await (const datagram of peer.datagrams) await peer.datagrams.send(datagram);
  await streams;
});

const url = `quic://localhost:${server.local.port}`;
await using transport = await openQuic(url, { alpn: ["shout"], trust, quic: { datagramFrameMax: 1_200 } });
const { version, alpn } = await transport.opened;
console.log(`QUIC ${version}, ${alpn}`);

const [one, two] = [transport.open(), transport.open({ priority: 1 })];
one.end(bytes("one stream"));
two.end(bytes("and another"));
console.log(await one.text(), await two.text());

console.log(await transport.datagrams.send(bytes("a datagram")));
for await (const datagram of transport.datagrams) {
  console.log(new TextDecoder().decode(datagram));
  break;
}

// From another port, under new keys, as if nothing had happened.
await transport.migrate();
transport.updateKeys();
const three = transport.open();
three.end(bytes("still here"));
console.log(await three.text());

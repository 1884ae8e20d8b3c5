import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket as Stream } from "node:net";
import { test } from "node:test";
import { identityFromPem } from "../../src/adapters/pem.js";
import { systemServices } from "../../src/adapters/system.js";
import { fromUtf8, utf8 } from "../../src/bytes/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { type Connection, dial, serve } from "../../src/taps/index.js";
import { freePort } from "../support/free-port.js";
import { authority, identity } from "./peers/certificates.js";
import { Program } from "./peers/program.js";
import { listeningUdp } from "./peers/udp-port.js";

// OpenSSL knows datagrams alone: between its UDP and our frames on TCP stands a relay of a few lines, which is no code of ours.

const loopback = "127.0.0.1";
const system = systemServices({ host: nodeHost() });

/** Two bytes of length before each datagram (RFC 4571 §2). */
function relay(stream: Stream, udp: Socket, to: () => AddressInfo | undefined): void {
  let waiting = Buffer.alloc(0);
  stream.on("data", (bytes) => {
    waiting = Buffer.concat([waiting, bytes as Buffer]);
    while (waiting.length >= 2 && waiting.length >= 2 + waiting.readUInt16BE(0)) {
      const end = 2 + waiting.readUInt16BE(0);
      const target = to();
      if (target !== undefined) udp.send(Buffer.from(waiting.subarray(2, end)), target.port, loopback);
      waiting = waiting.subarray(end);
    }
  });
  udp.on("message", (datagram) => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(datagram.length);
    stream.write(Buffer.concat([length, datagram]));
  });
  stream.on("error", () => {});
}

const bound = async (): Promise<Socket> => {
  const udp = createSocket("udp4");
  udp.bind(0, loopback);
  await once(udp, "listening");
  return udp;
};

test("our client in frames on TCP shakes hands with OpenSSL behind a relay, and both hear each other", async () => {
  const port = await freePort();
  const { certificate, key } = identity("p256");
  const given = ["-dtls1_2", "-accept", String(port), "-cert", certificate, "-key", key, "-quiet"];
  await using openssl = new Program("OpenSSL", "openssl", ["s_server", ...given]);
  await listeningUdp(port, openssl);
  const udp = await bound();
  const streams: Stream[] = [];
  const server = createServer((stream) => {
    streams.push(stream);
    relay(stream, udp, () => ({ port }) as AddressInfo);
  });
  server.listen(0, loopback);
  await once(server, "listening");
  try {
    const url = `dtls+tcp://${loopback}:${(server.address() as AddressInfo).port}`;
    const trust = [new Uint8Array(new X509Certificate(readFileSync(authority())).raw)];
    const connection = await dial(system, url, { trust, timeout: 20_000 });
    assert.equal(connection.stack, "DTLS/RFC 4571/TCP");
    assert.equal(connection.security?.outcome?.version, "1.2");
    await connection.send(utf8("from our side\n"));
    await openssl.says(/from our side/);
    await openssl.write("and from the other\n");
    assert.equal(fromUtf8((await connection.receive()).data), "and from the other\n");
    await connection.close();
  } finally {
    for (const stream of streams) stream.removeAllListeners("data").destroy();
    server.close();
    udp.close();
  }
});

test("OpenSSL behind a relay shakes hands with our listener of frames, and hears what it says", async () => {
  const { certificate, key } = identity("p256");
  const own = identityFromPem({ chain: readFileSync(certificate), key: readFileSync(key) });
  const echo = async (connection: Connection): Promise<void> => {
    for await (const { data } of connection) await connection.send(data);
  };
  await using server = await serve(system, `dtls+tcp://${loopback}:0`, echo, { identity: own });
  const udp = await bound();
  let peer: AddressInfo | undefined;
  udp.on("message", (_, from) => {
    peer = from as unknown as AddressInfo;
  });
  const stream = connect(server.port, loopback);
  await once(stream, "connect");
  relay(stream, udp, () => peer);
  try {
    const given = ["-dtls1_2", "-connect", `${loopback}:${udp.address().port}`, "-CAfile", authority()];
    await using openssl = new Program("OpenSSL", "openssl", ["s_client", ...given]);
    await openssl.says(/Verify return code: 0 \(ok\)/);
    await openssl.write("echoed through frames\n");
    await openssl.says(/^echoed through frames/m);
  } finally {
    stream.removeAllListeners("data").destroy();
    udp.close();
  }
});

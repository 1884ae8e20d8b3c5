import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { copyOf } from "../../../src/bytes/index.js";
import { nobleCrypto } from "../../../src/crypto/index.js";
import { nodeHost } from "../../../src/hosts/node/index.js";

test("a copy of a Buffer shares nothing with it", () => {
  const buffer = Buffer.from([1, 2, 3]);
  const copy = copyOf(buffer);
  buffer.fill(0);
  assert.deepEqual(copy, Uint8Array.of(1, 2, 3));
});

test("who destroys a cipher keeps the Buffer that the key came in, and who changes it changes no cipher", () => {
  const key = Buffer.alloc(32, 7);
  const nonce = new Uint8Array(12);
  const aead = nobleCrypto.aead("ChaCha20-Poly1305");
  const sealer = aead.sealer(key);
  const sealed = () => {
    const bytes = new Uint8Array(4 + aead.tagSize);
    sealer.seal(bytes, 0, 4, nonce, new Uint8Array(0));
    return bytes;
  };
  const before = sealed();
  key.fill(9);
  assert.deepEqual(sealed(), before);
  sealer.destroy();
  assert.deepEqual(key, Buffer.alloc(32, 9));
});

test("a datagram that was a Buffer leaves as it was when it was sent", async () => {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const port = await nodeHost().network.bindDatagrams(
    { address: "127.0.0.1", port: 0 },
    { datagrams: () => undefined, closed: () => undefined },
  );
  try {
    const buffer = Buffer.from("as it was");
    const came = once(socket, "message");
    port.send(buffer, { address: "127.0.0.1", port: socket.address().port });
    buffer.fill(0);
    const [bytes] = (await came) as [Buffer];
    assert.equal(bytes.toString(), "as it was");
  } finally {
    port.close();
    socket.close();
  }
});

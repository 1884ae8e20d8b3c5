import assert from "node:assert/strict";
import { test } from "node:test";
import { concat } from "../../../../src/bytes/index.js";
import { type DatagramPort, Secret, type SocketAddress } from "../../../../src/contract/index.js";
import { over, type SrtpOptions, type SrtpSession, type SrtpSink } from "../../../../src/protocols/srtp/index.js";
import { provider as crypto } from "../../../support/provider.js";
import { rtcpPacket, rtpPacket } from "../../../support/rtp.js";

const profile = "AES_CM_128_HMAC_SHA1_80";
const master = (seed: number) => ({
  key: new Secret(new Uint8Array(16).fill(seed)),
  salt: new Uint8Array(14).fill(seed),
});
const [near, far]: readonly SrtpOptions[] = [
  { profile, sendKey: master(1), receiveKey: master(2) },
  { profile, sendKey: master(2), receiveKey: master(1) },
];
const address = { address: "192.0.2.1", port: 5004 };

interface Sent {
  readonly bytes: Uint8Array;
  readonly segmentSize: number;
  readonly to: SocketAddress | undefined;
}

/** A session on a port that only notes. */
function noting(options: SrtpOptions, sink: Partial<SrtpSink> = {}, remote?: SocketAddress) {
  const sent: Sent[] = [];
  let isClosed = false;
  const port: DatagramPort = {
    local: address,
    blocked: false,
    send: (bytes, to, segmentSize = bytes.length) => void sent.push({ bytes: bytes.slice(), segmentSize, to }),
    set: () => true,
    close: () => void (isClosed = true),
    ref() {},
    unref() {},
  };
  const { session, lower, attach } = over({ crypto }, options, { datagrams() {}, closed() {}, ...sink }, remote);
  attach(port);
  return { session, lower, sent, isClosed: () => isClosed };
}

const packet = (sequence: number, size: number): Uint8Array =>
  rtpPacket({ sequence, ssrc: 1, payload: new Uint8Array(size).fill(sequence) });

test("a batch of packets of one size goes out and comes in as one; longer and shorter ones divide it", () => {
  const { session, sent } = noting(near!, {}, address);
  session.send(concat(packet(1, 88), packet(2, 88), packet(3, 30)), undefined, 100);
  assert.deepEqual(
    sent.map(({ bytes, segmentSize }) => [bytes.length, segmentSize]),
    [[110 + 110 + 52, 110]],
  );
  const got: Uint8Array[] = [];
  const end = noting(far!, { datagrams: (bytes) => void got.push(bytes.slice()) });
  end.lower.datagrams(sent[0]!.bytes, address, sent[0]!.segmentSize, 0);
  assert.deepEqual(got, [packet(1, 88), packet(2, 88), packet(3, 30)]);
  // A report grows by four bytes more than a packet: the batch ends before it.
  session.send(concat(packet(4, 16), rtcpPacket({ ssrc: 1, words: 6 }), packet(5, 16)), undefined, 28);
  assert.deepEqual(
    sent.slice(1).map(({ bytes, segmentSize }) => [bytes.length, segmentSize]),
    [
      [38, 38],
      [42 + 38, 42],
    ],
  );
  for (const { bytes, segmentSize } of sent.slice(1)) end.lower.datagrams(bytes, address, segmentSize, 0);
  assert.deepEqual(got.slice(3), [packet(4, 16), rtcpPacket({ ssrc: 1, words: 6 }), packet(5, 16)]);
});

test("what is no RTP is not sent, and of what comes goes to whoever takes it", () => {
  const others: string[] = [];
  const { session, sent, lower } = noting(
    near!,
    { foreign: (bytes, _, protocol) => void others.push(`${protocol} ${bytes.length}`) },
    address,
  );
  session.send(Uint8Array.of(1, 2, 3));
  session.send(new Uint8Array(70_000).fill(0x80));
  assert.deepEqual([sent.length, session.sendDrops.malformed, session.sendDrops["no-room"]], [0, 1, 1]);
  lower.datagrams(new Uint8Array(20), address, 20, 0);
  lower.datagrams(Uint8Array.of(22, 254, 253), address, 3, 0);
  assert.deepEqual(others, ["stun 20", "dtls 3"]);
  const deaf = noting(near!);
  deaf.lower.datagrams(new Uint8Array(20), address, 20, 0);
  assert.equal(deaf.session.receiveDrops.malformed, 1);
});

test("without an address nothing goes out until something authentic has come; after close nothing at all", () => {
  const { session, sent, lower, isClosed } = noting(near!);
  session.send(packet(1, 10));
  assert.equal(sent.length, 0);
  const peer = noting(far!, {}, address);
  peer.session.send(packet(1, 10));
  const forged = peer.sent[0]!.bytes.slice();
  forged[20]! ^= 1;
  lower.datagrams(forged, { address: "203.0.113.1", port: 9 }, forged.length, 0);
  assert.equal(session.remote, undefined);
  lower.datagrams(peer.sent[0]!.bytes.slice(), address, forged.length, 0);
  session.send(packet(2, 10));
  assert.deepEqual([sent.length, sent[0]?.to], [1, address]);
  session.close();
  session.close();
  session.send(packet(3, 10));
  lower.datagrams(peer.sent[0]!.bytes, address, forged.length, 0);
  assert.deepEqual([sent.length, isClosed()], [1, true]);
});

test("KE is told once for each key and direction", () => {
  const told: string[] = [];
  const ending = { ...master(1), lifetime: 10 };
  const { session } = noting({ ...near!, sendKey: ending }, {}, address);
  const listener = session.onKeyExpiring((why, direction) => void told.push(`${why} ${direction}`));
  const send = (session: SrtpSession, from: number) => {
    for (let i = from; i < from + 12; i++) session.send(packet(i, 5));
  };
  send(session, 0);
  assert.deepEqual(told, ["packets send"]);
  assert.equal(session.sendDrops["expired-keys"], 2);
  session.rekey({ send: { ...master(3), lifetime: 10 } });
  send(session, 20);
  assert.deepEqual(told, ["packets send", "packets send"]);
  listener[Symbol.dispose]();
  session.rekey({ send: { ...master(4), lifetime: 10 } });
  send(session, 40);
  assert.equal(told.length, 2);
});

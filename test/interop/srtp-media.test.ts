import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { concat, equal, toBase64, toHex } from "../../src/bytes/index.js";
import { deferred } from "../../src/contract/deferred.js";
import { Secret } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import {
  bind,
  formatSdes,
  type MasterKey,
  profiles,
  rtpHeaderSize,
  type SrtpProfileName,
  type SrtpSession,
} from "../../src/protocols/srtp/index.js";
import { type Connection, dial, protocolStacks, serve, TransportServices } from "../../src/taps/index.js";
import { freePort } from "../support/free-port.js";
import { rtcpPacket, rtpPacket } from "../support/rtp.js";
import { Program, scratch } from "./peers/index.js";

const host = nodeHost();
const loopback = "127.0.0.1";
const wanted = 25;
const sourceOfOurs = 0x5ea1;

const masterKey = (profile: SrtpProfileName, seed: number): MasterKey => ({
  key: new Secret(Uint8Array.from({ length: profiles[profile].keySize }, (_, i) => i * 7 + seed)),
  salt: Uint8Array.from({ length: profiles[profile].saltSize }, (_, i) => i * 5 + seed),
});
const whole = ({ key, salt }: MasterKey): Uint8Array => concat(key.expose(), salt);

/** Our end: what came in, by kind, and a way to send. */
class Ours implements AsyncDisposable {
  readonly rtp: Uint8Array[] = [];
  readonly rtcp: Uint8Array[] = [];
  session!: SrtpSession;
  #wake = (): void => {};
  #giveUp = (): void => {};

  static async bind(
    profile: SrtpProfileName,
    keys: readonly [MasterKey, MasterKey],
    remotePort?: number,
  ): Promise<Ours> {
    const ours = new Ours();
    const local = { address: loopback, port: 0 };
    const remote = remotePort === undefined ? undefined : { address: loopback, port: remotePort };
    const options = { profile, sendKey: keys[0], receiveKey: keys[1] };
    ours.session = await bind(host, { local, ...(remote && { remote }) }, options, {
      datagrams: (bytes) => {
        (bytes[1]! >= 192 && bytes[1]! <= 223 ? ours.rtcp : ours.rtp).push(bytes.slice());
        ours.#wake();
      },
      closed: () => {},
    });
    return ours;
  }

  async until(isSo: () => boolean): Promise<void> {
    const patience = setTimeout(() => this.#giveUp(), 15_000);
    while (!isSo()) {
      await new Promise<void>((wake, giveUp) => {
        this.#wake = wake;
        this.#giveUp = () =>
          giveUp(
            new Error(
              `${this.rtp.length} RTP and ${this.rtcp.length} RTCP packets came, ${JSON.stringify(this.session.receiveDrops)}`,
            ),
          );
      });
    }
    clearTimeout(patience);
  }

  /**
   * 20 ms of PCMU a packet, sent until the other side has had enough. It may not listen yet, and who begins to listen after
   * a roll-over does not know of it: with `isHeard` the sequence numbers come near it only then. They leap by less than 3,000, or a
   * receiver takes the first packet behind the leap for a stray (RFC 3550 Appendix A.1).
   */
  async play(hasEnough: () => boolean, isHeard?: () => boolean): Promise<Uint8Array[]> {
    const sent: Uint8Array[] = [];
    let sequence = isHeard === undefined ? 1 : 62_600;
    for (let i = 0; !hasEnough(); i++, sequence++) {
      assert.ok(i < 3_000, "the other side does not hear us");
      if (sequence < 65_500 && isHeard?.()) sequence = 65_520;
      const payload = Uint8Array.from({ length: 160 }, (_, j) => (i * 31 + (i >> 8) * 5 + j * 7) & 0xff);
      sent.push(payload);
      const fields = { sequence: sequence & 0xffff, ssrc: sourceOfOurs, payloadType: 0, timestamp: 160 * i, payload };
      this.session.send(rtpPacket(fields));
      if (i % 10 === 5) this.session.send(rtcpPacket({ ssrc: sourceOfOurs }));
      await new Promise((later) => setTimeout(later, 5));
    }
    return sent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.close();
  }
}

/** Is every whole payload of what was heard one that was sent, in order and with no other between? */
function assertHeard(heard: Uint8Array, sent: readonly Uint8Array[]): void {
  const all = concat(...sent);
  const first = heard.subarray(0, 160);
  const start = sent.findIndex((payload) => equal(payload, first));
  assert.ok(start >= 0, "the first payload is one of ours");
  assert.ok(equal(heard, all.subarray(160 * start, 160 * start + heard.length)), "and all that follow are, in order");
}

/** Loudness of PCMU: a byte's seven low bits, inverted, grow with the sample's size. */
const energy = (payload: Uint8Array): number => payload.reduce((sum, byte) => sum + (~byte & 0x7f), 0) / payload.length;

// FFmpeg 5.1 has the two suites with AES-128 in counter mode, and no other. Under SDP's name of the second one it cuts
// SRTCP's tag to 32 bits too, against RFC 4568 §6.2.2; under DTLS's name it does not.
const ffmpeg = {
  AES_CM_128_HMAC_SHA1_80: "AES_CM_128_HMAC_SHA1_80",
  AES_CM_128_HMAC_SHA1_32: "SRTP_AES128_CM_HMAC_SHA1_32",
} as const;

for (const profile of Object.keys(ffmpeg) as (keyof typeof ffmpeg)[]) {
  test(`FFmpeg, ${profile}: its tone and its reports reach us`, async () => {
    const key = masterKey(profile, 3);
    await using ours = await Ours.bind(profile, [masterKey(profile, 4), key]);
    const { port } = ours.session.local;
    const args = ["-hide_banner", "-loglevel", "warning", "-re", "-f", "lavfi", "-i", "sine=frequency=440:duration=30"];
    const out = [
      "-srtp_out_suite",
      ffmpeg[profile],
      "-srtp_out_params",
      toBase64(whole(key)),
      `srtp://${loopback}:${port}?rtcpport=${port}`,
    ];
    await using _ = new Program("FFmpeg", "ffmpeg", [
      ...args,
      "-c:a",
      "pcm_mulaw",
      "-ar",
      "8000",
      "-ac",
      "1",
      "-f",
      "rtp",
      ...out,
    ]);
    await ours.until(() => ours.rtp.length >= wanted && ours.rtcp.length >= 1);
    for (const packet of ours.rtp) {
      assert.equal(packet[1]! & 0x7f, 0, "PCMU");
      assert.ok(energy(packet.subarray(rtpHeaderSize(packet, 0, packet.length))) > 20, "and not silent");
    }
    assert.equal(ours.rtcp[0]![1], 200, "a sender report");
    assert.deepEqual(
      Object.values(ours.session.receiveDrops).filter((count) => count > 0),
      [],
    );
  });

  test(`FFmpeg, ${profile}: it plays what we send, byte for byte, across the roll-over`, async () => {
    const key = masterKey(profile, 3);
    const port = await freePort();
    await using ours = await Ours.bind(profile, [key, masterKey(profile, 4)], port);
    const description = join(scratch(), "ours.sdp");
    const media = [`m=audio ${port} RTP/SAVP 0`, formatSdes({ tag: 1, profile, keys: [key] }), "a=rtpmap:0 PCMU/8000"];
    const lines = ["v=0", `o=- 1 1 IN IP4 ${loopback}`, "s=-", `c=IN IP4 ${loopback}`, "t=0 0", ...media];
    writeFileSync(description, `${lines.join("\r\n")}\r\n`);
    const input = [
      "-protocol_whitelist",
      "file,udp,rtp,srtp",
      "-analyzeduration",
      "0",
      "-probesize",
      "32",
      "-i",
      description,
    ];
    const args = [
      "-hide_banner",
      "-loglevel",
      "warning",
      ...input,
      "-c:a",
      "copy",
      "-f",
      "mulaw",
      "-flush_packets",
      "1",
      "-",
    ];
    await using peer = new Program("FFmpeg", "ffmpeg", args);
    const heard: Uint8Array[] = [];
    peer.stream((bytes) => void heard.push(Uint8Array.from(bytes)));
    let total = 0;
    const sent = await ours.play(
      () => (total = concat(...heard).length) >= 160 * 150 || peer.status !== undefined,
      () => total > 0,
    );
    assertHeard(concat(...heard), sent);
  });
}

/** GStreamer's names for the profiles that it has; under its NULL cipher it wants no key at all. */
const gstreamer = {
  AES_CM_128_HMAC_SHA1_80: ["aes-128-icm", "hmac-sha1-80", "hmac-sha1-80"],
  AES_CM_128_HMAC_SHA1_32: ["aes-128-icm", "hmac-sha1-32", "hmac-sha1-80"],
  AES_256_CM_HMAC_SHA1_80: ["aes-256-icm", "hmac-sha1-80", "hmac-sha1-80"],
  AEAD_AES_128_GCM: ["aes-128-gcm", "null", "null"],
  AEAD_AES_256_GCM: ["aes-256-gcm", "null", "null"],
} as const satisfies Partial<Record<SrtpProfileName, readonly [string, string, string]>>;

for (const profile of Object.keys(gstreamer) as (keyof typeof gstreamer)[]) {
  const [cipher, rtpAuth, rtcpAuth] = gstreamer[profile];

  test(`GStreamer, ${profile}: its tone reaches us, and what we send is what it hears`, async () => {
    const keys = [masterKey(profile, 3), masterKey(profile, 4)] as const;
    const port = await freePort();
    await using ours = await Ours.bind(profile, keys, port);
    const sends = `audiotestsrc is-live=true samplesperbuffer=160 ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay
      ! srtpenc key=${toHex(whole(keys[1]))} rtp-cipher=${cipher} rtp-auth=${rtpAuth} rtcp-cipher=${cipher} rtcp-auth=${rtcpAuth}
      ! udpsink host=${loopback} port=${ours.session.local.port} sync=false async=false`;
    const caps = [
      "application/x-srtp,media=(string)audio,clock-rate=(int)8000,encoding-name=(string)PCMU,payload=(int)0",
      `ssrc=(uint)${sourceOfOurs},srtp-key=(buffer)${toHex(whole(keys[0]))}`,
      `srtp-cipher=(string)${cipher},srtp-auth=(string)${rtpAuth},srtcp-cipher=(string)${cipher},srtcp-auth=(string)${rtcpAuth}`,
    ].join(",");
    const hears = `udpsrc address=${loopback} port=${port} caps=${caps} ! srtpdec name=d d.rtp_src ! rtppcmudepay ! fdsink fd=1 sync=false async=false d.rtcp_src ! fakesink async=false`;
    await using peer = new Program("GStreamer", "gst-launch-1.0", ["-q", ...hears.split(/\s+/), ...sends.split(/\s+/)]);
    const heard: Uint8Array[] = [];
    peer.stream((bytes) => void heard.push(Uint8Array.from(bytes)));
    const sent = await ours.play(() => concat(...heard).length >= 160 * wanted || peer.status !== undefined);
    assert.equal(peer.status, undefined, peer.said);
    assertHeard(concat(...heard), sent);
    await ours.until(() => ours.rtp.length >= wanted);
    for (const packet of ours.rtp) assert.ok(energy(packet.subarray(12)) > 20, "its tone is heard");
    assert.deepEqual(
      Object.values(ours.session.receiveDrops).filter((count) => count > 0),
      [],
    );
  });
}

test("GStreamer behind RFC 9622: its packets are Messages of a Connection that `serve` accepts, and ours of one that is dialled are its tone", async () => {
  const profile = "AEAD_AES_128_GCM";
  const [cipher, rtpAuth, rtcpAuth] = gstreamer[profile];
  const [sendKey, receiveKey] = [masterKey(profile, 3), masterKey(profile, 4)];
  const heardByUs: Uint8Array[] = [];
  const enough = deferred<void>();
  const handler = async (connection: Connection) => {
    for await (const { data } of connection) if (heardByUs.push(data) === wanted) enough.resolve();
  };
  const system = new TransportServices({ host, stacks: protocolStacks });
  await using server = await serve(system, `srtp://${loopback}:0`, handler, { srtp: { profile, sendKey, receiveKey } });
  const port = await freePort();
  const keyed = `rtp-cipher=${cipher} rtp-auth=${rtpAuth} rtcp-cipher=${cipher} rtcp-auth=${rtcpAuth}`;
  const sends = `audiotestsrc is-live=true samplesperbuffer=160 ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay
    ! srtpenc key=${toHex(whole(receiveKey))} ${keyed} ! udpsink host=${loopback} port=${server.port} sync=false async=false`;
  const caps = [
    "application/x-srtp,media=(string)audio,clock-rate=(int)8000,encoding-name=(string)PCMU,payload=(int)0",
    `ssrc=(uint)${sourceOfOurs},srtp-key=(buffer)${toHex(whole(sendKey))}`,
    `srtp-cipher=(string)${cipher},srtp-auth=(string)${rtpAuth},srtcp-cipher=(string)${cipher},srtcp-auth=(string)${rtcpAuth}`,
  ].join(",");
  const hears = `udpsrc address=${loopback} port=${port} caps=${caps} ! srtpdec name=d d.rtp_src ! rtppcmudepay ! fdsink fd=1 sync=false async=false d.rtcp_src ! fakesink async=false`;
  await using peer = new Program("GStreamer", "gst-launch-1.0", ["-q", ...hears.split(/\s+/), ...sends.split(/\s+/)]);
  const heard: Uint8Array[] = [];
  peer.stream((bytes) => void heard.push(Uint8Array.from(bytes)));
  await using connection = await dial(system, `srtp://${loopback}:${port}`, { srtp: { profile, sendKey, receiveKey } });
  const sent: Uint8Array[] = [];
  for (let i = 0; concat(...heard).length < 160 * wanted; i++) {
    assert.ok(i < 3_000 && peer.status === undefined, `GStreamer does not hear us: ${peer.said}`);
    const payload = Uint8Array.from({ length: 160 }, (_, j) => (i * 31 + (i >> 8) * 5 + j * 7) & 0xff);
    sent.push(payload);
    const fields = { sequence: i + 1, ssrc: sourceOfOurs, payloadType: 0, timestamp: 160 * i, payload };
    await connection.send(rtpPacket(fields));
    await new Promise((later) => setTimeout(later, 5));
  }
  assertHeard(concat(...heard), sent);
  await enough.promise;
  for (const packet of heardByUs) assert.ok(energy(packet.subarray(12)) > 20, "its tone is heard");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, equal, toHex } from "../../src/bytes/index.js";
import type { Network } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { FramedPackets } from "../../src/mechanisms/framed-packets.js";
import {
  bind,
  type DtlsSrtpClientOptions,
  type DtlsSrtpServerOptions,
  type DtlsSrtpSession,
  exportedSize,
  exporterLabel,
  fingerprintOf,
  formatFingerprint,
  sessionIdentity,
} from "../../src/protocols/dtls-srtp/index.js";
import type { SrtpProfileName } from "../../src/protocols/srtp/index.js";
import { freePort } from "../support/free-port.js";
import { rtpPacket } from "../support/rtp.js";
import { trusting } from "../support/tls-pair.js";
import { der, identity, Program, peer } from "./peers/index.js";

const host = nodeHost();
const at = (port: number) => ({ address: "127.0.0.1", port });
const roles = ["client", "server"] as const;
type Role = (typeof roles)[number];

/** Our end of a flow, and what came through it. */
class Ours implements AsyncDisposable {
  readonly packets: Uint8Array[] = [];
  /** RTP and RTCP as they were on the wire, and how many of them when the first packet was delivered. */
  readonly wire: Uint8Array[] = [];
  beforeFirst = 0;
  session!: DtlsSrtpSession;
  #wake = (): void => {};
  #giveUp = (): void => {};

  static async bind(
    role: Role,
    local: number,
    remote: number,
    options: DtlsSrtpClientOptions & DtlsSrtpServerOptions,
  ): Promise<Ours> {
    const ours = new Ours();
    const sink = {
      datagrams: (bytes: Uint8Array) => {
        if (ours.packets.length === 0) ours.beforeFirst = ours.#wireNow - 1;
        ours.packets.push(bytes.slice());
        ours.#wake();
      },
      closed: () => {},
    };
    const ends = { local: at(local), remote: at(remote) };
    ours.session = await bind(host, role, ends, options, sink, { network: ours.#tapped() });
    return ours;
  }

  /** Of those on the wire, the one in hand. */
  #wireNow = 0;

  /** The host's network, with each RTP or RTCP datagram noted before it is given on, one by one. */
  #tapped(): Network {
    const { network } = host;
    return {
      name: network.name,
      resolve: network.resolve.bind(network),
      connectStream: network.connectStream.bind(network),
      listenStreams: network.listenStreams.bind(network),
      interfaces: network.interfaces.bind(network),
      bindDatagrams: (local, sink, options) =>
        network.bindDatagrams(
          local,
          {
            writable: () => sink.writable?.(),
            softError: (failure) => sink.softError?.(failure),
            closed: (failure) => sink.closed(failure),
            datagrams: (bytes, from, segmentSize, ecn) => {
              const step = segmentSize > 0 ? segmentSize : bytes.length;
              for (let next = 0; next < bytes.length; next += step) {
                const one = bytes.subarray(next, next + step);
                if (one[0]! >> 6 === 2) this.#wireNow = this.wire.push(one.slice());
                sink.datagrams(one, from, one.length, ecn);
              }
            },
          },
          options,
        ),
    };
  }

  async until(isSo: () => boolean): Promise<void> {
    const patience = setTimeout(() => this.#giveUp(), 15_000);
    while (!isSo()) {
      await new Promise<void>((wake, giveUp) => {
        this.#wake = wake;
        this.#giveUp = () => giveUp(new Error(`${this.packets.length} packets came`));
      });
    }
    clearTimeout(patience);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.abort();
  }
}

// OpenSSL negotiates the profile and exports the keys; it has no SRTP itself.
const opensslNames = {
  AES_CM_128_HMAC_SHA1_80: "SRTP_AES128_CM_SHA1_80",
  AES_CM_128_HMAC_SHA1_32: "SRTP_AES128_CM_SHA1_32",
  AEAD_AES_128_GCM: "SRTP_AEAD_AES_128_GCM",
  AEAD_AES_256_GCM: "SRTP_AEAD_AES_256_GCM",
} as const satisfies Partial<Record<SrtpProfileName, string>>;

for (const role of roles) {
  for (const profile of Object.keys(opensslNames) as (keyof typeof opensslNames)[]) {
    test(`OpenSSL, we are the ${role}, ${profile}: each knows the other by its fingerprint, and both have the same keys`, async () => {
      const [ours, theirs] = [await freePort(), await freePort()];
      const ourIdentity = sessionIdentity(host.crypto, host.entropy, host.now());
      const files = identity("p256");
      const certificate = der(files.certificate)[0]!;
      const options = {
        profiles: [profile],
        fingerprints: [fingerprintOf(host.crypto, certificate)],
        dtls: { identity: ourIdentity, retransmitMs: 100 },
      };
      const { command, prefix } = peer("OpenSSL 3.0");
      const common = ["-dtls1_2", "-cert", files.certificate, "-key", files.key, "-use_srtp", opensslNames[profile]];
      common.push("-keymatexport", exporterLabel, "-keymatexportlen", `${exportedSize(profile)}`);
      const start = () =>
        role === "client"
          ? new Program("OpenSSL", command, [
              ...prefix,
              "s_server",
              ...common,
              "-accept",
              `127.0.0.1:${theirs}`,
              "-Verify",
              "1",
            ])
          : new Program("OpenSSL", command, [
              ...prefix,
              "s_client",
              ...common,
              "-connect",
              `127.0.0.1:${ours}`,
              "-bind",
              `127.0.0.1:${theirs}`,
            ]);
      const first = role === "client" ? start() : undefined;
      if (first) await first.says("ACCEPT");
      await using flow = await Ours.bind(role, ours, theirs, options);
      await using program = first ?? start();
      await flow.session.confirmed;
      assert.equal(flow.session.profile, profile);
      await program.says(`SRTP Extension negotiated, profile=${opensslNames[profile]}`);
      const [, exported] = await program.says(/Keying material: ([0-9A-F]+)/);
      assert.equal(toHex(flow.session.dtls.exportKey(exporterLabel, exportedSize(profile))), exported!.toLowerCase());
    });
  }
}

test("OpenSSL with another certificate than signalling promised is refused by both roles", async () => {
  for (const role of roles) {
    const [ours, theirs] = [await freePort(), await freePort()];
    const ourIdentity = sessionIdentity(host.crypto, host.entropy, host.now());
    const wrong = fingerprintOf(host.crypto, ourIdentity.certificates[0]!);
    assert.match(formatFingerprint(wrong), /^sha-256 ([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    const files = identity("p256");
    const { command, prefix } = peer("OpenSSL 3.0");
    const common = ["-dtls1_2", "-cert", files.certificate, "-key", files.key, "-use_srtp", "SRTP_AES128_CM_SHA1_80"];
    const start = () =>
      role === "client"
        ? new Program("OpenSSL", command, [...prefix, "s_server", ...common, "-accept", `127.0.0.1:${theirs}`])
        : new Program("OpenSSL", command, [
            ...prefix,
            "s_client",
            ...common,
            "-connect",
            `127.0.0.1:${ours}`,
            "-bind",
            `127.0.0.1:${theirs}`,
          ]);
    const first = role === "client" ? start() : undefined;
    if (first) await first.says("ACCEPT");
    await using flow = await Ours.bind(role, ours, theirs, {
      fingerprints: [wrong],
      dtls: { identity: ourIdentity, retransmitMs: 100 },
    });
    await using _ = first ?? start();
    await assert.rejects(flow.session.confirmed, /not the one that signalling promised/);
  }
});

for (const role of roles) {
  test(`GStreamer, we are the ${role}: its opus comes to us authentic, and what we send comes to it unchanged`, async () => {
    const [ours, theirs] = [await freePort(), await freePort()];
    const dtls = {
      identity: sessionIdentity(host.crypto, host.entropy, host.now()),
      verify: trusting,
      retransmitMs: 100,
    };
    await using flow = await Ours.bind(role, ours, theirs, { dtls: { ...dtls, clientAuthentication: "require" } });
    // The decoder has to come first: the encoder looks up the connection that it made.
    const pipeline = `udpsrc address=127.0.0.1 port=${theirs} ! dtlssrtpdec connection-id=c name=d
      d.rtp_src ! application/x-rtp ! rtpstreampay ! fdsink fd=1 sync=false async=false
      dtlssrtpenc connection-id=c is-client=${role === "server"} name=e ! udpsink host=127.0.0.1 port=${ours} sync=false async=false
      audiotestsrc is-live=true samplesperbuffer=960 ! audio/x-raw,rate=48000 ! audioconvert ! opusenc ! rtpopuspay pt=96 ! e.rtp_sink_0`;
    await using program = new Program("GStreamer", "gst-launch-1.0", ["-q", ...pipeline.split(/\s+/)]);
    const heard: Uint8Array[] = [];
    const frames = new FramedPackets((packet) => void heard.push(packet.slice()));
    program.stream((bytes) => frames.push(bytes));
    await flow.session.confirmed;
    assert.equal(flow.session.profile, "AES_CM_128_HMAC_SHA1_80");
    const drops = () => ({ ...flow.session.srtp!.receiveDrops });
    const sent: Uint8Array[] = [];
    for (let i = 0; heard.length < 25; i++) {
      assert.ok(i < 2_000 && program.status === undefined, `GStreamer does not hear us: ${program.said}`);
      const payload = Uint8Array.from({ length: 60 }, (_, j) => (i * 31 + j) & 0xff);
      sent.push(rtpPacket({ sequence: i, ssrc: 0xabc, timestamp: 960 * i, payload }));
      flow.session.send(sent[i]!);
      await new Promise((later) => setTimeout(later, 5));
    }
    const first = sent.findIndex((packet) => equal(packet, heard[0]!));
    assert.ok(first >= 0 && equal(concat(...heard), concat(...sent.slice(first, first + heard.length))));
    await flow.until(() => flow.packets.length >= 25);
    assert.ok(flow.packets.every((packet) => (packet[1]! & 0x7f) === 96 || packet[1] === 200));
    // srtpenc seals under a random key until it is given its own (its property random-key), so what it sends may begin with packets
    // that nobody can open. They are all that is dropped, for their tags, and from the first authentic one on nothing is.
    const { "bad-tag": strays, ...others } = drops();
    assert.ok(
      Object.values(others).every((count) => count === 0),
      JSON.stringify(drops()),
    );
    assert.equal(strays + flow.session.early, flow.beforeFirst, "those before the first that opens");
    assert.equal(flow.packets.length, flow.wire.length - flow.beforeFirst, "and everything from it on is delivered");
    const number = (packet: Uint8Array) => (packet[2]! << 8) | packet[3]!;
    const media = flow.wire.filter((packet) => (packet[1]! & 0x7f) === 96);
    for (const [i, packet] of media.entries()) {
      assert.equal((number(packet) - number(media[0]!)) & 0xffff, i, "one stream, of which none is missing");
    }
  });
}

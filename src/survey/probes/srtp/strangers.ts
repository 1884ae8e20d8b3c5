import { concat, toBase64, toHex } from "../../../bytes/index.js";
import type { MasterKey, SrtpProfileName } from "../../../protocols/srtp/index.js";
import { ask, Program } from "../../program.js";

/** Another implementation, by other people, that sends media under a key that it is given. */
export interface Sender {
  /** "FFmpeg 5.1.6". */
  readonly name: string;
  has(profile: SrtpProfileName): boolean;
  /** Sends a tone to this port of 127.0.0.1 until it is disposed of. */
  play(profile: SrtpProfileName, key: MasterKey, port: number, signal: AbortSignal): Program;
}

/** Those that are in PATH, with what they need for it. */
export async function findSenders(): Promise<readonly Sender[]> {
  const found = await Promise.all([findFfmpeg(), findGstreamer()]);
  return found.filter((each) => each !== undefined);
}

const loopback = "127.0.0.1";
const whole = ({ key, salt }: MasterKey): Uint8Array => concat(key.expose(), salt);

/** FFmpeg's names of the suites that it has. */
const ffmpegSuites: Partial<Record<SrtpProfileName, string>> = {
  AES_CM_128_HMAC_SHA1_80: "AES_CM_128_HMAC_SHA1_80",
  AES_CM_128_HMAC_SHA1_32: "SRTP_AES128_CM_HMAC_SHA1_32",
};

async function findFfmpeg(): Promise<Sender | undefined> {
  const [version, protocols] = await Promise.all([
    ask("ffmpeg", ["-version"]),
    ask("ffmpeg", ["-hide_banner", "-protocols"]),
  ]);
  const [, number] = /^ffmpeg version (\d+[.\d]*)/.exec(version ?? "") ?? [];
  if (number === undefined || !/^\s*srtp$/m.test(protocols ?? "")) return undefined;
  return {
    name: `FFmpeg ${number}`,
    has: (profile) => profile in ffmpegSuites,
    play(profile, key, port, signal) {
      const tone = ["-hide_banner", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "sine=frequency=440"];
      const coded = ["-c:a", "pcm_mulaw", "-ar", "8000", "-ac", "1", "-f", "rtp"];
      const keyed = ["-srtp_out_suite", ffmpegSuites[profile]!, "-srtp_out_params", toBase64(whole(key))];
      const to = `srtp://${loopback}:${port}?rtcpport=${port}`;
      return new Program("ffmpeg", [...tone, ...coded, ...keyed, to], signal);
    },
  };
}

/** GStreamer's names of cipher and authentication for the profiles that it has. */
const gstreamerNames: Partial<Record<SrtpProfileName, readonly [cipher: string, rtp: string, rtcp: string]>> = {
  AES_CM_128_HMAC_SHA1_80: ["aes-128-icm", "hmac-sha1-80", "hmac-sha1-80"],
  AES_CM_128_HMAC_SHA1_32: ["aes-128-icm", "hmac-sha1-32", "hmac-sha1-80"],
  AES_256_CM_HMAC_SHA1_80: ["aes-256-icm", "hmac-sha1-80", "hmac-sha1-80"],
  AEAD_AES_128_GCM: ["aes-128-gcm", "null", "null"],
  AEAD_AES_256_GCM: ["aes-256-gcm", "null", "null"],
};

async function findGstreamer(): Promise<Sender | undefined> {
  const elements = ["audiotestsrc", "mulawenc", "rtppcmupay", "srtpenc", "udpsink"];
  const there = await Promise.all(elements.map((each) => ask("gst-inspect-1.0", ["--exists", each])));
  const version = await ask("gst-launch-1.0", ["--version"]);
  const [, number] = /GStreamer (\d+[.\d]*)/.exec(version ?? "") ?? [];
  if (number === undefined || there.includes(undefined)) return undefined;
  return {
    name: `GStreamer ${number}`,
    has: (profile) => profile in gstreamerNames,
    play(profile, key, port, signal) {
      const [cipher, rtp, rtcp] = gstreamerNames[profile]!;
      const pipeline = `audiotestsrc is-live=true samplesperbuffer=160 ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay
        ! srtpenc key=${toHex(whole(key))} rtp-cipher=${cipher} rtp-auth=${rtp} rtcp-cipher=${cipher} rtcp-auth=${rtcp}
        ! udpsink host=${loopback} port=${port} sync=false async=false`;
      return new Program("gst-launch-1.0", ["-q", ...pipeline.split(/\s+/)], signal);
    },
  };
}

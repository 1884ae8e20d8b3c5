import { Failure, type SocketAddress } from "../../contract/index.js";
import { type Fingerprint, formatFingerprint, parseFingerprint, type Setup } from "../../protocols/dtls-srtp/index.js";
import { mediaMax, sdpSizeMax } from "./limits.js";

/** A media section of an offer, as far as an answer to it needs it. */
export interface OfferedMedia {
  readonly kind: "audio" | "video" | "other";
  /** The whole `m=` line's protocol, which the answer repeats. */
  readonly protocol: string;
  readonly mid: string;
  readonly payloadTypes: readonly number[];
  /** Codec and clock by payload type: `opus/48000/2`. */
  readonly codecs: ReadonlyMap<number, string>;
  /** `a=fmtp` by payload type. */
  readonly formats: ReadonlyMap<number, string>;
  readonly direction: "sendrecv" | "sendonly" | "recvonly" | "inactive";
}

/** What an offer says of the one transport that all its media share (BUNDLE, RTCP on the same port). */
export interface Offer {
  readonly ufrag: string;
  readonly password: string;
  readonly setup: Setup;
  readonly fingerprints: readonly Fingerprint[];
  readonly media: readonly OfferedMedia[];
}

const bad = (message: string, at: string) =>
  new Failure({ protocol: "SDP", fault: "decode", reason: "bad-sdp", message, at });

/**
 * Reads an offer of one audio and one video (RFC 8866, RFC 8829), with ICE, DTLS-SRTP, BUNDLE and RTCP on the same port;
 * anything else fails with `bad-sdp`. It is no SDP library: it reads what a browser's offer must hold and leaves the rest.
 */
export function parseOffer(text: string): Offer {
  if (text.length > sdpSizeMax) throw bad("the description is too long", "v=");
  const sections: string[][] = [[]];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("m=")) sections.push([]);
    if (line !== "") sections.at(-1)!.push(line);
  }
  const [session = [], ...media] = sections;
  if (media.length === 0 || media.length > mediaMax) throw bad(`1 to ${mediaMax} media are wanted`, "m=");
  // BUNDLE (RFC 9143 §7.2): the first section's transport is all sections' transport; what is said for all counts where it says nothing.
  const transport = [...media[0]!, ...session];
  const one = (name: string): string => {
    const found = transport.find((line) => line.startsWith(`a=${name}:`));
    if (found === undefined) throw bad(`there is no ${name}`, name);
    return found.slice(name.length + 3);
  };
  const setup = one("setup");
  if (setup !== "actpass" && setup !== "active" && setup !== "passive") throw bad(`${setup} is no role`, "setup");
  const fingerprints = transport
    .filter((line) => line.startsWith("a=fingerprint:"))
    .flatMap((line) => parseFingerprint(line.slice("a=fingerprint:".length)) ?? []);
  if (fingerprints.length === 0) throw bad("there is no fingerprint by SHA-2", "fingerprint");
  if (!media.every((lines) => lines.includes("a=rtcp-mux") || !/^m=(audio|video) /.test(lines[0]!))) {
    throw bad("RTP and RTCP must share a port", "rtcp-mux");
  }
  return { ufrag: one("ice-ufrag"), password: one("ice-pwd"), setup, fingerprints, media: media.map(parseMedia) };
}

function parseMedia(lines: readonly string[]): OfferedMedia {
  const match = /^m=(\w+) \d+ (\S+) (.*)$/.exec(lines[0]!);
  if (match === null) throw bad("a media line does not parse", "m=");
  const [, kind, protocol = "", types = ""] = match;
  const numbered = (name: string): Map<number, string> =>
    new Map(
      lines
        .map((line) => new RegExp(`^a=${name}:(\\d{1,3}) (.*)$`).exec(line))
        .flatMap((found) => (found === null ? [] : [[Number(found[1]), found[2]!] as const])),
    );
  const isMedia = kind === "audio" || kind === "video";
  return {
    kind: isMedia ? kind : "other",
    protocol,
    mid: lines.find((line) => line.startsWith("a=mid:"))?.slice("a=mid:".length) ?? "",
    payloadTypes: isMedia ? types.split(" ").map(Number) : [],
    codecs: numbered("rtpmap"),
    formats: numbered("fmtp"),
    direction:
      (["sendonly", "recvonly", "inactive"] as const).find((each) => lines.includes(`a=${each}`)) ?? "sendrecv",
  };
}

/** What we answer with. */
export interface AnswerOptions {
  readonly offer: Offer;
  readonly ufrag: string;
  readonly password: string;
  readonly setup: "active" | "passive";
  readonly fingerprint: Fingerprint;
  /** Our one candidate. */
  readonly candidate: SocketAddress;
  /** The codec that each kind is to have, by its name in lower case; media without it are refused. */
  readonly codecs: { readonly audio: string; readonly video: string };
  /** Number of the session, for `o=`. */
  readonly sessionId: number;
}

/** The payload type of a codec in a media section. */
export function payloadTypeOf(media: OfferedMedia, codec: string): number | undefined {
  return media.payloadTypes.find((type) => media.codecs.get(type)?.toLowerCase().startsWith(`${codec}/`));
}

/** Writes the answer (RFC 8829 §5.3): an ICE-lite endpoint that sends back and receives one codec of each kind. */
export function writeAnswer(options: AnswerOptions): string {
  const { offer, ufrag, password, setup, fingerprint, candidate, codecs, sessionId } = options;
  const family = candidate.address.includes(":") ? "IP6" : "IP4";
  const chosen = offer.media.map((media) =>
    media.kind === "other" ? undefined : payloadTypeOf(media, codecs[media.kind]),
  );
  const bundled = offer.media.filter((_, i) => chosen[i] !== undefined).map(({ mid }) => mid);
  const lines = [
    "v=0",
    `o=- ${sessionId} 1 IN ${family} ${candidate.address}`,
    "s=-",
    "t=0 0",
    `a=group:BUNDLE ${bundled.join(" ")}`,
    "a=ice-lite",
    "a=msid-semantic: WMS echo",
  ];
  for (const [i, media] of offer.media.entries()) {
    const type = chosen[i];
    const kind = media.kind === "other" ? "application" : media.kind;
    if (type === undefined) {
      lines.push(
        `m=${kind} 0 ${media.protocol} ${media.payloadTypes[0] ?? 0}`,
        `c=IN ${family} ${candidate.address}`,
        `a=mid:${media.mid}`,
        "a=inactive",
      );
      continue;
    }
    const format = media.formats.get(type);
    lines.push(
      `m=${kind} ${candidate.port} ${media.protocol} ${type}`,
      `c=IN ${family} ${candidate.address}`,
      `a=mid:${media.mid}`,
      "a=rtcp-mux",
      `a=ice-ufrag:${ufrag}`,
      `a=ice-pwd:${password}`,
      `a=fingerprint:${formatFingerprint(fingerprint)}`,
      `a=setup:${setup}`,
      // RFC 8839 §5.1: a host candidate of component 1, the most wanted there is.
      `a=candidate:1 1 udp 2130706431 ${candidate.address} ${candidate.port} typ host`,
      "a=end-of-candidates",
      "a=sendrecv",
      `a=msid:echo ${kind}`,
      `a=rtpmap:${type} ${media.codecs.get(type)}`,
      ...(format === undefined ? [] : [`a=fmtp:${type} ${format}`]),
      ...(kind === "video" ? [`a=rtcp-fb:${type} nack pli`, `a=rtcp-fb:${type} ccm fir`] : []),
    );
  }
  return `${lines.join("\r\n")}\r\n`;
}

import { type Answer, type DecodedPacket, decode, encode, RECURSION_DESIRED, TRUNCATED_RESPONSE } from "dns-packet";
import type { DnsAnswer, DnsCodec } from "../../tunnels/index.js";

/** DNS messages by the `dns-packet` library, for names that are looked up inside a tunnel. */
export const dnsCodec: DnsCodec = {
  query(id, name, type, udpPayloadSize) {
    return encode({
      type: "query",
      id,
      flags: RECURSION_DESIRED,
      questions: [{ type, name, class: "IN" }],
      additionals: [
        {
          type: "OPT",
          name: ".",
          udpPayloadSize,
          flags: 0,
          flag_do: false,
          options: [],
          extendedRcode: 0,
          ednsVersion: 0,
        },
      ],
    });
  },
  response(bytes) {
    const packet = parse(bytes);
    const question = packet?.questions?.[0];
    if (packet?.type !== "response" || question === undefined || packet.questions?.length !== 1) return undefined;
    const flags = packet.flags ?? 0;
    return {
      id: packet.id ?? 0,
      name: question.name,
      type: question.type,
      truncated: (flags & TRUNCATED_RESPONSE) !== 0,
      code: flags & 0x0f,
      answers: (packet.answers ?? []).flatMap(answerOf),
    };
  },
};

/** The library throws at what it cannot read; a peer's bytes never throw here. */
function parse(bytes: Uint8Array): DecodedPacket | undefined {
  try {
    const packet = decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    // It reads records past the end of the message, as if they were there: `bytes` says how far it went.
    return decode.bytes > bytes.length ? undefined : packet;
  } catch {
    return undefined;
  }
}

function answerOf(answer: Answer): DnsAnswer[] {
  if (answer.type !== "A" && answer.type !== "AAAA" && answer.type !== "CNAME") return [];
  const { name, type, ttl = 0, data } = answer;
  return [{ name, type, ttlS: ttl, data }];
}

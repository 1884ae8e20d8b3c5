import { type Instant, type NetworkReason, networkFailure } from "../../contract/index.js";
import { type IpHeader, u16, u32 } from "../ip/header.js";
import type { IpHost } from "../ip/host.js";
import { Protocol } from "../ip/protocols.js";
import type { Tcp } from "../tcp/tcp.js";
import type { TcpTuple } from "../tcp/tuple-map.js";
import type { Udp } from "../udp/udp.js";
import { readIcmp, writeIcmp } from "./icmp.js";

/** What ICMP's words are for whoever is told; anything else is a way that does not lead there. */
const problems: Readonly<Record<string, NetworkReason>> = {
  "port-unreachable": "refused-connection",
  "too-big": "message-too-big",
};

/** Echoes, and errors: those that we are told of, and those that we tell. */
export class Icmp {
  readonly #host: IpHost;
  readonly #tcp: Tcp;
  readonly #udp: Udp;

  constructor(host: IpHost, tcp: Tcp, udp: Udp) {
    this.#host = host;
    this.#tcp = tcp;
    this.#udp = udp;
  }

  /** Sends an echo request; the answer is an `echo-reply` event with the same word. */
  ping(destination: Uint8Array, word: number, body: Uint8Array): boolean {
    const source = this.#host.sourceFor(destination);
    if (source === undefined) return this.#host.drop("not-ours");
    return this.#host.queue(writeIcmp("echo-request", word, body, source, destination), destination);
  }

  /** A packet with a message. */
  packet(header: IpHeader, bytes: Uint8Array, now: Instant): void {
    const { version, payload, end, sourceAt, destinationAt, addressSize } = header;
    const source = bytes.slice(sourceAt, sourceAt + addressSize);
    const destination = bytes.slice(destinationAt, destinationAt + addressSize);
    const message = readIcmp(version, bytes, payload, end, source, destination);
    if (message === undefined) {
      this.#host.drop("malformed");
      return;
    }
    const { meaning, word, body } = message;
    if (meaning === "echo-request") {
      if (!this.#host.icmpLimit.take(now)) this.#host.drop("rate-limited");
      else this.#host.queue(writeIcmp("echo-reply", word, body, destination, source), source);
    } else if (meaning === "echo-reply") this.#host.events.push({ kind: "echo-reply", source, word, body });
    else this.#told(meaning, word, body.slice(), now);
  }

  /** RFC 1122 §3.2.2, RFC 4443 §2.4: never about an error, never to many, never too many. */
  tell(meaning: "port-unreachable" | "parameter-problem", word: number, packet: Uint8Array, now: Instant): void {
    if (!this.#host.icmpLimit.take(now)) {
      this.#host.drop("rate-limited");
      return;
    }
    const v4 = packet[0]! >> 4 === 4;
    const size = v4 ? 4 : 16;
    const from = v4 ? 12 : 8;
    const source = packet.slice(from, from + size);
    const destination = packet.slice(from + size, from + 2 * size);
    this.#host.queue(writeIcmp(meaning, v4 ? word << 24 : word, packet, destination, source), source);
  }

  /** An error about a packet of ours, of which it quotes the start. */
  #told(meaning: string, word: number, quote: Uint8Array, now: Instant): void {
    const v4 = quote.length >= 28 && quote[0]! >> 4 === 4;
    if (!v4 && (quote.length < 48 || quote[0]! >> 4 !== 6)) {
      this.#host.drop("malformed");
      return;
    }
    const upper = v4 ? (quote[0]! & 15) * 4 : 40;
    const protocol = v4 ? quote[9] : quote[6];
    const size = v4 ? 4 : 16;
    const from = v4 ? 12 : 8;
    const local = quote.subarray(from, from + size);
    const remote = quote.subarray(from + size, from + 2 * size);
    if (upper + 8 > quote.length || !this.#host.isOurs(local)) {
      this.#host.drop("not-ours");
      return;
    }
    const [localPort, remotePort] = [u16(quote, upper), u16(quote, upper + 2)];
    const problem = networkFailure(problems[meaning] ?? "no-route", `the network answered: ${meaning}`);
    const learn = (): number | undefined => this.#host.pathMtus.learn(remote, word, this.#host.mtu, quote, now);
    if (protocol === Protocol.udp) {
      if (meaning === "too-big") learn();
      this.#udp.unreachable(localPort, remote, remotePort, problem);
    }
    const tuple: TcpTuple = { local, localPort, remote, remotePort };
    if (protocol !== Protocol.tcp || !this.#tcp.has(tuple)) return;
    const sequence = u32(quote, upper + 4);
    if (meaning === "too-big") this.#tcp.tooBig(tuple, sequence, learn());
    else this.#tcp.unreachable(tuple, sequence, problem);
  }
}

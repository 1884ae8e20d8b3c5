import { parsePrefix } from "../../src/bytes/index.js";
import { type Datagrams, type Entropy, type Question, Secret, type SocketAddress } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import {
  type Admission,
  type ControlKey,
  OpenVpnClient,
  type OpenVpnClientConfig,
  type OpenVpnClientEvent,
  OpenVpnServer,
  type OpenVpnServerAsks,
  type OpenVpnServerConfig,
  type OpenVpnServerEvent,
  type ServerControlKey,
  timestampMetadata,
  wrapClientKey,
} from "../../src/protocols/openvpn/index.js";
import { provider as crypto } from "./provider.js";
import { identityFor, trusting } from "./tls-pair.js";

export const ends = {
  a: { address: "192.0.2.1", port: 5_000 },
  b: { address: "192.0.2.2", port: 1_194 },
} as const satisfies Readonly<Record<"a" | "b", SocketAddress>>;

/** Inside, the server is 10.79.0.1 and its client 10.79.0.2. */
export const inner = { a: "10.79.0.2", b: "10.79.0.1" } as const;

const identity = identityFor("Ed25519");
const hour = 3_600_000;

const key = (name: string, size: number): Secret => new Secret(seededEntropy(name).fill(new Uint8Array(size)));

/** Each way of wrapping the control channel, as each side has it. */
export const wrappings: Readonly<Record<string, () => { readonly a: ControlKey; readonly b: ServerControlKey }>> = {
  "bare TLS": () => ({ a: { kind: "none" }, b: { kind: "none" } }),
  "tls-auth": () => ({
    a: { kind: "tls-auth", key: key("static", 256), direction: 1, hash: "SHA-256" },
    b: { kind: "tls-auth", key: key("static", 256), direction: 0, hash: "SHA-256" },
  }),
  "tls-crypt": () => ({
    a: { kind: "tls-crypt", key: key("static", 256) },
    b: { kind: "tls-crypt", key: key("static", 256) },
  }),
  "tls-crypt-v2": () => {
    const [serverKey, client] = [key("server", 128), key("client", 256)];
    const wrapped = wrapClientKey(crypto, serverKey, client, timestampMetadata(0));
    return { a: { kind: "tls-crypt-v2", key: client, wrapped }, b: { kind: "tls-crypt-v2", serverKey } };
  },
};

export function makeClient(seed: number, options: Partial<OpenVpnClientConfig> = {}): OpenVpnClient {
  const entropy = seededEntropy(`client ${seed}`);
  return new OpenVpnClient({ crypto, entropy, tls: { groups: ["x25519"] }, remotes: 1, ...options });
}

export function makeServer(seed: number, options: Partial<OpenVpnServerConfig> = {}): OpenVpnServer {
  const entropy = seededEntropy(`server ${seed}`);
  const addresses = [parsePrefix(`${inner.b}/24`)!];
  const pings = { pingMs: hour, pingRestartMs: hour };
  return new OpenVpnServer({ crypto, entropy, tls: { groups: ["x25519"] }, addresses, ...pings, ...options });
}

const admission: Admission = { addresses: [parsePrefix(`${inner.a}/24`)!], push: ["route 10.80.0.0 255.255.0.0"] };

/** What either end answers: everybody is who he says, and is let in. */
export function answerOf(question: Question<OpenVpnServerAsks>["question"]): unknown {
  switch (question.kind) {
    case "verify-peer":
      try {
        return trusting(question);
      } catch {
        return undefined; // it does not parse
      }
    case "select-identity":
      return identity;
    case "sign":
      return identity.sign(question.algorithm, question.message);
    case "accept-client":
      return admission;
    default:
      return undefined;
  }
}

export const arriving = (bytes: Uint8Array, from: "a" | "b", segmentSize = bytes.length): Datagrams => ({
  kind: "datagrams",
  bytes,
  from: ends[from],
  to: ends[from === "a" ? "b" : "a"],
  segmentSize,
  ecn: 0,
});

/** What may happen to a datagram: a number from 0 to 1 decides. */
export interface Line {
  readonly loss?: number;
  readonly repeats?: number;
  /** Milliseconds that a datagram takes at the least, and how many more at the most: then they overtake each other. */
  readonly delayMs?: number;
  readonly jitterMs?: number;
  readonly seed: number;
}

interface OnItsWay {
  readonly at: number;
  readonly from: "a" | "b";
  readonly bytes: Uint8Array;
}

type AnyEvent = OpenVpnClientEvent | OpenVpnServerEvent;

/** A client and a server with a line between them, in virtual time. */
export class OpenVpnPair {
  readonly client: OpenVpnClient;
  readonly server: OpenVpnServer;
  readonly told: { readonly a: AnyEvent[]; readonly b: AnyEvent[] } = { a: [], b: [] };
  /** Everything that was sent, in its order. */
  readonly sent: { readonly from: "a" | "b"; readonly bytes: Uint8Array }[] = [];
  /** Inner packets that came out, by their last byte. */
  readonly received: { readonly a: number[]; readonly b: number[] } = { a: [], b: [] };
  /** Where the client is. */
  clientAt: SocketAddress = ends.a;
  now = Date.UTC(2026, 0, 3);
  /** Is told of every datagram right before it arrives. */
  arrives: (from: "a" | "b", bytes: Uint8Array) => void = () => {};
  readonly #line: Line;
  readonly #entropy: Entropy;
  readonly #way: OnItsWay[] = [];
  readonly #buffer = new Uint8Array(65_536);

  constructor(line: Line, client: Partial<OpenVpnClientConfig> = {}, server: Partial<OpenVpnServerConfig> = {}) {
    this.#line = line;
    this.#entropy = seededEntropy(`line ${line.seed}`);
    this.client = makeClient(line.seed, client);
    this.server = makeServer(line.seed, server);
  }

  open(): this {
    this.server.handle({ kind: "opened" }, this.now);
    this.client.handle({ kind: "opened" }, this.now);
    this.client.handle({ kind: "connected", to: ends.b, transport: "udp" }, this.now);
    return this.drain();
  }

  /** Runs until the line is empty and nothing is due for `quietMs`, or `holds`. */
  run(holds: () => boolean, mostMs = 300_000): this {
    const end = this.now + mostMs;
    while (!holds()) {
      const next = this.#way.reduce((first, { at }) => Math.min(first, at), Number.POSITIVE_INFINITY);
      const due = Math.min(this.client.deadline() ?? Infinity, this.server.deadline() ?? Infinity);
      this.now = Math.max(this.now, Math.min(next, due));
      if (!(this.now <= end)) break;
      if (next <= due) {
        const [datagram] = this.#way.splice(
          this.#way.findIndex(({ at }) => at === next),
          1,
        );
        this.arrives(datagram!.from, datagram!.bytes);
        this.deliver(datagram!.from, datagram!.bytes);
      } else {
        if ((this.client.deadline() ?? Infinity) <= this.now) this.client.handle({ kind: "wake" }, this.now);
        if ((this.server.deadline() ?? Infinity) <= this.now) this.server.handle({ kind: "wake" }, this.now);
      }
      this.drain();
    }
    return this;
  }

  /** Gives an end a datagram as if it had come from the other, or from elsewhere. */
  deliver(from: "a" | "b", bytes: Uint8Array, at: SocketAddress = from === "a" ? this.clientAt : ends.b): this {
    const input = { ...arriving(bytes.slice(), from), from: at };
    if (from === "a") this.server.handle(input, this.now);
    else this.client.handle(input, this.now);
    return this.drain();
  }

  send(from: "a" | "b", packet: Uint8Array): this {
    if (from === "a") this.client.handle({ kind: "packet", bytes: packet }, this.now);
    else this.server.handle({ kind: "packet", bytes: packet }, this.now);
    return this.drain();
  }

  drain(): this {
    for (let busy = true; busy; ) {
      busy = false;
      for (const end of ["a", "b"] as const) {
        const machine = end === "a" ? this.client : this.server;
        for (let t = machine.transmit(this.#buffer, this.now); t; t = machine.transmit(this.#buffer, this.now)) {
          busy = true;
          const step = t.segmentSize ?? t.size;
          for (let at = 0; at < t.size; at += step) this.#put(end, this.#buffer.slice(at, Math.min(t.size, at + step)));
        }
        for (let event = machine.event(); event !== undefined; event = machine.event()) {
          busy = true;
          this.#tell(end, event as AnyEvent);
        }
      }
    }
    return this;
  }

  count(end: "a" | "b", kind: AnyEvent["kind"]): number {
    return this.told[end].filter((event) => event.kind === kind).length;
  }

  #tell(end: "a" | "b", event: AnyEvent): void {
    if (event.kind === "question") {
      const answer = { kind: "answer", id: event.id, answer: answerOf(event.question as never) } as const;
      if (end === "a") this.client.handle(answer, this.now);
      else this.server.handle(answer, this.now);
    } else if (event.kind === "packets") {
      for (let i = 0; i < event.count; i++) this.received[end].push(event.bytes[event.ranges[2 * i + 1]! - 1]!);
    } else this.told[end].push(event);
  }

  #chance(): number {
    const [a, b] = this.#entropy.fill(new Uint8Array(2));
    return ((a! << 8) | b!) / 65_536;
  }

  #put(from: "a" | "b", bytes: Uint8Array): void {
    this.sent.push({ from, bytes });
    const { loss = 0, repeats = 0, delayMs = 10, jitterMs = 0 } = this.#line;
    if (this.#chance() < loss) return;
    for (let copies = this.#chance() < repeats ? 2 : 1; copies > 0; copies--) {
      this.#way.push({ at: this.now + delayMs + jitterMs * this.#chance(), from, bytes });
    }
  }
}

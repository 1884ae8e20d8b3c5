import { formatAddress, parseAddress } from "../bytes/index.js";
import {
  type DatagramPort,
  type Host,
  type Instant,
  type Network,
  networkFailure,
  type ResolveOptions,
} from "../contract/index.js";
import {
  aliasesMax,
  nameAnswerSize,
  nameLifetimeMaxMs,
  namesMax,
  nameTimeoutMs,
  nameTries,
  noNameLifetimeMs,
} from "./limits.js";

/** DNS messages between values and bytes: a library's business, not ours. */
export interface DnsCodec {
  query(id: number, name: string, type: "A" | "AAAA", udpPayloadSize: number): Uint8Array;
  /** Undefined if the bytes are not a response. */
  response(bytes: Uint8Array): DnsResponse | undefined;
}

/** A codec, or what loads it when the first name is looked up: a tunnel to addresses needs none. */
export type DnsCodecSource = DnsCodec | (() => Promise<DnsCodec>);

export interface DnsResponse {
  readonly id: number;
  /** The question that it says it answers. */
  readonly name: string;
  readonly type: string;
  readonly truncated: boolean;
  /** RCODE by number: 0 is no error, 3 no such name. */
  readonly code: number;
  readonly answers: readonly DnsAnswer[];
}

export interface DnsAnswer {
  readonly name: string;
  readonly type: string;
  readonly ttlS: number;
  /** An address, or the name behind a CNAME. */
  readonly data: string;
}

interface Known {
  readonly addresses: readonly string[];
  readonly until: Instant;
}

/** Looks names up through a network's own name servers: UDP, TCP where an answer is cut, search domains, a cache. */
export class Resolver {
  readonly #host: Host;
  readonly #network: Network;
  readonly #servers: readonly string[];
  readonly #searchDomains: readonly string[];
  readonly #codec: DnsCodecSource | undefined;
  readonly #known = new Map<string, Known>();

  constructor(
    host: Host,
    network: Network,
    servers: readonly string[],
    searchDomains: readonly string[],
    codec: DnsCodecSource | undefined,
  ) {
    this.#host = host;
    this.#network = network;
    this.#servers = servers;
    this.#searchDomains = searchDomains;
    this.#codec = codec;
  }

  /** Addresses of a name. A name without dots is tried with the search domains first. */
  async resolve(name: string, { family, signal }: ResolveOptions = {}): Promise<readonly string[]> {
    const source = this.#codec;
    if (source === undefined || this.#servers.length === 0) {
      throw networkFailure("name-server-failed", `no name server is known inside for ${name}`, {
        hint: "a DNS line in the file names one; addresses work without",
      });
    }
    const codec = typeof source === "function" ? await source() : source;
    const plain = name.replace(/\.$/, "").toLowerCase();
    const absolute = name.endsWith(".") || plain.includes(".");
    const searched = name.endsWith(".") ? [] : this.#searchDomains.map((domain) => `${plain}.${domain}`);
    const candidates = absolute ? [plain, ...searched] : [...searched, plain];
    const types = family === 4 ? (["A"] as const) : family === 6 ? (["AAAA"] as const) : (["AAAA", "A"] as const);
    for (const candidate of candidates) {
      const found = await Promise.all(types.map((type) => this.#lookUp(codec, candidate, type, signal)));
      const addresses = found.flat();
      if (addresses.length > 0) return addresses;
    }
    throw networkFailure("name-not-found", `${name} has no address inside`);
  }

  async #lookUp(
    codec: DnsCodec,
    name: string,
    type: "A" | "AAAA",
    signal: AbortSignal | undefined,
  ): Promise<readonly string[]> {
    const key = `${type} ${name}`;
    const known = this.#known.get(key);
    if (known !== undefined && known.until > this.#host.now()) return known.addresses;
    let last: unknown;
    for (let attempt = 0; attempt < nameTries; attempt++) {
      for (const server of this.#servers) {
        signal?.throwIfAborted();
        try {
          const response = await this.#ask(codec, server, name, type, signal);
          if (response.code === 0 || response.code === 3) return this.#remember(key, name, type, response);
          last = networkFailure("name-server-failed", `${server} answered with code ${response.code}`);
        } catch (failure) {
          last = failure;
        }
      }
    }
    throw last;
  }

  #remember(key: string, name: string, type: string, response: DnsResponse): readonly string[] {
    const addresses: string[] = [];
    let lifetimeMs = nameLifetimeMaxMs;
    let wanted = name;
    for (let i = 0; i < aliasesMax; i++) {
      const alias = response.answers.find((each) => each.type === "CNAME" && each.name.toLowerCase() === wanted);
      if (alias === undefined) break;
      wanted = alias.data.toLowerCase().replace(/\.$/, "");
      lifetimeMs = Math.min(lifetimeMs, alias.ttlS * 1_000);
    }
    for (const answer of response.answers) {
      if (answer.type !== type || answer.name.toLowerCase() !== wanted) continue;
      const address = parseAddress(answer.data);
      if (address === undefined) continue;
      addresses.push(formatAddress(address));
      lifetimeMs = Math.min(lifetimeMs, answer.ttlS * 1_000);
    }
    if (this.#known.size >= namesMax) this.#known.delete(this.#known.keys().next().value!);
    const until = this.#host.now() + (addresses.length > 0 ? lifetimeMs : noNameLifetimeMs);
    this.#known.set(key, { addresses, until });
    return addresses;
  }

  async #ask(
    codec: DnsCodec,
    server: string,
    name: string,
    type: "A" | "AAAA",
    signal: AbortSignal | undefined,
  ): Promise<DnsResponse> {
    const [high, low] = this.#host.entropy.fill(new Uint8Array(2));
    const id = (high! << 8) | low!;
    const query = codec.query(id, name, type, nameAnswerSize);
    // RFC 5452 §9: the identifier, the question, the server and the port must all be those that we asked with.
    const answers = (bytes: Uint8Array): DnsResponse | undefined => {
      const response = codec.response(bytes);
      const ours = response?.id === id && response.name.toLowerCase() === name && response.type === type;
      return ours ? response : undefined;
    };
    const response = await this.#overUdp(server, query, answers, signal);
    return response.truncated ? this.#overTcp(server, query, answers, signal) : response;
  }

  #overUdp(
    server: string,
    query: Uint8Array,
    answers: (bytes: Uint8Array) => DnsResponse | undefined,
    signal: AbortSignal | undefined,
  ): Promise<DnsResponse> {
    let port: DatagramPort | undefined;
    return this.#within<DnsResponse>(server, signal, async (resolve, reject) => {
      const any = server.includes(":") ? "::" : "0.0.0.0";
      port = await this.#network.bindDatagrams(
        { address: any, port: 0 },
        {
          datagrams: (bytes, _, segmentSize) => {
            for (let at = 0; at < bytes.length; at += segmentSize || bytes.length) {
              const response = answers(bytes.slice(at, segmentSize ? at + segmentSize : undefined));
              if (response !== undefined) resolve(response);
            }
          },
          softError: reject,
          closed: (failure) => reject(failure ?? networkFailure("aborted", "the socket was closed")),
        },
        { remote: { address: server, port: 53 } },
      );
      port.send(query);
    }).finally(() => port?.close());
  }

  /** RFC 7766 §8: each message behind its length. */
  #overTcp(
    server: string,
    query: Uint8Array,
    answers: (bytes: Uint8Array) => DnsResponse | undefined,
    signal: AbortSignal | undefined,
  ): Promise<DnsResponse> {
    let abort = (): void => {};
    return this.#within<DnsResponse>(server, signal, async (resolve, reject) => {
      let received = new Uint8Array(0);
      const port = this.#network.connectStream(
        { address: server, port: 53 },
        {
          bytes: (bytes) => {
            const joined = new Uint8Array(received.length + bytes.length);
            joined.set(received);
            joined.set(bytes, received.length);
            received = joined;
            const size = received.length >= 2 ? (received[0]! << 8) | received[1]! : Number.POSITIVE_INFINITY;
            if (received.length < 2 + size) return;
            const response = answers(received.subarray(2, 2 + size));
            if (response === undefined)
              reject(networkFailure("name-server-failed", `${server} answered something else`));
            else resolve(response);
          },
          ended: () => reject(networkFailure("name-server-failed", `${server} hung up`)),
          drained: () => {},
          closed: (failure) => reject(failure ?? networkFailure("name-server-failed", `${server} hung up`)),
        },
      );
      abort = () => port.abort();
      const framed = new Uint8Array(2 + query.length);
      framed[0] = query.length >> 8;
      framed[1] = query.length;
      framed.set(query, 2);
      port.write(framed);
    }).finally(() => abort());
  }

  #within<T>(
    server: string,
    signal: AbortSignal | undefined,
    run: (resolve: (value: T) => void, reject: (failure: unknown) => void) => Promise<void>,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const late = (): void => reject(networkFailure("name-server-failed", `${server} does not answer`));
      const alarm = this.#host.wakeAt(this.#host.now() + nameTimeoutMs, late);
      const aborted = (): void => reject(networkFailure("aborted", "the look-up was called off"));
      signal?.addEventListener("abort", aborted, { once: true });
      const done = (): void => {
        alarm.cancel();
        signal?.removeEventListener("abort", aborted);
      };
      run(
        (value) => {
          done();
          resolve(value);
        },
        (failure) => {
          done();
          reject(failure);
        },
      ).catch(reject);
    });
  }
}

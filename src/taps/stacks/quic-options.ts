import { addressFamily } from "../../bytes/index.js";
import type {
  ClientTokens,
  QuicClientOptions,
  QuicOptions,
  QuicServerOptions,
  QuicVersion,
} from "../../protocols/quic/index.js";
import { type Suite13, suites13 } from "../../protocols/tls/index.js";
import { addressTokenServersMax, addressTokensPerServerMax, datagramFrameMax } from "../limits.js";
import { families, versionsFor } from "./family.js";
import { clientOptions, serverOptions, sharedOptions } from "./handshake-options.js";
import type { ListenRequest, OpenRequest, StackRequest } from "./stack.js";
import { keepAliveOf } from "./tcp.js";

/** What a QUIC session carries for TAPS: a stream for each Connection, or the Messages of one. */
export type QuicUse = "streams" | "messages";

const family = families.QUIC;

/** RFC 9622 §6.3 and the properties that concern a session, in QUIC's own words, for a client. */
export function quicClientOptions(request: OpenRequest, use: QuicUse): QuicClientOptions {
  const { security, properties, scope } = request;
  return {
    ...choices(request),
    ...sharedOptions(request, family, "client"),
    ...clientOptions(request, family),
    ...sessionOptions(request, use, 0),
    tokens: scope.of("QUIC tokens", () => new MemoryTokens()),
    preferredAddress: properties.multipath !== "disabled",
    ...security.init.protocolOptions?.QUIC,
  };
}

/** The same, for a server. */
export function quicServerOptions(request: ListenRequest, use: QuicUse): QuicServerOptions {
  const { security, properties, alternates = [] } = request;
  const [ipv4, ipv6] = ([4, 6] as const).map((family) =>
    alternates.find(({ address }) => addressFamily(address) === family),
  );
  const options = serverOptions(request);
  return {
    ...choices(request),
    ...sharedOptions(request, family, "server"),
    ...options,
    // The first stream makes the group; `groupConnLimit` counts those that join it.
    ...sessionOptions(request, use, 1),
    earlyData: options.antiReplay !== undefined,
    disableActiveMigration: properties.multipath === "disabled",
    // One of each family: a client moves to it once it has answered there (RFC 9000 §9.6).
    ...((ipv4 ?? ipv6) !== undefined && { preferredAddress: { ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) } }),
    ...security.init.protocolOptions?.QUIC,
  };
}

function choices({ allowed, security: { init } }: StackRequest): Pick<QuicOptions, "versions" | "suites"> {
  const suites = init.ciphersuites?.filter((name): name is Suite13["name"] =>
    suites13.some((each) => each.name === name),
  );
  return {
    versions: versionsFor(family, allowed, init).map((version) => version.slice(1) as QuicVersion),
    ...(suites !== undefined && { suites }),
  };
}

/** Keep-alives where no time was named: often enough for NATs, which forget UDP after 30 s (RFC 9308 §3.2). */
const keepAliveDefaultMs = 15_000;

function sessionOptions(
  { properties }: StackRequest,
  use: QuicUse,
  first: number,
): Pick<
  QuicOptions,
  "idleTimeoutMs" | "keepAliveMs" | "datagramFrameMax" | "peerBidirectionalStreams" | "peerUnidirectionalStreams"
> {
  const { connTimeout, direction, groupConnLimit } = properties;
  const inTime = connTimeout === "disabled" ? keepAliveDefaultMs : Math.min(keepAliveDefaultMs, connTimeout / 2);
  const keepAliveMs = keepAliveOf(properties, inTime);
  const limit = groupConnLimit === "unlimited" ? undefined : groupConnLimit + first;
  const oneWay = use === "messages" || direction !== "bidirectional";
  return {
    // Nothing heard for so long is RFC 9622 §8.1.3's failure of a Connection that has nothing to send.
    ...(connTimeout !== "disabled" && { idleTimeoutMs: connTimeout }),
    ...(keepAliveMs !== undefined && { keepAliveMs }),
    ...(use === "messages" && { datagramFrameMax }),
    ...(oneWay ? { peerBidirectionalStreams: 0 } : limit !== undefined && { peerBidirectionalStreams: limit }),
    ...(use === "streams" && limit !== undefined && { peerUnidirectionalStreams: limit }),
  };
}

/** Address validation tokens in memory (RFC 9000 §8.1.3): each is used once, and the oldest makes room. */
export class MemoryTokens implements ClientTokens {
  readonly #tokens = new Map<string, Uint8Array[]>();

  take(server: string): Uint8Array | undefined {
    return this.#tokens.get(server)?.pop();
  }

  add(server: string, token: Uint8Array): void {
    const known = this.#tokens.get(server) ?? [];
    known.push(token);
    if (known.length > addressTokensPerServerMax) known.shift();
    this.#tokens.delete(server);
    this.#tokens.set(server, known);
    if (this.#tokens.size > addressTokenServersMax) this.#tokens.delete(this.#tokens.keys().next().value!);
  }
}

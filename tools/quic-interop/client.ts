import { once } from "node:events";
import { createWriteStream, mkdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { hqProtocol, http3Protocol, type IncomingBody, Origin } from "../../src/adapters/http3/index.js";
import { certificatesFromPem } from "../../src/adapters/pem.js";
import { addressOf, clientSecurity } from "../../src/adapters/quic/index.js";
import type { Host } from "../../src/contract/index.js";
import type { QuicClientOptions, QuicOutcome } from "../../src/protocols/quic/index.js";
import { MemorySessionStore } from "../../src/protocols/tls/index.js";
import type { Case } from "./cases.js";
import { certificateFiles, type Environment } from "./environment.js";

/** Fetches REQUESTS as the case wants it; rejects if anything of it went wrong. */
export async function client(host: Host, environment: Environment, played: Case): Promise<void> {
  const { requests, downloads, certificates } = environment;
  const [first, ...rest] = requests;
  if (first === undefined) throw new Error("REQUESTS names nothing");
  mkdirSync(downloads, { recursive: true });
  const trust = certificatesFromPem(readFileSync(certificateFiles(certificates).authority));
  const sessions = new MemorySessionStore();
  const fetch = (urls: readonly string[], awaitsTicket = false) =>
    fetchAll(host, environment, played, { urls, awaitsTicket, trust, sessions });
  switch (played.connections ?? "one") {
    case "one":
      await fetch(requests);
      break;
    case "each":
      for (const url of requests) await fetch([url]);
      break;
    case "resumed": {
      await fetch([first], true);
      const outcome = await fetch(rest);
      if (outcome.mode !== "resumed") throw new Error("the server did not resume the session");
      if (played.client?.earlyData && outcome.earlyData !== "accepted") throw new Error("the server took no 0-RTT");
    }
  }
}

interface Fetch {
  readonly urls: readonly string[];
  readonly awaitsTicket: boolean;
  readonly trust: readonly Uint8Array[];
  readonly sessions: MemorySessionStore;
}

/** One connection, with all these requests at once. */
async function fetchAll(
  host: Host,
  { downloads, qlog, keyLog }: Environment,
  played: Case,
  { urls, awaitsTicket, trust, sessions }: Fetch,
): Promise<QuicOutcome> {
  const { hostname, port, host: authority } = new URL(urls[0]!);
  const name = hostname.replace(/^\[(.*)\]$/, "$1");
  const remote = { address: await addressOf(host.network, name), port: Number(port || 443) };
  const quic: Partial<QuicClientOptions> = { earlyData: false, keyLog, trace: qlog?.trace, ...played.client };
  const security = clientSecurity(host, [played.alpn === "h3" ? http3Protocol : hqProtocol], name, {
    trust,
    sessions,
    quic,
  });
  const origin = new Origin(host, remote, authority, security);
  const over = origin.done.then((failure) => Promise.reject(failure ?? new Error("the server closed the session")));
  over.catch(() => undefined);
  const fetching = Promise.all(urls.map((url) => fetchOne(url)));
  fetching.catch(() => undefined);
  const outcome = await Promise.race([over, origin.session.confirmed]);
  const during = played.during?.(origin.session);
  await Promise.race([over, Promise.all([fetching, during, awaitsTicket && origin.ticket])]);
  await origin.close();
  return outcome;

  async function fetchOne(url: string): Promise<void> {
    const { pathname, search } = new URL(url);
    const { status = 200, body } = await origin.ask(pathname + search);
    if (status !== 200) throw new Error(`${url} is answered with ${status}`);
    await save(body, join(downloads, basename(pathname)));
  }
}

async function save(body: IncomingBody, path: string): Promise<void> {
  const file = createWriteStream(path);
  for await (const piece of body) if (!file.write(piece)) await once(file, "drain");
  file.end();
  await once(file, "finish");
}

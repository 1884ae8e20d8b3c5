import { readFileSync } from "node:fs";
import { fileHandlers, hqProtocol, hqServer, http3Protocol, http3Server } from "../../src/adapters/http3/index.js";
import { identityFromPem } from "../../src/adapters/pem.js";
import { serverSecurity } from "../../src/adapters/quic/index.js";
import type { Host } from "../../src/contract/index.js";
import { listen, type QuicListener } from "../../src/protocols/quic/index.js";
import type { Case } from "./cases.js";
import { certificateFiles, type Environment } from "./environment.js";

/** Serves the files of `www` as the case wants it, until the listener is closed. */
export function server(host: Host, environment: Environment, played: Case): Promise<QuicListener> {
  const { www, certificates, address, port, keyLog, qlog } = environment;
  const { chain, key } = certificateFiles(certificates);
  const identity = identityFromPem({
    chain: new Uint8Array(readFileSync(chain)),
    key: new Uint8Array(readFileSync(key)),
    provider: host.crypto,
  });
  const files = fileHandlers(www);
  const accept = played.alpn === "h3" ? http3Server(files.http3) : hqServer(files.hq);
  const security = serverSecurity(host, [played.alpn === "h3" ? http3Protocol : hqProtocol], {
    identity,
    earlyData: played.server?.earlyData ?? false,
    quic: { keyLog, trace: qlog?.trace, ...played.server },
  });
  return listen(host, { address, port }, security, accept);
}

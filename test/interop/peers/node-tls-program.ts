// A program of its own: `node node-tls-program.js SETUP` speaks TLS by Node's module, as a server or a client.
// Facts are lines on the error output; the output is what the peer said, the input what it will hear.
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { type ConnectionOptions, connect, createServer, type TLSSocket, type TlsOptions } from "node:tls";

export interface NodePeerSetup {
  readonly role: "server" | "client";
  readonly port?: number;
  readonly mode: "lines" | "data" | "echo";
  readonly ca: string;
  /** What is given to node:tls as it is. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly identity?: { readonly certificate: string; readonly key: string };
  readonly psk?: { readonly identity: string; readonly key: string };
  readonly exporterLabel?: string;
  readonly keyLog?: string;
  readonly saveSession?: string;
  readonly useSession?: string;
  readonly staple?: string | true;
}

if (process.argv[2]) run(JSON.parse(process.argv[2]));

function run(setup: NodePeerSetup): void {
  const { psk } = setup;
  const material = {
    ...setup.options,
    ca: readFileSync(setup.ca),
    ...(setup.identity
      ? { cert: readFileSync(setup.identity.certificate), key: readFileSync(setup.identity.key) }
      : {}),
  };
  if (setup.role === "server") {
    const options: TlsOptions = {
      ...material,
      allowHalfOpen: true,
      ...(psk
        ? {
            pskCallback: (_socket: unknown, who: string) => (who === psk.identity ? Buffer.from(psk.key, "hex") : null),
          }
        : {}),
    };
    const server = createServer(options, (socket) => converse(setup, socket));
    if (typeof setup.staple === "string") {
      const answer = readFileSync(setup.staple);
      server.on("OCSPRequest", (_certificate, _issuer, answered) => answered(null, answer));
    }
    server.on("keylog", (line) => keep(setup, line));
    server.on("tlsClientError", (error) => fact("FAILED", error.message));
    server.listen(0, "127.0.0.1", () => fact("LISTENING", String((server.address() as AddressInfo).port)));
    return;
  }
  const options: ConnectionOptions & { allowHalfOpen: boolean; requestOCSP: boolean } = {
    ...material,
    host: "127.0.0.1",
    port: setup.port,
    allowHalfOpen: true,
    requestOCSP: setup.staple === true,
    ...(setup.useSession ? { session: readFileSync(setup.useSession) } : {}),
    ...(psk
      ? {
          pskCallback: () => ({ identity: psk.identity, psk: Buffer.from(psk.key, "hex") }),
          checkServerIdentity: () => undefined,
        }
      : {}),
  };
  const socket = connect(options, () => converse(setup, socket));
  socket.on("keylog", (line) => keep(setup, line));
  socket.on("session", (session) => {
    if (setup.saveSession) writeFileSync(setup.saveSession, session, { mode: 0o600 });
    fact("SESSION", String(session.length));
  });
  socket.on("OCSPResponse", (answer: Buffer | null) => fact("STAPLE", answer ? answer.toString("hex") : "none"));
}

function converse(setup: NodePeerSetup, socket: TLSSocket): void {
  const { name, version } = socket.getCipher();
  fact(
    "SECURE",
    `${version} ${name} reused=${socket.isSessionReused()} authorized=${socket.authorized} alpn=${socket.alpnProtocol}`,
  );
  if (setup.exporterLabel) {
    // Without a context, which in TLS 1.2 is not the same as an empty one (RFC 5705 §4); the types do not know of it.
    const exported: Buffer = Reflect.apply(socket.exportKeyingMaterial, socket, [32, setup.exporterLabel]);
    fact("EXPORTER", exported.toString("hex"));
  }
  socket.on("error", (error) => fact("FAILED", error.message));
  socket.on("end", () => {
    fact("ENDED", "");
    if (setup.mode === "lines") socket.end();
  });
  socket.on("close", () => fact("CLOSED", ""));
  if (setup.mode === "echo") {
    socket.pipe(socket);
    return;
  }
  socket.pipe(process.stdout, { end: false });
  process.stdin.pipe(socket);
}

function keep(setup: NodePeerSetup, line: Buffer): void {
  if (setup.keyLog) appendFileSync(setup.keyLog, line, { mode: 0o600 });
}

function fact(kind: string, what: string): void {
  process.stderr.write(`${kind} ${what}\n`);
}

import { authority, identity } from "./certificates.js";
import type { NodePeerSetup } from "./node-tls-program.js";
import { opensslSuite } from "./openssl.js";
import { Program } from "./program.js";
import type { Stranger, StrangerEnd, StrangerServer, TlsSetup } from "./stranger.js";

/** Node's own tls, in a process of its own (node-tls-program.ts). */
export const nodeTls: Stranger = {
  name: "node:tls",
  async serve(setup) {
    const program = start({ role: "server", ...translate({ identity: "p256", ...setup }) });
    const [, port] = await program.says(/^LISTENING (\d+)$/m);
    return new NodeServer(program, Number(port));
  },
  connect(port, setup) {
    return new NodeEnd(start({ role: "client", port, ...translate(setup) }));
  },
};

const path = new URL("node-tls-program.js", import.meta.url).pathname;

function start(setup: NodePeerSetup): Program {
  return new Program("node:tls", process.execPath, [path, JSON.stringify(setup)]);
}

function translate(setup: TlsSetup): Omit<NodePeerSetup, "role"> {
  const version = setup.version ? (`TLSv${setup.version}` as const) : undefined;
  return {
    mode: setup.mode ?? "lines",
    ca: authority(),
    options: {
      ...(version ? { minVersion: version, maxVersion: version } : {}),
      ...(setup.alpn ? { ALPNProtocols: [...setup.alpn] } : {}),
      ...(setup.groups ? { ecdhCurve: setup.groups.join(":") } : {}),
      ...(setup.schemes ? { sigalgs: setup.schemes.join(":") } : {}),
      ...(setup.suites
        ? { ciphers: setup.suites.map((suite) => (suite.includes("_WITH_") ? opensslSuite(suite) : suite)).join(":") }
        : {}),
      ...(setup.askClient ? { requestCert: true, rejectUnauthorized: setup.askClient === "required" } : {}),
      ...(setup.serverName === "" ? {} : { servername: setup.serverName ?? "localhost" }),
    },
    ...(setup.identity ? { identity: identity(setup.identity) } : {}),
    ...(setup.psk ? { psk: { identity: setup.psk.identity, key: Buffer.from(setup.psk.key).toString("hex") } } : {}),
    ...(setup.exporterLabel ? { exporterLabel: setup.exporterLabel } : {}),
    ...(setup.keyLog ? { keyLog: setup.keyLog } : {}),
    ...(setup.saveSession ? { saveSession: setup.saveSession } : {}),
    ...(setup.useSession ? { useSession: setup.useSession } : {}),
    ...(setup.staple ? { staple: setup.staple } : {}),
  };
}

class NodeEnd implements StrangerEnd {
  readonly program: Program;

  constructor(program: Program) {
    this.program = program;
  }

  async exporter(): Promise<string> {
    const [, hex] = await this.program.says(/^EXPORTER ([0-9a-f]+)$/m);
    return hex!;
  }

  async say(line: string): Promise<void> {
    await this.program.write(`${line}\n`);
  }

  async hears(text: string | RegExp): Promise<void> {
    await this.program.says(text);
  }

  async updateKeys(): Promise<void> {
    throw new Error("node:tls answers key updates, but starts none");
  }

  async close(): Promise<void> {
    this.program.finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }
}

class NodeServer extends NodeEnd implements StrangerServer {
  readonly port: number;

  constructor(program: Program, port: number) {
    super(program);
    this.port = port;
  }
}

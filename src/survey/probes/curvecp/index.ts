import { toHex } from "../../../bytes/index.js";
import type { Host, InterfaceName, SocketAddress } from "../../../contract/index.js";
import { CurveCpEndpoint, curvecpProfile } from "../../../protocols/curvecp/index.js";
import { askBlank, evidence, type ProtocolProbes, type Show, type Shown, see } from "../../probe.js";
import { findNacl, type Nacl } from "./nacl.js";
import { CurveCpStage } from "./stage.js";

const data = Uint8Array.from({ length: 100_000 }, (_, i) => i * 31);
const short = (key: Uint8Array): string => `${toHex(key).slice(0, 8)}…`;
const words = "do you know my key?";

/** How a session would offer what CurveCP's row leaves blank. */
const methods: Partial<Record<InterfaceName, readonly string[]>> = {
  CT: ["close"],
  KU: ["updateKeys"],
  PSKE: ["exportKey"],
  KE: ["onKeyExpiring"],
};

export async function curvecpProbes(host: Host): Promise<ProtocolProbes> {
  const stage = new CurveCpStage(host);
  const nacl = await findNacl();
  return {
    profile: curvecpProfile,
    cells: {
      IPK: async ({ signal }) =>
        evidence(await identities(stage, signal), await strangersIdentity(stage, nacl, signal)),
      IV: async ({ signal }) =>
        evidence(await identityValidation(stage, signal), await strangersRefusal(stage, nacl, signal)),
      ME: async ({ signal }) => evidence(await mobility(stage, signal)),
      SAV: async ({ signal }) => evidence(await sourceAddressValidation(stage, signal)),
    },
    async ask(cell, { signal }) {
      await using echo = await stage.echo();
      const session = await stage.echoed(echo, data, signal);
      return askBlank(curvecpProfile, cell, session, methods);
    },
    shows: [
      {
        title: "Sealport ↔ Sealport",
        async run({ signal }) {
          const started = host.now();
          await using echo = await stage.echo();
          await stage.echoed(echo, data, signal, { identity: stage.newKeyPair() });
          return shown(data.length, host.now() - started);
        },
      },
      ...(nacl === undefined ? [] : [naclShow(stage, nacl)]),
    ],
  };
}

function naclShow(stage: CurveCpStage, nacl: Nacl): Show {
  return {
    title: "NaCl client ↔ Sealport",
    async run({ signal }) {
      const started = stage.host.now();
      await using echo = await stage.echo();
      see((await nacl.say(echo, stage.newKeyPair(), words, signal)) === words, "the words come back");
      return shown(words.length, stage.host.now() - started);
    },
  };
}

const shown = (bytes: number, ms: number): Shown => ({
  version: "CurveCP 2011",
  keyExchange: "X25519",
  cipher: "XSalsa20-Poly1305",
  roundTrips: 1,
  bytes,
  authenticated: "both by static key",
  ms,
});

async function identities(stage: CurveCpStage, signal: AbortSignal): Promise<string> {
  await using echo = await stage.echo();
  const identity = stage.newKeyPair();
  const client = await stage.echoed(echo, data, signal, { identity });
  const [server] = echo.accepted;
  see(server?.peer?.kind === "static-key" && toHex(server.peer.key) === toHex(identity.publicKey), "the client's key");
  see(
    client.peer?.kind === "static-key" && toHex(client.peer.key) === toHex(echo.identity.publicKey),
    "the server's key",
  );
  return `the server saw ${short(identity.publicKey)} and the client ${short(echo.identity.publicKey)}, of the pairs they were given`;
}

async function strangersIdentity(
  stage: CurveCpStage,
  nacl: Nacl | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (nacl === undefined) return undefined;
  await using echo = await stage.echo();
  const identity = stage.newKeyPair();
  see((await nacl.say(echo, identity, words, signal)) === words, `${nacl.name} hearing its words again`);
  const { peer } = await echo.session;
  see(peer?.kind === "static-key" && toHex(peer.key) === toHex(identity.publicKey), `the key of ${nacl.name}`);
  return `${nacl.name} proved ${short(identity.publicKey)}, which stood in a key directory of ours`;
}

async function identityValidation(stage: CurveCpStage, signal: AbortSignal): Promise<string> {
  const known = stage.newKeyPair();
  await using echo = await stage.echo({ clients: [known.publicKey] });
  const refused = new AbortController();
  const stranger = stage.echoed(echo, data, AbortSignal.any([signal, refused.signal]));
  stranger.catch(() => undefined);
  await until(() => echo.listener.drops["refused-client"] > 0, signal);
  see(echo.accepted.length === 0, "no session with an unknown key");
  refused.abort(new Error("it stays out"));
  await stage.echoed(echo, data, signal, { identity: known });
  // Whoever has another key than the one that the client knows cannot read its Hello.
  await using impostor = await stage.echo();
  const wrong = new AbortController();
  const client = stage.echoed(impostor, data, AbortSignal.any([signal, wrong.signal]), {
    serverKey: echo.identity.publicKey,
  });
  client.catch(() => undefined);
  await until(() => impostor.listener.drops["bad-box"] > 0, signal);
  wrong.abort(new Error("no cookie"));
  let asked = "";
  await using asking = await stage.echo({
    clients: async ({ publicKey }) => {
      asked = toHex(publicKey);
      return true;
    },
  });
  await stage.echoed(asking, data, signal, { identity: known });
  see(asked === toHex(known.publicKey), "the application asked about the key");
  return "an unknown client was refused and a known one served; a server with another key could not read the Hello; the application was asked";
}

async function strangersRefusal(
  stage: CurveCpStage,
  nacl: Nacl | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (nacl === undefined) return undefined;
  await using echo = await stage.echo({ clients: [stage.newKeyPair().publicKey] });
  const stop = new AbortController();
  const said = nacl.say(echo, stage.newKeyPair(), words, AbortSignal.any([signal, stop.signal]));
  said.catch(() => undefined);
  await until(() => echo.listener.drops["refused-client"] > 0, signal);
  stop.abort();
  see(echo.accepted.length === 0, `no session with ${nacl.name}`);
  return `${nacl.name} with an unknown key was refused`;
}

async function mobility(stage: CurveCpStage, signal: AbortSignal): Promise<string> {
  await using echo = await stage.echo();
  const ports: number[] = [];
  let moves = 0;
  await stage.echoed(echo, data, signal, {
    during: async (session) => {
      ports.push(session.local.port);
      (await echo.session).onMoved(() => moves++);
      await session.migrate();
      ports.push(session.local.port);
    },
  });
  const [before, after] = ports;
  see(before !== after && moves > 0 && echo.accepted[0]?.remote.port === after, "the server following the client");
  return `the client went from port ${before} to ${after} in the middle of ${data.length} bytes, and all came back`;
}

/** A stranger's Hello, from a port that never says more: what comes back, and what the server keeps. */
async function sourceAddressValidation(stage: CurveCpStage, signal: AbortSignal): Promise<string> {
  const { host } = stage;
  await using echo = await stage.echo();
  const machine = new CurveCpEndpoint(host);
  const remote: SocketAddress = echo.listener.local;
  machine.handle(
    { kind: "connect", connection: 1, remote, options: { serverKey: echo.identity.publicKey } },
    host.now(),
  );
  const hello = new Uint8Array(2_048);
  const size = machine.transmit(hello, host.now())?.size ?? 0;
  const answers: number[] = [];
  const port = await host.network.bindDatagrams(
    { address: "127.0.0.1", port: 0 },
    { datagrams: (bytes) => void answers.push(bytes.length), closed: () => undefined },
  );
  try {
    port.send(hello.subarray(0, size), remote);
    await until(() => answers.length === 1, signal);
    see(answers[0]! < size, "an answer that is shorter than the question");
    see(echo.listener.sessions === 0, "nothing kept");
    await stage.echoed(echo, data, signal);
    see(answers.length === 1, "nothing more for who returns no cookie");
  } finally {
    port.close();
  }
  return `a Hello of ${size} bytes got a Cookie of ${answers[0]} and left no session; who returned its cookie was served`;
}

/** Polls: what is waited for is a count. */
async function until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
  while (!isSo()) {
    signal.throwIfAborted();
    await new Promise((again) => setTimeout(again, 5));
  }
}

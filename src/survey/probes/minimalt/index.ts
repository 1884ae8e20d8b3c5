import { toHex } from "../../../bytes/index.js";
import { Failure, type Host, type InterfaceName } from "../../../contract/index.js";
import { Boxes } from "../../../crypto/index.js";
import {
  type MinimaltSession,
  makeCertificate,
  minimaltProfile,
  RecordMemory,
  signingKey,
  suiteNames,
} from "../../../protocols/minimalt/index.js";
import { askBlank, evidence, type ProtocolProbes, see } from "../../probe.js";
import { MinimaltStage } from "./stage.js";

const data = Uint8Array.from({ length: 100_000 }, (_, i) => i * 31);
const short = (key: Uint8Array): string => `${toHex(key).slice(0, 8)}…`;

/** How a session would offer what MinimaLT's row leaves blank. */
const methods: Partial<Record<InterfaceName, readonly string[]>> = {
  EXT: ["alpn"],
  KE: ["onKeyExpiring"],
};

export function minimaltProbes(host: Host): ProtocolProbes {
  const stage = new MinimaltStage(host);
  return {
    profile: minimaltProfile,
    cells: {
      IPK: async ({ signal }) => evidence(await identities(stage, signal)),
      ALG: async ({ signal }) => evidence(await algorithms(stage, signal)),
      CM: async ({ signal }) => evidence(await cachedRecords(stage, signal)),
      PSKI: async ({ signal }) => evidence(await importedKeys(stage, signal)),
      IV: async ({ signal }) => evidence(await identityValidation(stage, signal)),
      CT: async ({ signal }) => evidence(await termination(stage, signal)),
      KU: async ({ signal }) => evidence(await keyUpdate(stage, signal)),
      PSKE: async ({ signal }) => evidence(await exportedKeys(stage, signal)),
      ME: async ({ signal }) => evidence(await mobility(stage, signal)),
      SAV: async ({ signal }) => evidence(await sourceAddressValidation(stage, signal)),
    },
    async ask(cell, { signal }) {
      await using echo = await stage.echo();
      const session = stage.client(echo);
      await stage.echoed(session, data, signal);
      session.close();
      return askBlank(minimaltProfile, cell, session, methods);
    },
    shows: [
      {
        title: "Sealport ↔ Sealport",
        async run({ signal }) {
          const started = host.now();
          await using echo = await stage.echo();
          const session = stage.client(echo, { record: echo.listener.record });
          await stage.echoed(session, data, signal);
          session.close();
          return {
            version: "MinimaLT 0, our revision 1",
            keyExchange: "X25519",
            cipher: "XSalsa20-Poly1305",
            roundTrips: 0,
            bytes: data.length,
            authenticated: "server by record",
            ms: host.now() - started,
          };
        },
      },
    ],
  };
}

async function identities(stage: MinimaltStage, signal: AbortSignal): Promise<string> {
  await using echo = await stage.echo();
  const user = new Boxes(stage.host.crypto).newKeyPair(stage.host.entropy);
  const session = stage.client(echo, { user });
  await stage.echoed(session, data, signal);
  const seen = echo.streams[0]?.user;
  see(seen !== undefined && toHex(seen) === toHex(user.publicKey), "the user's key");
  see(peerKey(session) === toHex(echo.identity.publicKey), "the server's key");
  session.close();
  return `the server saw user ${short(user.publicKey)} and the client host ${short(echo.identity.publicKey)}, of the keys they were given`;
}

async function algorithms(stage: MinimaltStage, signal: AbortSignal): Promise<string> {
  for (const suite of suiteNames) {
    await using echo = await stage.echo({ suite });
    const session = stage.client(echo, { suites: [suite] });
    await stage.echoed(session, data, signal);
    see(session.outcome?.suite === suite && echo.accepted[0]?.outcome?.suite === suite, suite);
    session.close();
    const others = suiteNames.filter((name) => name !== suite);
    see((await reasonOf(stage.client(echo, { suites: others }))) === "no-common-suite", `no session without ${suite}`);
  }
  return `${suiteNames.join(" and ")} were each used when named, and refused where the other alone was`;
}

async function cachedRecords(stage: MinimaltStage, signal: AbortSignal): Promise<string> {
  await using echo = await stage.echo();
  const cache = new RecordMemory();
  const trips: number[] = [];
  for (let i = 0; i < 2; i++) {
    const session = stage.client(echo, { cache });
    await stage.echoed(session, data, signal);
    trips.push(session.outcome!.roundTrips);
    see(session.outcome!.resumed === (i === 1), "only the second from the cache");
    session.close();
  }
  see(cache.size === 1, "one record kept");
  return `with its record in the cache the second tunnel began after ${trips[1]} round trips, the first after ${trips[0]}`;
}

async function importedKeys(stage: MinimaltStage, signal: AbortSignal): Promise<string> {
  const importedKey = stage.host.entropy.fill(new Uint8Array(32));
  await using echo = await stage.echo({ importedKey });
  const { record } = echo.listener;
  const session = stage.client(echo, { record, importedKey });
  await stage.echoed(session, data, signal);
  session.close();
  const stranger = stage.client(echo, { record });
  stranger.openStream({ bytes: () => {}, ended: () => {}, drained: () => {}, closed: () => {} });
  await until(() => echo.listener.drops["bad-box"] > 0, signal);
  see(stranger.outcome === undefined && echo.accepted.length === 1, "no tunnel without the key");
  stranger.abort();
  return "with the same imported key the tunnel opened; without it no packet did, though the record was right";
}

async function identityValidation(stage: MinimaltStage, signal: AbortSignal): Promise<string> {
  const { crypto, entropy } = stage.host;
  const known = new Boxes(crypto).newKeyPair(entropy);
  await using echo = await stage.echo({ users: [known.publicKey] });
  const session = stage.client(echo, { user: known });
  await stage.echoed(session, data, signal);
  session.close();
  const stranger = stage.client(echo, { user: new Boxes(crypto).newKeyPair(entropy) });
  see((await failed(stage.echoed(stranger, data, signal))) === "refused", "no connection for an unknown user");
  stranger.close();
  // A record of the same place that another host has signed, and one that an authority vouches for.
  const authority = signingKey(crypto, entropy.fill(new Uint8Array(32)));
  const authorities = [authority.publicKey.spki.slice(-32)];
  await using other = await stage.echo();
  const wrong = { record: other.listener.record, serverKey: echo.identity.publicKey };
  see((await reasonOf(stage.client(other, wrong))) === "bad-record", "no tunnel to another host");
  const identity = stage.newIdentity();
  const certificate = makeCertificate(identity, "host.example", stage.host.now() + 3_600_000, authority);
  await using named = await stage.echo({ identity, certificate });
  const { record } = named.listener;
  const trusting = stage.client(named, { serverKey: undefined!, authorities, serverName: "host.example", record });
  await stage.echoed(trusting, data, signal);
  trusting.close();
  const elsewhere = { serverKey: undefined!, authorities, serverName: "other.example", record };
  see((await reasonOf(stage.client(named, elsewhere))) === "bad-record", "no tunnel to another name");
  return "an unknown user was refused and a known one served; records of another key or name were refused, and one that an authority vouches for was not";
}

async function termination(stage: MinimaltStage, signal: AbortSignal): Promise<string> {
  await using echo = await stage.echo();
  const session = stage.client(echo);
  await stage.echoed(session, data, signal);
  session.close();
  await until(() => echo.ends.length === 1, signal);
  see(echo.ends[0] === "well", "a clean end");
  const broken = stage.client(echo);
  await stage.echoed(broken, data, signal);
  broken.abort();
  await until(() => echo.ends.length === 2, signal);
  see(echo.ends[1] === "left-by-peer", "an abort told from it");
  await until(() => echo.listener.sessions === 0, signal);
  return "close told the server at once, and that it was meant; an abort was told apart; no tunnel was left";
}

async function keyUpdate(stage: MinimaltStage, signal: AbortSignal): Promise<string> {
  await using echo = await stage.echo();
  const session = stage.client(echo);
  const generations = (): string => `${session.statistics.keyGeneration} ${echo.accepted[0]!.statistics.keyGeneration}`;
  await stage.echoed(session, data, signal, async () => {
    session.updateKeys();
    await until(() => generations() === "1 1", signal);
    echo.accepted[0]!.updateKeys();
    await until(() => generations() === "2 2", signal);
  });
  session.close();
  return `the client's wish and the server's each led both to the next key in the middle of ${data.length} bytes, and all came back`;
}

async function exportedKeys(stage: MinimaltStage, signal: AbortSignal): Promise<string> {
  await using echo = await stage.echo();
  const session = stage.client(echo);
  await stage.echoed(session, data, signal);
  const [ours, theirs] = [session, echo.accepted[0]!].map((each) => toHex(each.exportKey("survey", 32)));
  see(ours === theirs, "the same key at both ends");
  see(toHex(session.exportKey("other", 32)) !== ours, "another label, another key");
  session.close();
  return "both ends exported the same 32 bytes for a label, and others for another";
}

async function mobility(stage: MinimaltStage, signal: AbortSignal): Promise<string> {
  await using echo = await stage.echo();
  const session = stage.client(echo);
  const ports: number[] = [];
  let moves = 0;
  await stage.echoed(session, data, signal, async () => {
    ports.push(session.local.port);
    echo.accepted[0]!.onMoved(() => moves++);
    await session.migrate();
    ports.push(session.local.port);
  });
  const [before, after] = ports;
  see(before !== after && moves > 0 && echo.accepted[0]!.remote.port === after, "the server following the client");
  see(echo.accepted[0]!.statistics.keyGeneration === 1, "a new identifier and key there");
  session.close();
  return `the client went from port ${before} to ${after} in the middle of ${data.length} bytes, under a new key, and all came back`;
}

async function sourceAddressValidation(stage: MinimaltStage, signal: AbortSignal): Promise<string> {
  await using echo = await stage.echo({ tunnelsPerSecond: 0, puzzleBits: 8 });
  const { record } = echo.listener;
  const unwilling = stage.client(echo, { record, puzzleBitsMax: 4 });
  unwilling.openStream({ bytes: () => {}, ended: () => {}, drained: () => {}, closed: () => {} });
  await until(() => echo.listener.puzzlesPosed > 0, signal);
  see(echo.listener.sessions === 0 && echo.accepted.length === 0, "nothing kept");
  unwilling.abort();
  const session = stage.client(echo, { record });
  await stage.echoed(session, data, signal);
  session.close();
  return "under load who began a tunnel got a puzzle of 164 bytes for its 1024 and left no state; who solved it was served";
}

const peerKey = ({ peer }: MinimaltSession): string => (peer?.kind === "static-key" ? toHex(peer.key) : "");

const reasonOf = (session: MinimaltSession): Promise<string> => failed(session.confirmed);

async function failed(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "";
  } catch (error) {
    if (error instanceof Failure) return error.reason;
    throw error;
  }
}

/** Polls: what is waited for is a count. */
async function until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
  while (!isSo()) {
    signal.throwIfAborted();
    await new Promise((again) => setTimeout(again, 5));
  }
}

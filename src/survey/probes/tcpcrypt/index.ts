import { equal, toHex } from "../../../bytes/index.js";
import { Failure, type Host, type InterfaceName, Secret } from "../../../contract/index.js";
import {
  type EncryptedOutcome,
  sessionScope,
  symCiphers,
  type TcpcryptSession,
  TcpcryptSessions,
  tcpcryptProfile,
  teps,
} from "../../../protocols/tcpcrypt/index.js";
import { askBlank, evidence, type ProtocolProbes, see } from "../../probe.js";
import { TcpcryptStage } from "./stage.js";

const data = Uint8Array.from({ length: 100_000 }, (_, i) => i * 31);
const few = data.subarray(0, 1_000);
const short = (bytes: Uint8Array): string => `${toHex(bytes).slice(0, 10)}…`;

/** How a session would offer what tcpcrypt's row leaves blank. */
const methods: Partial<Record<InterfaceName, readonly string[]>> = {
  IV: ["peer"],
  KE: ["onKeyExpiring"],
  ME: ["onMoved"],
};

export async function tcpcryptProbes(host: Host): Promise<ProtocolProbes> {
  const on = <T>(prove: (stage: TcpcryptStage, signal: AbortSignal) => Promise<T>) => {
    return async ({ signal }: { readonly signal: AbortSignal }): Promise<T> => {
      using stage = await TcpcryptStage.open(host);
      return await prove(stage, signal);
    };
  };
  const cell = (prove: (stage: TcpcryptStage, signal: AbortSignal) => Promise<string>) =>
    on(async (stage, signal) => evidence(await prove(stage, signal)));
  return {
    profile: tcpcryptProfile,
    cells: {
      ALG: cell(algorithms),
      CM: cell(sessionCache),
      AD: cell(delegation),
      PSKI: cell(importedSecrets),
      CT: cell(termination),
      KU: cell(keyUpdate),
      PSKE: cell(exported),
    },
    ask: (blank, { signal }) =>
      on(async (stage) => {
        await using echo = await stage.echo();
        const session = await stage.echoed(echo.remote, few, signal);
        return askBlank(tcpcryptProfile, blank, session, methods);
      })({ signal }),
    shows: [
      {
        title: "Sealport ↔ Sealport inside WireGuard",
        run: on(async (stage, signal) => {
          const started = stage.now();
          await using echo = await stage.echo();
          const { tep, cipher } = encrypted(await stage.echoed(echo.remote, data, signal));
          return {
            version: "RFC 8548",
            keyExchange: tep.replace("TCPCRYPT_ECDHE_", ""),
            cipher: cipher.replace("AEAD_", "").replaceAll("_", "-"),
            roundTrips: 1,
            bytes: data.length,
            authenticated: "nobody: session IDs are equal",
            ms: stage.now() - started,
          };
        }),
      },
    ],
  };
}

function encrypted({ outcome }: Pick<TcpcryptSession, "outcome">): EncryptedOutcome {
  see(outcome?.encrypted, "encryption");
  return outcome;
}

async function algorithms(stage: TcpcryptStage, signal: AbortSignal): Promise<string> {
  const came: string[] = [];
  for (const [i, tep] of teps.entries()) {
    const cipher = symCiphers[i % symCiphers.length]!;
    await using echo = await stage.echo({ ciphers: [cipher.name] });
    const outcome = encrypted(await stage.echoed(echo.remote, few, signal, { teps: [tep.name] }));
    see(outcome.tep === tep.name && outcome.cipher === cipher.name, "what was asked for");
    came.push(`${tep.agreement} with ${cipher.aead}`);
  }
  await using echo = await stage.echo({ teps: ["TCPCRYPT_ECDHE_P521"] });
  const refused = await reason(stage.echoed(echo.remote, few, signal, { teps: ["TCPCRYPT_ECDHE_P256"] }));
  see(refused === "not-negotiated" && echo.delivered === 0, "no connection without a common TEP");
  return `${came.join(", ")}, each as asked; without a common one not-negotiated, and no byte in the clear`;
}

async function sessionCache(stage: TcpcryptStage, signal: AbortSignal): Promise<string> {
  const caches = [new TcpcryptSessions(stage.host.crypto), new TcpcryptSessions(stage.host.crypto)] as const;
  await using echo = await stage.echo({ sessions: caches[1] });
  const round = async (): Promise<boolean> =>
    encrypted(await stage.echoed(echo.remote, few, signal, { sessions: caches[0] })).resumed;
  see(!(await round()), "a first session that is fresh");
  see(await round(), "a second that is resumed");
  caches[0].flush(sessionScope(echo.remote.address, echo.remote.port));
  see(!(await round()), "a third that is fresh, after the cache was flushed");
  see(
    !encrypted(await stage.echoed(echo.remote, few, signal, { sessions: caches[0], freshOnly: true })).resumed,
    "none",
  );
  return "the second connection resumed the first's session without a public key; after a flush, and with freshOnly, there was none to resume";
}

async function delegation(stage: TcpcryptStage, signal: AbortSignal): Promise<string> {
  const ids: string[] = [];
  const roles: string[] = [];
  const authenticate = ({
    sessionId,
    role,
    peerAware,
  }: {
    sessionId: Uint8Array;
    role: "A" | "B";
    peerAware: boolean;
  }) => {
    ids.push(toHex(sessionId));
    roles.push(`${role}${peerAware}`);
    return true;
  };
  await using echo = await stage.echo({ authenticate, applicationAware: "require" });
  await stage.echoed(echo.remote, few, signal, { authenticate, applicationAware: "offer" });
  see(ids.length === 2 && ids[0] === ids[1], "both applications asked with the same session ID");
  see(roles.sort().join() === "Atrue,Btrue", "roles, and the a bit of the other");
  const unaware = await reason(stage.echoed(echo.remote, few, signal));
  see(unaware === "not-negotiated", "no encryption with an application that does not know of it");
  await using strict = await stage.echo({ authenticate: () => false });
  see(
    (await reason(stage.echoed(strict.remote, few, signal))) !== undefined,
    "a connection that the application refused",
  );
  see(strict.delivered === 0, "no byte delivered before the application's word");
  return `both applications were asked about ${ids[0]!.slice(0, 10)}…, with roles A and B and the a bit, before a byte passed; one said no and the connection ended`;
}

async function importedSecrets(stage: TcpcryptStage, signal: AbortSignal): Promise<string> {
  const { crypto, entropy } = stage.host;
  const caches = [new TcpcryptSessions(crypto), new TcpcryptSessions(crypto)] as const;
  await using echo = await stage.echo({ sessions: caches[1] });
  const scope = sessionScope(echo.remote.address, echo.remote.port);
  const secret = entropy.fill(new Uint8Array(32));
  caches[0].import({ secret: Secret.copy(secret), role: "A" }, stage.now(), scope);
  caches[1].import({ secret: Secret.copy(secret), role: "B" }, stage.now());
  const same = await stage.echoed(echo.remote, few, signal, { sessions: caches[0] });
  see(encrypted(same).resumed && same.sessionId[0] === 0xa3, "a session on the imported secret");
  caches[0].import({ secret: new Secret(entropy.fill(new Uint8Array(32))), role: "A" }, stage.now(), scope);
  const other = await stage.echoed(echo.remote, few, signal, { sessions: caches[0] });
  see(!encrypted(other).resumed, "no session on a secret that the peer does not have");
  return "both ends imported 32 bytes and met on them without a public key; with other bytes the peer did not know them";
}

async function termination(stage: TcpcryptStage, signal: AbortSignal): Promise<string> {
  await using echo = await stage.echo();
  await stage.echoed(echo.remote, data, signal);
  see(echo.ends.join() === "FINp", "an authentic end");
  // The connection goes away below tcpcrypt.
  const cut = stage.echoed(echo.remote, data, signal, { during: (session) => session.abort() });
  see((await reason(cut)) !== undefined, "no end for who was cut off");
  await until(() => echo.ends.length === 2, signal);
  see(echo.ends[1] === "connection-lost", "a failure that is no end");
  return "FINp ended both directions; a connection that was reset under it was connection-lost, not an end";
}

async function keyUpdate(stage: TcpcryptStage, signal: AbortSignal): Promise<string> {
  await using echo = await stage.echo();
  const session = await stage.echoed(echo.remote, data, signal, {
    during: async (running) => {
      running.updateKeys();
      await until(() => running.statistics.keyGenerationReceived === 1, signal);
      running.updateKeys();
      await until(() => running.statistics.keyGenerationReceived === 2, signal);
    },
  });
  const { keyGenerationSent, keyGenerationReceived } = echo.accepted[0]!.statistics;
  see(keyGenerationSent === 2 && keyGenerationReceived === 2, "two generations at the other end");
  see(session.statistics.keyGenerationSent === 2, "and here");
  return `both ends went to generation 2 in the middle of ${data.length} bytes, and all came back`;
}

async function exported(stage: TcpcryptStage, signal: AbortSignal): Promise<string> {
  await using echo = await stage.echo();
  let alike = false;
  const ids: Uint8Array[] = [];
  for (let i = 0; i < 2; i++) {
    await stage.echoed(echo.remote, few, signal, {
      during: async (session) => {
        await until(() => echo.accepted[i]?.outcome !== undefined, signal);
        const there = echo.accepted[i]!;
        const context = Uint8Array.of(1, 2);
        see(equal(session.sessionId, there.sessionId), "the same session ID at both ends");
        ids.push(session.sessionId);
        alike = equal(session.exportKey("survey", 32, context), there.exportKey("survey", 32, context));
        see(
          !equal(session.exportKey("survey", 32, context), there.exportKey("survey", 32)),
          "another for another context",
        );
      },
    });
    see(alike, "the same key at both ends");
  }
  see(!equal(ids[0]!, ids[1]!), "a session ID for each connection");
  return `both ends had session ID ${short(ids[0]!)}, another in the next connection, and the same exported key`;
}

/** The reason for which something failed; undefined if it did not. */
async function reason(what: Promise<unknown>): Promise<string | undefined> {
  return what.then(
    () => undefined,
    (failure: unknown) => (failure instanceof Failure ? failure.reason : String(failure)),
  );
}

/** Polls: what is waited for is a count. */
async function until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
  while (!isSo()) {
    signal.throwIfAborted();
    await new Promise((again) => setTimeout(again, 5));
  }
}

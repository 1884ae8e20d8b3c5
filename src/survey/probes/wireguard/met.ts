import { toHex } from "../../../bytes/index.js";
import type { InterfaceName } from "../../../contract/index.js";
import { see } from "../../probe.js";
import { Initiator, pause } from "./initiator.js";
import type { End, WireGuardStage } from "./stage.js";
import type { Stranger, StrangerEnd } from "./stranger.js";

type Proof = (stage: WireGuardStage, stranger: Stranger, signal: AbortSignal) => Promise<string>;

/** Cells that another implementation proves as well. */
export const metProofs: Partial<Record<InterfaceName, Proof>> = {
  IPK: identities,
  PSKI: preSharedKeys,
  IV: identityValidation,
  SAV: sourceAddressValidation,
  ME: mobility,
};

interface Met extends AsyncDisposable {
  readonly ours: End;
  readonly theirs: StrangerEnd;
}

async function meet(
  stage: WireGuardStage,
  stranger: Stranger,
  signal: AbortSignal,
  keys: { own?: Uint8Array; known?: Uint8Array; ourPsk?: Uint8Array; theirPsk?: Uint8Array } = {},
): Promise<Met> {
  const own = keys.own ?? stage.newKey();
  const privateKey = stage.newKey();
  const peerPublicKey = stage.publicKeyOf(keys.known ?? own);
  const theirs = await stranger.start(
    { privateKey, peerPublicKey, ...(keys.theirPsk && { preSharedKey: keys.theirPsk }) },
    signal,
  );
  const ours = await stage.dial({
    own,
    peerPublicKey: stage.publicKeyOf(privateKey),
    port: theirs.port,
    psk: keys.ourPsk,
  });
  ours.tunnel.handle({ kind: "initiate", publicKey: stage.publicKeyOf(privateKey) });
  return {
    ours,
    theirs,
    async [Symbol.asyncDispose]() {
      ours.tunnel.close();
      await theirs[Symbol.asyncDispose]();
    },
  };
}

/** Waits for a session with the stranger. */
async function session({ ours }: Met, signal: AbortSignal): Promise<void> {
  while (!ours.told.some(({ kind }) => kind === "session")) {
    signal.throwIfAborted();
    await pause(5);
  }
}

const hasMet = async ({ theirs }: Met): Promise<boolean> =>
  Number((await theirs.peer()).get("last_handshake_time_sec") ?? 0) > 0;

async function identities(stage: WireGuardStage, stranger: Stranger, signal: AbortSignal): Promise<string> {
  const own = stage.newKey();
  await using met = await meet(stage, stranger, signal, { own });
  await session(met, signal);
  see((await met.theirs.peer()).get("public_key") === toHex(stage.publicKeyOf(own)), "our key at the stranger");
  while (!(await hasMet(met))) {
    signal.throwIfAborted();
    await pause(5);
  }
  return `${stranger.name} has a session with that of another`;
}

async function preSharedKeys(stage: WireGuardStage, stranger: Stranger, signal: AbortSignal): Promise<string> {
  const key = stage.newKey();
  await using right = await meet(stage, stranger, signal, { ourPsk: key, theirPsk: key });
  await session(right, signal);
  await using wrong = await meet(stage, stranger, signal, { ourPsk: key, theirPsk: stage.newKey() });
  await pause(200);
  see(!wrong.ours.told.some(({ kind }) => kind === "session"), "no session under different keys");
  return `${stranger.name} met us under a shared key and not under two`;
}

async function identityValidation(stage: WireGuardStage, stranger: Stranger, signal: AbortSignal): Promise<string> {
  await using met = await meet(stage, stranger, signal, { known: stage.newKey() });
  await pause(200);
  see(!met.ours.told.some(({ kind }) => kind === "session") && !(await hasMet(met)), "the stranger refuse our key");
  return `${stranger.name} did not answer a key that it did not know`;
}

/** More than wireguard-go has in its queue when it calls that load (128), and less than its socket holds. */
const burst = 240;
const burstsMax = 20;

/** What comes while it sleeps is there all at once when it wakes, and that is load if it falls behind: so, until it does. */
async function sourceAddressValidation(
  stage: WireGuardStage,
  stranger: Stranger,
  signal: AbortSignal,
): Promise<string> {
  const [own, privateKey] = [stage.newKey(), stage.newKey()];
  await using theirs = await stranger.start({ privateKey, peerPublicKey: stage.publicKeyOf(own) }, signal);
  for (let i = 0; i < burstsMax; i++) {
    using initiator = await Initiator.open(stage, own, stage.publicKeyOf(privateKey), theirs.port);
    theirs.pause();
    await initiator.flood(burst);
    initiator.send();
    theirs.resume();
    // For a second it stays under load.
    const isTold = (): boolean => initiator.hasCookie || initiator.others > 0;
    for (let more = 0; more < 3 && !isTold(); more++) {
      await initiator.wait(isTold, 200);
      if (!isTold()) initiator.send();
    }
    if (!initiator.hasCookie || initiator.others > 0) continue;
    await initiator.sendUntil(() => initiator.isAnswered, signal);
    return `${stranger.name} under load sent us ${initiator.cookies} cookies and nothing else until we had shown ours`;
  }
  return `${stranger.name} felt no load in ${burstsMax} bursts of ${burst} initiations`;
}

async function mobility(stage: WireGuardStage, stranger: Stranger, signal: AbortSignal): Promise<string> {
  await using met = await meet(stage, stranger, signal);
  await session(met, signal);
  const { port } = await met.ours.tunnel.rebind({ address: "127.0.0.1", port: 0 });
  let endpoint: string | undefined;
  while (endpoint !== `127.0.0.1:${port}`) {
    signal.throwIfAborted();
    // Nobody answers inside; what counts is that something goes out from the new place.
    await met.ours.tunnel.ping("10.66.0.2", { timeoutMs: 20 }).catch(() => {});
    endpoint = (await met.theirs.peer()).get("endpoint");
  }
  return `${stranger.name} followed us to another port`;
}

import { equal, toHex } from "../../../bytes/index.js";
import { Secret } from "../../../contract/index.js";
import { profiles } from "../../../protocols/srtp/index.js";
import {
  type Algorithms,
  formatHelloHash,
  MemoryZrtpCache,
  parseHelloHash,
  profile,
  type ZrtpOptions,
} from "../../../protocols/zrtp/index.js";
import { askBlank, evidence, type Probe, type ProtocolProbes, see } from "../../probe.js";
import { call, crosses, type End, newZid, open, rtp, type Stage, secure, typesOf, until } from "./stage.js";

const quick: Partial<Algorithms> = { keyAgreements: ["X255", "Mult"] };
const plain: ZrtpOptions = { algorithms: quick };
const outcomeOf = ({ session }: End) => session.outcome!;

/** ZRTP's six cells, and two beyond the table; each between two ends on the loopback. */
export function zrtpProbes(stage: Stage): ProtocolProbes {
  const on =
    (proof: (stage: Stage, signal: AbortSignal) => Promise<string>): Probe =>
    ({ signal }) =>
      proof(stage, signal);
  return {
    profile,
    cells: {
      IPK: on(identities),
      ALG: on(algorithms),
      CM: on(cache),
      PSKI: on(importedSecrets),
      IV: on(words),
      CT: on(termination),
      PSKE: on(exportedKeys),
      KE: on(keyExpiration),
    },
    async ask(cell) {
      using made = await secure(stage, plain, plain);
      return askBlank(profile, cell, made.near.session, {
        EXT: ["extensions"],
        AD: ["authenticate"],
        SAV: ["addressValidated"],
        KU: ["updateKeys"],
        ME: ["onMoved"],
      });
    },
    shows: [
      {
        title: "Sealport ↔ Sealport",
        async run({ signal }) {
          const started = performance.now();
          using made = await secure(stage, {}, {});
          let bytes = 0;
          for (let i = 0; i < 20; i++) bytes += await crosses(made.near, made.far, rtp(i), signal);
          const { keyAgreement, hash, profile: name, words: sas } = outcomeOf(made.near);
          return {
            version: "ZRTP 1.10",
            keyExchange: keyAgreement,
            cipher: `${name} ${hash}`,
            // Hello and HelloACK, Commit and DHPart1, DHPart2 and Confirm1, Confirm2 and Conf2ACK.
            roundTrips: 4,
            bytes,
            authenticated: `by words: ${sas!.text}`,
            ms: performance.now() - started,
          };
        },
      },
    ],
  };
}

/** A ZID is who one is to a peer: it finds the secrets that were agreed on under it. */
async function identities(stage: Stage): Promise<string> {
  const [zid, other] = [newZid(stage.host), newZid(stage.host)];
  const far: ZrtpOptions = { ...plain, zid: newZid(stage.host), cache: new MemoryZrtpCache() };
  const near: ZrtpOptions = { ...plain, zid, cache: new MemoryZrtpCache() };
  using first = await secure(stage, near, far);
  see(equal(outcomeOf(first.far).peerZid, zid), "the ZID that was given, at the other end");
  using again = await secure(stage, near, far);
  see(outcomeOf(again.far).continuity === "matched", "the same peer is known again");
  using stranger = await secure(stage, { ...near, zid: other }, far);
  see(outcomeOf(stranger.far).continuity === "none", "another ZID is a stranger");
  return evidence(
    `ZID ${toHex(zid)} came to the other end, and was known again in the next call; ${toHex(other)} was a stranger`,
  );
}

async function algorithms(stage: Stage, signal: AbortSignal): Promise<string> {
  const offered: Partial<Algorithms> = {
    keyAgreements: ["X255", "X448"],
    ciphers: ["AES1", "AES3"],
    authTags: ["HS32", "HS80"],
  };
  const settled: string[] = [];
  for (const wanted of [
    { keyAgreements: ["X448"], ciphers: ["AES3"], authTags: ["HS80"] },
    { keyAgreements: ["X255"], ciphers: ["AES1"], authTags: ["HS32"] },
  ] as const satisfies readonly Partial<Algorithms>[]) {
    using made = await secure(stage, { algorithms: offered }, { algorithms: wanted });
    const { keyAgreement, cipher, authTag, profile: name } = outcomeOf(made.near);
    see(
      keyAgreement === wanted.keyAgreements[0] && cipher === wanted.ciphers[0] && authTag === wanted.authTags[0],
      "what the other end has",
    );
    await crosses(made.near, made.far, rtp(1), signal);
    const size = rtp(1).length + profiles[name].rtpTagSize;
    see(
      made.near.sent.some((packet) => packet[0] === 0x80 && packet.length === size),
      `a packet that is longer by ${authTag}'s tag`,
    );
    settled.push(`${keyAgreement} ${cipher} ${authTag}`);
  }
  using made = await call(
    stage,
    { algorithms: { keyAgreements: ["X448"] } },
    { algorithms: { keyAgreements: ["X255"] } },
  );
  const refused = await made.near.session.confirmed.then(
    () => undefined,
    (failure: { reason: string }) => failure.reason,
  );
  see(refused === "unsupported-key-agreement", "nothing in common is refused");
  return evidence(
    `lists came to ${settled.join(" and ")}, with their tags on the wire; with nothing in common there was no call`,
  );
}

/** Retained secrets go into the next call's keys, are new after it, and are missed when they are gone. */
async function cache(stage: Stage): Promise<string> {
  const [zids, stores] = [
    [newZid(stage.host), newZid(stage.host)],
    [new MemoryZrtpCache(), new MemoryZrtpCache()],
  ] as const;
  const options = (i: 0 | 1): ZrtpOptions => ({ ...plain, zid: zids[i], cache: stores[i] });
  const kept = (): string => toHex(stores[0].get(toHex(zids[1]))!.rs1!.expose());
  using first = await secure(stage, options(0), options(1));
  see(outcomeOf(first.near).continuity === "none", "nothing is retained before the first call");
  const before = kept();
  using second = await secure(stage, options(0), options(1));
  see(
    outcomeOf(second.near).continuity === "matched" && outcomeOf(second.far).continuity === "matched",
    "a matched secret",
  );
  see(kept() !== before, "a new secret after the call");
  stores[1].delete(toHex(zids[0]));
  using third = await secure(stage, options(0), options(1));
  see(outcomeOf(third.near).continuity === "mismatch" && third.near.warnings.includes("cache-mismatch"), "a warning");
  using cacheless = await secure(stage, plain, options(1));
  see(stores[1].get(toHex(outcomeOf(cacheless.far).peerZid)) === undefined, "nothing retained of a cacheless peer");
  return evidence(
    "a secret of the first call went into the second and was new after it; where one end had lost it the other was warned",
  );
}

async function importedSecrets(stage: Stage): Promise<string> {
  const secret = (byte: number): Secret => new Secret(new Uint8Array(32).fill(byte));
  using both = await secure(stage, { ...plain, auxiliary: secret(1) }, { ...plain, auxiliary: secret(1) });
  see(
    outcomeOf(both.near).auxiliary === "matched" && outcomeOf(both.far).auxiliary === "matched",
    "one secret on both sides",
  );
  using differ = await secure(stage, { ...plain, auxiliary: secret(1) }, { ...plain, auxiliary: secret(2) });
  see(
    outcomeOf(differ.near).auxiliary === "mismatch" && differ.near.warnings.includes("auxiliary-mismatch"),
    "a warning",
  );
  // A secret alone, without an agreement: the Preshared mode of §4.4.2.
  const zids = [newZid(stage.host), newZid(stage.host)] as const;
  const end = (i: 0 | 1): ZrtpOptions => {
    const store = new MemoryZrtpCache();
    store.set(toHex(zids[1 - i]!), {
      rs1: secret(3),
      rs2: undefined,
      pbx: undefined,
      verified: true,
      expiresAt: undefined,
    });
    return { algorithms: { keyAgreements: ["X255", "Prsh"] }, zid: zids[i], cache: store };
  };
  using preshared = await secure(stage, end(0), end(1));
  see(outcomeOf(preshared.near).keyAgreement === "Prsh", "Preshared mode");
  const types = [...typesOf(preshared.near), ...typesOf(preshared.far)];
  see(!types.some((type) => type.startsWith("DHPart")), "no Diffie-Hellman on the wire");
  return evidence(
    "an auxiliary secret on both sides went into the keys, one that differed was told; a retained one alone made keys in Preshared mode",
  );
}

/** The words are the same at both ends, and are not where somebody is in between; a Hello's hash keeps him out. */
async function words(stage: Stage, signal: AbortSignal): Promise<string> {
  using made = await secure(stage, plain, plain);
  const [near, far] = [outcomeOf(made.near).words!, outcomeOf(made.far).words!];
  see(near.text === far.text && equal(near.hash, far.hash), "the same words");
  const known = (): boolean => made.near.session.peer?.kind === "zid";
  see(!known(), "nobody is known before they were compared");
  made.near.session.compared(true);
  see(known(), "a peer once they were");
  // In between: two calls that give their media to each other.
  using left = await secure(stage, plain, plain);
  using right = await secure(stage, plain, plain);
  see(
    !equal(outcomeOf(left.near).words!.hash, outcomeOf(right.far).words!.hash),
    "other words with a man in the middle",
  );
  const waiting = await open(stage, {
    ...plain,
    signalled: parseHelloHash(formatHelloHash(made.near.session.helloHash)),
  });
  const intruder = await open(stage, plain, waiting.session.local);
  try {
    await until(() => waiting.session.drops["not-signalled"] > 0, signal);
    see(waiting.session.outcome === undefined, "a Hello that signalling did not promise is not taken");
  } finally {
    waiting.session.abort();
    intruder.session.abort();
  }
  return evidence(
    `both ends read ${near.text}; with somebody in between they did not read the same; a Hello of another hash than signalling gave was dropped`,
  );
}

async function termination(stage: Stage, signal: AbortSignal): Promise<string> {
  using made = await secure(stage, plain, plain);
  await crosses(made.near, made.far, rtp(1), signal);
  made.near.session.close();
  made.near.session.send(rtp(2));
  see(made.near.session.association?.session === undefined, "the key of the call is gone");
  see(made.far.media.length === 1, "nothing goes out any more");
  // A call that was not made yet: the peer is told.
  const waiting = await open(stage, { ...plain, passive: true });
  const calling = await open(stage, { ...plain, passive: true }, waiting.session.local);
  try {
    const told = await waiting.session.confirmed.then(
      () => undefined,
      (failure: { reason: string }) => failure.reason,
    );
    see(told === "both-passive", "an Error");
  } finally {
    calling.session.abort();
    waiting.session.abort();
  }
  return evidence(
    "close destroyed the keys, and nothing was sent behind it; what could not be made was ended by an Error with its reason",
  );
}

async function exportedKeys(stage: Stage): Promise<string> {
  using made = await secure(stage, plain, plain);
  const of = ({ session }: End, label: string): string => toHex(session.exportKey(label, 32));
  see(of(made.near, "chat") === of(made.far, "chat"), "the same key on both sides");
  see(of(made.near, "chat") !== of(made.near, "files"), "another for another label");
  return evidence("32 bytes for one label were the same on both sides, and others for another");
}

async function keyExpiration(stage: Stage, signal: AbortSignal): Promise<string> {
  const keyLifetime = 100;
  using made = await secure(stage, { ...plain, keyLifetime }, plain);
  let toldAfter = 0;
  let sent = 0;
  using _ = made.near.session.onKeyExpiring(() => {
    toldAfter = sent;
  });
  while (sent < keyLifetime + 5) {
    sent++;
    made.near.session.send(rtp(sent));
  }
  await until(() => made.far.media.length >= keyLifetime, signal);
  see(made.far.media.length === keyLifetime, "as many packets as the key may protect");
  see(toldAfter > 0 && toldAfter < keyLifetime, "the end is told before it comes");
  see(made.near.session.srtp!.sendDrops["expired-keys"] === 5, "nothing is protected beyond it");
  return evidence(
    `a key for ${keyLifetime} packets: its end was told after ${toldAfter}, ${keyLifetime} came, and 5 more were not sent`,
  );
}

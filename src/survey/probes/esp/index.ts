import { equal, parseAddress } from "../../../bytes/index.js";
import { Failure, type InterfaceName } from "../../../contract/index.js";
import { Encryption, type EspAlgorithms, Integrity, profile } from "../../../protocols/esp/index.js";
import { askBlank, evidence, type ProtocolProbes, see } from "../../probe.js";
import type { WitnessCipher } from "../../stage/witness.js";
import { aes256Gcm, type End, type EspStage, inside, meet, newMaterial, spiOf, until, witnessed } from "./stage.js";

type Proof = (stage: EspStage, signal: AbortSignal) => Promise<string>;

/** How a tunnel would offer what ESP's row leaves blank. */
const methods: Partial<Record<InterfaceName, readonly string[]>> = {
  EXT: ["extensions"],
  CM: ["sessions"],
  IV: ["peer"],
  PSKE: ["exportKey"],
};

export function espProbes(stage: EspStage): ProtocolProbes {
  const on =
    (proof: Proof) =>
    async ({ signal }: { readonly signal: AbortSignal }) =>
      evidence(await proof(stage, signal));
  return {
    profile,
    cells: {
      PSKI: on(importedKeys),
      KE: on(keyExpiry),
      ALG: on(algorithms),
      KU: on(keyUpdate),
      CT: on(termination),
      ME: on(mobility),
    },
    async ask(cell) {
      await using meeting = await meet(stage, { keys: newMaterial(stage) });
      return askBlank(profile, cell, meeting.near.tunnel, methods);
    },
    shows: [
      {
        title: "Sealport ↔ Sealport, by hand",
        async run() {
          const started = performance.now();
          await using meeting = await meet(stage, { keys: newMaterial(stage) });
          const count = 100;
          for (let i = 0; i < count; i++) see((await meeting.near.echo()) !== undefined, "an answer");
          return {
            version: "ESP",
            keyExchange: "none",
            cipher: "AES-256-GCM",
            roundTrips: 0,
            bytes: meeting.near.tunnel.pairs()[0]!.bytesReceived,
            authenticated: "both by imported keys",
            ms: performance.now() - started,
          };
        },
      },
    ],
  };
}

/** Long enough for what passes on a loopback; what shows that nothing does is a counter. */
const briefly = 100;

async function answers(end: End, count: number): Promise<void> {
  for (let i = 0; i < count; i++) see((await end.echo()) !== undefined, "an answer by the same keys");
}

const received = ({ tunnel }: End): number => tunnel.pairs().reduce((sum, each) => sum + each.packetsReceived, 0);

async function importedKeys(stage: EspStage, signal: AbortSignal): Promise<string> {
  const keys = newMaterial(stage);
  await using right = await meet(stage, { keys });
  await answers(right.near, 3);
  const inner = witnessed("aes-256-gcm", keys.near, right.wire.toServer[0]!);
  see(inner && equal(inner.subarray(16, 20), parseAddress(inside.far)!), "our packet under those keys on the wire");
  await using wrong = await meet(stage, { keys: newMaterial(stage) }, { keys });
  const asked = wrong.near.echo(briefly);
  await until(() => wrong.far.drops("bad-tag") > 0 || received(wrong.far) > 0, signal);
  see(received(wrong.far) === 0 && (await asked) === undefined, "that nothing passes by other keys");
  return "by the keys that both were given packets passed, and a witness opened them from the wire; by others none was let in";
}

async function keyExpiry(stage: EspStage, signal: AbortSignal): Promise<string> {
  const keys = newMaterial(stage);
  const [soft, hard] = [4, 8];
  await using worn = await meet(
    stage,
    { keys, lifetime: { soft: { packets: soft }, hard: { packets: hard } } },
    { keys },
  );
  const { near, far } = worn;
  const limits = ({ told }: End): string[] => told.flatMap((e) => ("limit" in e ? [`${e.kind} by ${e.limit}`] : []));
  await answers(near, soft - 1);
  see(limits(near).length === 0, "no notice before its time");
  await answers(near, 1);
  see(limits(near).join() === "expiring by packets", "notice of the soft limit");
  await answers(near, hard - soft - 1);
  const last = near.echo(briefly);
  await until(() => limits(near).length > 1 || near.tunnel.pairs()[0]?.packetsSent === hard, signal);
  await last;
  see(limits(near)[1] === "expired by packets" && near.tunnel.pairs().length === 0, "the end at the hard limit");
  await until(() => received(far) === hard, signal);
  const passed = worn.wire.toServer.length;
  see((await near.echo(briefly)) === undefined && worn.wire.toServer.length === passed, "that nothing goes out");
  const before = near.drops("unknown-spi");
  const back = far.echo(briefly);
  await until(() => near.drops("unknown-spi") > before, signal);
  see((await back) === undefined, "that nothing is let in");
  await using aged = await meet(stage, { keys, lifetime: { soft: { seconds: 0.02 }, hard: { seconds: 0.06 } } });
  await until(() => limits(aged.near).length === 2 && limits(aged.far).length === 2, signal);
  see(limits(aged.near).join() === "expiring by seconds,expired by seconds", "both limits of time, in order");
  see((await aged.near.echo(briefly)) === undefined, "that nothing passes by keys that are too old");
  return `after ${soft} packets it was told that new keys are due, and after ${hard} nothing went or came any more; by seconds likewise`;
}

const suites: readonly (EspAlgorithms & { readonly witness?: WitnessCipher })[] = [
  { ...aes256Gcm, witness: "aes-256-gcm" },
  { ...aes256Gcm, encryption: Encryption.chaCha20Poly1305, keyBits: undefined, witness: "chacha20-poly1305" },
  { ...aes256Gcm, encryption: Encryption.aesCbc, integrity: Integrity.hmacSha512 },
  { ...aes256Gcm, encryption: Encryption.null, keyBits: undefined, integrity: Integrity.hmacSha256, isExtended: true },
];

async function algorithms(stage: EspStage, signal: AbortSignal): Promise<string> {
  const keys = newMaterial(stage);
  for (const { witness, ...named } of suites) {
    await using meeting = await meet(stage, { keys, algorithms: named });
    await answers(meeting.near, 1);
    const packet = meeting.wire.toServer[0]!;
    const isPlain = equal(packet.subarray(8 + 16, 8 + 20), parseAddress(inside.far)!);
    see(isPlain === (named.encryption === Encryption.null), "that it is hidden by all but NULL");
    see(witness === undefined || witnessed(witness, keys.near, packet), `${witness} on the wire`);
  }
  // Their keys are of one size: only the name makes the difference.
  const [aes, chacha] = suites;
  await using meeting = await meet(stage, { keys, algorithms: aes! }, { keys, algorithms: chacha! });
  const asked = meeting.near.echo(briefly);
  await until(() => meeting.far.drops("bad-tag") > 0 || received(meeting.far) > 0, signal);
  see((await asked) === undefined && received(meeting.far) === 0, "that nothing passes between two algorithms");
  const unknown = await meet(stage, { keys, algorithms: { ...aes256Gcm, encryption: 1 } }).then(
    async (met) => met[Symbol.asyncDispose](),
    (error: unknown) => error,
  );
  see(unknown instanceof Failure && unknown.reason === "unavailable-algorithm", "a refusal of what there is not");
  return "AES-GCM, ChaCha20-Poly1305, AES-CBC with HMAC and NULL with HMAC were each what the wire showed; by the same keys under two names nothing passed";
}

async function keyUpdate(stage: EspStage): Promise<string> {
  const [old, fresh] = [newMaterial(stage), newMaterial(stage)];
  await using meeting = await meet(stage, { keys: old });
  const { near, far, wire } = meeting;
  await answers(near, 2);
  const under = Array.from({ length: 20 }, () => near.echo());
  far.install({ keys: fresh, generation: 1, begins: "when-received" });
  // The far end does not know yet whether we have them: it answers by the old ones.
  await answers(near, 1);
  see(far.tunnel.pairs().find(({ sends }) => sends)?.spiIn === spiOf("far"), "the old pair in use until then");
  near.install({ keys: fresh, generation: 1 });
  await answers(near, 2);
  see(
    (await Promise.all(under)).every((each) => each !== undefined),
    "an answer to all that was under way",
  );
  see(
    far.told.some((event) => event.kind === "began" && event.spiIn === spiOf("far", 1)),
    "the other end begin with the new ones",
  );
  for (const [side, packets] of [["near", wire.toServer] as const, ["far", wire.toClient] as const]) {
    const last = packets.at(-1)!;
    see(last.readUInt32BE(0) === spiOf(side === "near" ? "far" : "near", 1), "the new SPI on the wire");
    see(witnessed("aes-256-gcm", fresh[side], last) && !witnessed("aes-256-gcm", old[side], last), "the new keys");
  }
  near.tunnel.handle({ kind: "remove", spiIn: spiOf("near") });
  far.tunnel.handle({ kind: "remove", spiIn: spiOf("far") });
  await answers(near, 2);
  const lost = [near, far].map((end) => end.drops("unknown-spi") + end.drops("bad-tag"));
  see(
    lost.every((count) => count === 0),
    "nothing dropped on the way",
  );
  return "with packets under way a second pair took over, its keys seen on the wire in both directions, and none was lost";
}

async function termination(stage: EspStage, signal: AbortSignal): Promise<string> {
  await using meeting = await meet(stage, { keys: newMaterial(stage) });
  const { near, far, wire } = meeting;
  await answers(near, 2);
  near.tunnel.handle({ kind: "remove", spiIn: spiOf("near") });
  see(near.tunnel.pairs().length === 0 && !near.tunnel.status().isUp, "the pair gone at once");
  const passed = wire.toServer.length;
  see((await near.echo(briefly)) === undefined && wire.toServer.length === passed, "that nothing goes out");
  const back = far.echo(briefly);
  await until(() => near.drops("unknown-spi") > 0, signal);
  see((await back) === undefined, "that nothing is let in");
  return "once removed, the pair neither sent nor took anything; what the peer still sent by it was unknown";
}

async function mobility(stage: EspStage, signal: AbortSignal): Promise<string> {
  const keys = newMaterial(stage);
  for (const follows of [true, false]) {
    await using meeting = await meet(stage, { keys }, { keys, follows });
    const { near, far, wire } = meeting;
    await answers(near, 1);
    await wire.rebind();
    const asked = near.echo(briefly);
    await until(() => far.told.some(({ kind }) => kind === "moved"), signal);
    const moved = far.told.find((event) => event.kind === "moved")!;
    see(moved.to.port === wire.outerPort, "where the packets come from now");
    if (!follows) {
      see((await asked) === undefined, "that it goes nowhere unasked");
      far.tunnel.handle({ kind: "move", spiIn: spiOf("far"), peer: moved.to });
    }
    see(far.tunnel.pairs()[0]!.peer.port === wire.outerPort, "the peer where it is now");
    await answers(near, 1);
    see(near.tunnel.pairs()[0]!.spiIn === spiOf("near"), "the same pair");
  }
  return "a NAT took another port, the other end was told, and answered there: of itself if it follows, else when told to";
}

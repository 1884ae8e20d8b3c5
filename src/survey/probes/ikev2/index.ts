import { concat, equal, toHex, utf8 } from "../../../bytes/index.js";
import { type CryptoProvider, Failure, type Host, type InterfaceName } from "../../../contract/index.js";
import type { AssociationPair } from "../../../protocols/esp/index.js";
import {
  type EapAnswer,
  type EapTurn,
  type IkeNotice,
  idText,
  ikeId,
  ikeProposal,
  profile,
} from "../../../protocols/ikev2/index.js";
import { askBlank, evidence, type ProtocolProbes, see } from "../../probe.js";
import { newAuthority } from "../../stage/authority.js";
import { bound } from "../../udp.js";
import { type IkeEnd, IkeStage, type Met, names, type Plan, until } from "./stage.js";

type Proof = (stage: IkeStage, signal: AbortSignal) => Promise<string>;

/** How a session would offer what IKEv2's row leaves blank. */
const methods: Partial<Record<InterfaceName, readonly string[]>> = {
  EXT: ["extensions"],
  CM: ["sessions"],
  KE: ["onKeyExpiring"],
};

export async function ikev2Probes(host: Host): Promise<ProtocolProbes> {
  const stage = new IkeStage(host);
  const on =
    (proof: Proof) =>
    async ({ signal }: { readonly signal: AbortSignal }) =>
      evidence(await proof(stage, signal));
  return {
    profile,
    cells: {
      IPK: on(identities),
      ALG: on(algorithms),
      AD: on(delegation),
      PSKI: on(preSharedKeys),
      IV: on(identityValidation),
      SAV: on(sourceAddressValidation),
      CT: on(termination),
      KU: on(keyUpdate),
      PSKE: on(keyExport),
      ME: on(mobility),
    },
    async ask(cell, { signal }) {
      using met = await stage.meet({}, {}, signal);
      return askBlank(profile, cell, met.session, methods);
    },
    shows: [],
  };
}

const told = <K extends IkeNotice["kind"]>({ told }: IkeEnd, kind: K): Extract<IkeNotice, { readonly kind: K }>[] =>
  told.filter((event): event is Extract<IkeNotice, { readonly kind: K }> => event.kind === kind);

/** Do both ends have the same keys, each for the other's direction? */
const agree = (a: AssociationPair | undefined, b: AssociationPair | undefined): boolean =>
  a !== undefined &&
  b !== undefined &&
  a.spiOut === b.spiIn &&
  a.spiIn === b.spiOut &&
  a.keysOut.encryption.equals(b.keysIn.encryption) &&
  a.keysIn.encryption.equals(b.keysOut.encryption);

/** How meeting came to nothing. */
async function refusal(stage: IkeStage, near: Plan, far: Plan, signal: AbortSignal): Promise<string> {
  try {
    using _ = await stage.meet(near, far, signal);
    return "established";
  } catch (error) {
    return error instanceof Failure ? error.reason : String(error);
  }
}

async function identities(stage: IkeStage, signal: AbortSignal): Promise<string> {
  const plans = { near: await stage.certified("near"), far: await stage.certified("far") };
  using met = await stage.meet(plans.near, plans.far, signal);
  const seen = told(met.far, "established")[0]?.peer;
  const own = (await stage.authority.identity(names.near)).publicKey.spki;
  see(seen?.kind === "certificate" && equal(seen.publicKey.spki, own), "our key at the other end");
  see(agree(met.near.pairs[0], met.far.pairs[0]), "a child with the same keys");
  return "both proved by signatures (RFC 7427) who their certificates say they are, and keyed a child";
}

async function algorithms(stage: IkeStage, signal: AbortSignal): Promise<string> {
  const only = (...texts: readonly string[]): Plan => ({ connection: { proposals: texts.map(ikeProposal) } });
  const [aes, chacha] = ["aes256gcm16-prfsha384-ecp384", "chacha20poly1305-prfsha512-x25519"] as const;
  using met = await stage.meet(only(aes, chacha), only(chacha), signal);
  const { algorithms: seen } = told(met.far, "established")[0]!;
  see(seen.encryption === 28 && seen.prf === 7 && seen.group === 31, "the one proposal that both have");
  const reason = await refusal(stage, only(aes), only(chacha), signal);
  see(reason === "no-proposal-chosen", `a refusal, and not ${reason}`);
  return "of two proposals the common one was chosen, ChaCha20-Poly1305 with X25519; with none in common it was refused";
}

/** EAP-MD5 (RFC 3748 §5.4), the simplest module that an application might have. */
function md5Module(crypto: CryptoProvider, password: string) {
  const challenge = Uint8Array.from({ length: 16 }, (_, i) => i);
  const hash = (id: number): Uint8Array => crypto.hash("MD5").digest(Uint8Array.of(id), utf8(password), challenge);
  const packet = (code: number, id: number, value: Uint8Array): Uint8Array =>
    concat(Uint8Array.of(code, id, 0, 6 + value.length, 4, value.length), value);
  return ({ role, packet: came }: EapTurn): EapAnswer => {
    if (role === "peer") return came![0] === 1 ? { packet: packet(2, came![1]!, hash(came![1]!)) } : {};
    if (came === undefined) return { packet: packet(1, 1, challenge) };
    const isRight = equal(came.subarray(6), hash(1));
    return { packet: Uint8Array.of(isRight ? 3 : 4, 1, 0, 4), outcome: isRight ? "success" : "failure" };
  };
}

async function delegation(stage: IkeStage, signal: AbortSignal): Promise<string> {
  const far = await stage.certified("far");
  const near = await stage.certified("near");
  const { crypto } = stage.host;
  const plans = (password: string): [Plan, Plan] => [
    {
      connection: { ...near.connection, local: { kind: "eap" } },
      knowledge: { ...near.knowledge, eap: md5Module(crypto, password) },
    },
    {
      connection: { ...far.connection, remoteAuthentication: { kind: "eap" } },
      knowledge: { ...far.knowledge, eap: md5Module(crypto, "right") },
    },
  ];
  using met = await stage.meet(...plans("right"), signal);
  see(idText(told(met.far, "established")[0]!.remoteId) === names.near, "who the module vouched for");
  const reason = await refusal(stage, ...plans("wrong"), signal);
  see(reason === "eap-failed", `a refusal, and not ${reason}`);
  return "modules of the application's spoke EAP with each other through IKE_AUTH: what they agreed to was established, what not was refused";
}

async function preSharedKeys(stage: IkeStage, signal: AbortSignal): Promise<string> {
  using met = await stage.meet({}, {}, signal);
  see(told(met.far, "established")[0]?.peer.kind === "pre-shared-key", "a proof by the pre-shared key");
  const other = stage.otherPsk();
  const wrong: Plan = { connection: { local: other, remoteAuthentication: other } };
  const reason = await refusal(stage, wrong, {}, signal);
  see(reason === "authentication-refused", `a refusal, and not ${reason}`);
  return "one pre-shared key on both sides established, another was refused";
}

async function identityValidation(stage: IkeStage, signal: AbortSignal): Promise<string> {
  const [near, far] = [await stage.certified("near"), await stage.certified("far")];
  const stranger = await stage.certified("far", newAuthority(stage.host));
  const wrongAuthority = await refusal(stage, near, stranger, signal);
  see(wrongAuthority === "untrusted-certificate", `no trust in another authority, and not ${wrongAuthority}`);
  const pretending = { ...far, connection: { ...far.connection, localId: ikeId("other.survey.test") } };
  const expecting = { ...near, connection: { ...near.connection, remoteId: ikeId("other.survey.test") } };
  const wrongName = await refusal(stage, expecting, pretending, signal);
  see(wrongName === "wrong-identity", `no trust in another name, and not ${wrongName}`);
  using _ = await stage.meet(near, far, signal);
  return "another authority was refused, and a trusted certificate of another name; the right one was let in";
}

async function sourceAddressValidation(stage: IkeStage, signal: AbortSignal): Promise<string> {
  using far = await stage.far({ options: { cookies: "always" } });
  const { port } = far.endpoint.ports[0]!.local;
  // A real first message, taken from an end of ours that speaks to a socket.
  const [here, elsewhere] = await Promise.all([bound(), bound()]);
  try {
    const asked = new Promise<Uint8Array>((heard) => here.once("message", heard));
    using near = await stage.end("near", {}, { address: "127.0.0.1", port: here.address().port });
    const connecting = near.endpoint.connect("net").catch(() => undefined);
    const first = new Uint8Array(await asked);
    elsewhere.send(first, port, "127.0.0.1");
    const answer = await new Promise<Uint8Array>((heard) => elsewhere.once("message", heard));
    see(answer.length < first.length, "an answer that is shorter than the question");
    see(answer[4 + 16] === 41 && answer[4 + 34] === 0x40 && answer[4 + 35] === 0x06, "a COOKIE and nothing else");
    see(far.endpoint.status().length === 0, "nothing kept");
    // Its cookie, from another address.
    const before = far.endpoint.drops["cookie-wanted"];
    here.send(withCookie(first, answer.slice(4 + 28)), port, "127.0.0.1");
    await until(() => far.endpoint.drops["cookie-wanted"] > before, signal);
    see(far.endpoint.status().length === 0, "nothing kept still");
    elsewhere.send(withCookie(first, answer.slice(4 + 28)), port, "127.0.0.1");
    await until(() => far.endpoint.status().length === 1, signal);
    near.endpoint.close();
    await connecting;
  } finally {
    here.close();
    elsewhere.close();
  }
  return "a stranger got a cookie and left nothing; the cookie was good from its own address alone";
}

/** The first message once more, with the cookie's payload in front (RFC 7296 §2.6). */
function withCookie(first: Uint8Array, cookie: Uint8Array): Uint8Array {
  const message = concat(first.subarray(0, 4 + 28), cookie, first.subarray(4 + 28));
  message[4 + 28] = first[4 + 16]!;
  message[4 + 16] = 41;
  new DataView(message.buffer).setUint32(4 + 24, message.length - 4);
  return message;
}

async function termination(stage: IkeStage, signal: AbortSignal): Promise<string> {
  using met = await stage.meet({}, {}, signal);
  met.session.disconnect();
  await until(() => told(met.far, "closed").length > 0 && told(met.near, "closed").length > 0, signal);
  see(told(met.far, "closed")[0]!.failure.byPeer, "that the peer did it");
  see(told(met.far, "child-deleted").length === 1, "its child gone");
  return "a DELETE was told and acknowledged, and both ends forgot the IKE SA and its child";
}

async function keyUpdate(stage: IkeStage, signal: AbortSignal): Promise<string> {
  using met = await stage.meet({}, {}, signal);
  const [spi] = met.near.endpoint.status().map(({ spiInitiator }) => toHex(spiInitiator));
  met.session.rekey();
  await until(() => told(met.near, "rekeyed").length > 0 && told(met.far, "rekeyed").length > 0, signal);
  see(
    !met.near.endpoint.status().some((each) => each.state === "established" && toHex(each.spiInitiator) === spi),
    "another IKE SA",
  );
  met.session.rekeyChild(met.near.pairs[0]!.spiIn);
  await until(() => met.near.pairs.length > 1 && told(met.far, "child-deleted").length > 0, signal);
  const [before, after] = met.near.pairs;
  see(after!.replaces === before!.spiIn && !after!.keysIn.encryption.equals(before!.keysIn.encryption), "other keys");
  see(agree(after, met.far.pairs[1]), "the same at both ends");
  return "asked for, the IKE SA and its child had new keys, the same at both ends, and the old ones were deleted";
}

async function keyExport(stage: IkeStage, signal: AbortSignal): Promise<string> {
  using met: Met = await stage.meet({}, {}, signal);
  const [near, far] = [met.near.pairs[0], met.far.pairs[0]];
  see(agree(near, far), "the same keys at both ends");
  see(!near!.keysIn.encryption.equals(near!.keysOut.encryption), "another key for each direction");
  return "the keys of a child came out at both ends, the same in each direction (RFC 7296 §2.17)";
}

async function mobility(stage: IkeStage, signal: AbortSignal): Promise<string> {
  using met = await stage.meet({}, {}, signal);
  const port = await met.near.endpoint.bind({ address: "127.0.0.1", port: 0 });
  met.session.move({ local: port.local });
  await until(() => told(met.far, "moved").length > 0, signal);
  const moved = told(met.far, "moved")[0]!;
  see(
    moved.to.port === port.local.port && moved.spisIn.includes(met.far.pairs[0]!.spiIn),
    "where it went, and its child",
  );
  met.far.endpoint.sessions[0]!.rekeyChild(met.far.pairs[0]!.spiIn);
  await until(() => met.near.pairs.length > 1, signal);
  return "from another port the peer was told (RFC 4555), moved the child along, and renewed it there";
}

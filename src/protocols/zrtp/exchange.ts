import { concat, equal, utf8 } from "../../bytes/index.js";
import {
  type AgreementKeys,
  type CryptoProvider,
  type Entropy,
  equalInConstantTime,
  type Failure,
  type Hash,
  type Secret,
} from "../../contract/index.js";
import type { MasterKey } from "../srtp/index.js";
import {
  type Algorithms,
  type Choice,
  choose,
  cipherTypes,
  hashTypes,
  type KeyAgreementRow,
  type KeyAgreementType,
  type Kind,
  keyAgreementTypes,
  refusal,
  supportedBy,
} from "./algorithms.js";
import type { Association } from "./association.js";
import { type DropReason, failure, type ZrtpReason } from "./failure.js";
import { type HashChain, image, implicitHash, isSealed, seal } from "./hash-chain.js";
import {
  deriveKeys,
  type KeyContext,
  other,
  presharedKey,
  type Role,
  type SideKeys,
  type StreamKeys,
  secretOf,
  secretOfDh,
  signalledSecret,
} from "./keys.js";
import { type CommitMessage, decodeCommit, encodeCommit, hviSize, keyIdSize, nonceSize } from "./messages/commit.js";
import { type Confirmation, type ConfirmFlags, decodeSealed, encodeConfirm, openConfirm } from "./messages/confirm.js";
import { type DhPartMessage, decodeDhPart, encodeDhPart } from "./messages/dh-part.js";
import { macSize } from "./messages/frame.js";
import type { HelloMessage } from "./messages/hello.js";
import { idsOf, type KnownSecrets, match, nothingShared, type SharedSecrets } from "./secrets.js";

/** Our side of an exchange, which is fixed before the peer is known. */
export interface OurSide {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  readonly zid: Uint8Array;
  readonly chain: HashChain;
  /** Our Hello message. */
  readonly hello: Uint8Array;
  readonly algorithms: Algorithms;
  readonly passive: boolean;
  /** PSKI: an SRTP key of signalling, which becomes the auxiliary secret (RFC 6189 §8.2). */
  readonly signalledKey: MasterKey | undefined;
  /** Of a stream that is not the call's first. */
  readonly association: Association | undefined;
}

/** What the peer said of itself. */
export interface PeerHello {
  readonly message: Uint8Array;
  readonly hello: HelloMessage;
}

/** What became of a message: the one to answer with, why it was dropped, or why all is over. */
export type Step = Uint8Array | DropReason | Failure<ZrtpReason>;

/**
 * One key agreement, without its packets and timers: each method takes a message that was expected and answers what comes of it. What
 * does not prove itself by the hash chain (RFC 6189 §9) changes nothing.
 */
export class Exchange {
  role: Role | undefined;
  choice: Choice | undefined;
  shared: SharedSecrets = nothingShared;
  keys: StreamKeys | undefined;
  hash: Hash | undefined;
  /** The peer's, once its MAC was right. */
  confirmation: Confirmation | undefined;
  readonly peer: PeerHello;
  readonly #ours: OurSide;
  #known: KnownSecrets;
  /** A prior session's words were compared: only then may a secret stand for a key agreement (§4.4.2.1). */
  readonly #isVerified: boolean;
  readonly #implicit: Hash;
  #dh: (AgreementKeys & { readonly type: KeyAgreementType }) | undefined;
  #commit: Uint8Array | undefined;
  #commitment: CommitMessage | undefined;
  #dhPart: Readonly<Record<Role, Uint8Array | undefined>> = { initiator: undefined, responder: undefined };
  #theirPart: { readonly message: Uint8Array; readonly h1: Uint8Array } | undefined;
  #preshared: Secret | undefined;

  constructor(ours: OurSide, peer: PeerHello, known: KnownSecrets, isVerified: boolean) {
    this.#ours = ours;
    this.peer = peer;
    this.#known = known;
    this.#isVerified = isVerified;
    this.#implicit = implicitHash(ours.crypto);
  }

  get row(): KeyAgreementRow | undefined {
    return this.choice && keyAgreementTypes[this.choice.keyAgreement];
  }

  get zids(): KeyContext["zids"] {
    const { zid } = this.#ours;
    const theirs = this.peer.hello.zid;
    return this.role === "initiator" ? { initiator: zid, responder: theirs } : { initiator: theirs, responder: zid };
  }

  side(role: Role): SideKeys {
    return this.keys!.sides[role];
  }

  /** As initiator: the Commit (§4.4.1.1, §4.4.2.2, §4.4.3.1). `isDh` leaves Preshared mode out. */
  begin(isDh = false): Uint8Array | Failure<ZrtpReason> {
    const { association } = this.#ours;
    if (association !== undefined) return this.#beginMultistream(association);
    const theirs = supportedBy(this.peer.hello);
    const chosen = choose(this.#ours.algorithms, theirs);
    if (typeof chosen === "string") return nothingInCommon(chosen);
    const mayPreshare =
      this.#ours.algorithms.keyAgreements.includes("Prsh") && theirs.listed.keyAgreements.includes("Prsh");
    if (!isDh && mayPreshare && this.#known.rs1 !== undefined && this.#isVerified) {
      return this.#beginPreshared({ ...chosen, keyAgreement: "Prsh" });
    }
    this.#take("initiator", chosen);
    const { chain, zid, entropy } = this.#ours;
    const ids = idsOf(this.hash!, this.#known, "initiator", chain.h3, entropy);
    const part = this.#sealed(chain.h0, encodeDhPart("DHPart2", chain.h1, ids, this.#publicValue()));
    this.#dhPart = { initiator: part, responder: undefined };
    const hvi = this.hash!.digest(part, this.peer.message).subarray(0, hviSize);
    return this.#committed(encodeCommit(chain.h2, zid, chosen, hvi));
  }

  #beginPreshared(choice: Choice): Uint8Array {
    this.#take("initiator", choice);
    const { chain, zid, entropy } = this.#ours;
    const { rs1, auxiliary, pbx } = this.#known;
    this.#preshared = presharedKey(this.hash!, rs1, auxiliary, pbx);
    const nonce = entropy.fill(new Uint8Array(nonceSize));
    return this.#committed(encodeCommit(chain.h2, zid, choice, nonce, keyId(this.hash!, this.#preshared)));
  }

  #beginMultistream(association: Association): Uint8Array | Failure<ZrtpReason> {
    const choice: Choice = { ...association.choice, keyAgreement: "Mult" };
    this.#take("initiator", choice);
    const { chain, zid, entropy } = this.#ours;
    const nonce = entropy.fill(new Uint8Array(nonceSize));
    const refused = association.spend(nonce);
    return refused ?? this.#committed(encodeCommit(chain.h2, zid, choice, nonce));
  }

  #committed(message: Uint8Array): Uint8Array {
    this.#commit = this.#sealed(this.#ours.chain.h1, message);
    this.#commitment = decodeCommit(this.#commit);
    return this.#commit;
  }

  /** Does the hash chain say that this Commit is the peer's? */
  isOfPeer(message: Uint8Array): boolean {
    const commit = decodeCommit(message);
    return commit !== undefined && equal(image(this.#implicit, commit.h2), this.peer.hello.h3);
  }

  /**
   * Whether the peer's Commit makes it the initiator although we have sent one (§4.2). Both sides come to the same answer.
   */
  yieldsTo(message: Uint8Array, ourMitm: boolean): boolean | Failure<ZrtpReason> {
    const theirs = decodeCommit(message);
    const ours = this.#commitment;
    if (theirs === undefined || ours === undefined) return false;
    const kindOf = (name: string) => (name === "Mult" ? "multistream" : name === "Prsh" ? "preshared" : "dh");
    const [mine, other] = [kindOf(ours.choice.keyAgreement), kindOf(theirs.choice.keyAgreement)];
    if ((mine === "multistream") !== (other === "multistream")) {
      return failure("software-error", "one side began a stream of a call, the other a call", { at: "Commit" });
    }
    if (mine !== other) return other === "dh";
    const theirMitm = this.peer.hello.flags.mitm;
    if (mine === "preshared" && ourMitm !== theirMitm) return ourMitm;
    return compare(ours.value, theirs.value) < 0;
  }

  /** As responder: checks the Commit and answers DHPart1, or Confirm1 where there is no Diffie-Hellman (§4.4.1.2). */
  commitReceived(message: Uint8Array, flags: () => ConfirmFlags, expiration: number): Step {
    const commit = decodeCommit(message);
    if (commit === undefined) return "malformed";
    const { hello } = this.peer;
    if (!equal(commit.zid, hello.zid)) return "bad-hash-chain";
    const tampered = this.#helloSealedBy(commit.h2);
    if (tampered !== undefined) return tampered;
    const picked = refusal(this.#ours.algorithms, commit.choice);
    if ("kind" in picked) return notSupported(picked.kind);
    const row: KeyAgreementRow = keyAgreementTypes[picked.choice.keyAgreement];
    if ((row.kind === "multistream") !== (this.#ours.association !== undefined)) {
      return row.kind === "multistream"
        ? failure("no-shared-secret", "a stream of a call was begun, and there is no call", { at: "Commit" })
        : failure("software-error", "a call was begun where a stream of one was awaited", { at: "Commit" });
    }
    this.#take("responder", picked.choice);
    this.#commit = message.slice();
    this.#commitment = decodeCommit(this.#commit);
    const { chain, entropy } = this.#ours;
    if (row.kind === "dh") {
      const ids = idsOf(this.hash!, this.#known, "responder", chain.h3, entropy);
      const part = this.#sealed(chain.h0, encodeDhPart("DHPart1", chain.h1, ids, this.#publicValue()));
      this.#dhPart = { initiator: undefined, responder: part };
      return part;
    }
    if (row.kind === "preshared") {
      this.#preshared = this.#findPreshared(commit.keyId!);
      // §4.4.2.3: without the secret we begin a Diffie-Hellman ourselves, and may not if we are passive.
      if (this.#preshared === undefined) {
        return this.#ours.passive
          ? failure("no-shared-secret", "the peer's retained secret is not ours", { at: "Commit" })
          : this.begin(true);
      }
    } else {
      const reused = this.#ours.association!.spend(commit.value);
      if (reused !== undefined) return reused;
    }
    const failed = this.#deriveWithoutDh();
    return failed ?? this.confirm(flags(), expiration);
  }

  /** As initiator: checks DHPart1, agrees, and answers DHPart2 (§4.4.1.3). */
  dhPart1Received(message: Uint8Array): Step {
    const part = decodeDhPart(message, this.row!.valueSize!);
    if (part === undefined) return "malformed";
    const h2 = image(this.#implicit, part.h1);
    const tampered = this.#helloSealedBy(h2);
    if (tampered !== undefined) return tampered;
    return this.#agree(message, part) ?? this.#dhPart.initiator!;
  }

  /** As responder: checks DHPart2 against the commitment, agrees, and answers Confirm1 (§4.4.1.2). */
  dhPart2Received(message: Uint8Array, flags: () => ConfirmFlags, expiration: number): Step {
    const part = decodeDhPart(message, this.row!.valueSize!);
    if (part === undefined) return "malformed";
    if (!equal(image(this.#implicit, part.h1), this.#commitment!.h2)) return "bad-hash-chain";
    if (!isSealed(this.#implicit, part.h1, this.#commit!)) return tamperedWith("Commit");
    const hvi = this.hash!.digest(message, this.#ours.hello).subarray(0, hviSize);
    if (!equalInConstantTime(hvi, this.#commitment!.value)) {
      return failure("bad-commitment", "DHPart2 is not what the Commit committed to: somebody is in between", {
        at: "DHPart2",
      });
    }
    return this.#agree(message, part) ?? this.confirm(flags(), expiration);
  }

  /** §4.4.1.4. Undefined if all went well. */
  #agree(message: Uint8Array, part: DhPartMessage): Failure<ZrtpReason> | undefined {
    const theirs = other(this.role!);
    const { agreement, point } = this.row!;
    const share = point === undefined ? part.value : concat(Uint8Array.of(point), part.value);
    const secret = this.#ours.crypto.agreement(agreement!).conclude(this.#dh!.privateKey, share);
    if (secret === undefined) {
      const at = theirs === "initiator" ? "DHPart2" : "DHPart1";
      return failure("bad-public-value", "a public value that gives no secret, as an attacker sends it", { at });
    }
    this.#theirPart = { message: message.slice(), h1: part.h1.slice() };
    this.#dhPart = { ...this.#dhPart, [theirs]: this.#theirPart.message };
    this.shared = match(this.hash!, this.#known, part.ids, theirs, this.peer.hello.h3);
    const context = this.#context(this.#dhPart.responder!, this.#dhPart.initiator!);
    this.keys = deriveKeys(context, secretOfDh(context, secret, this.shared), this.#keySize, true);
    this.#dh!.privateKey.wipe();
    return undefined;
  }

  /** Our Confirm of this role (§4.6). */
  confirm(flags: ConfirmFlags, expiration: number): Uint8Array {
    const role = this.role!;
    const { mac, zrtp } = this.side(role);
    const cipher = this.#ours.crypto.cipher(cipherTypes[this.choice!.cipher].cfb).encryptor(zrtp.expose());
    const iv = this.#ours.entropy.fill(new Uint8Array(16));
    const keyed = this.hash!.hmac(mac.expose());
    const message = encodeConfirm(
      role === "initiator" ? "Confirm2" : "Confirm1",
      { h0: this.#ours.chain.h0, flags, expiration },
      cipher,
      iv,
      (encrypted) => keyed.compute(encrypted),
    );
    cipher.destroy();
    keyed.destroy();
    return message;
  }

  /** The peer's Confirm: its MAC, then the rest of the hash chain. Undefined if all was right. */
  confirmReceived(message: Uint8Array): DropReason | Failure<ZrtpReason> | undefined {
    const sealed = decodeSealed(message);
    const theirs = this.side(other(this.role!));
    const keyed = this.hash!.hmac(theirs.mac.expose());
    const isRight =
      sealed !== undefined && equalInConstantTime(keyed.compute(sealed.sealed).subarray(0, macSize), sealed.mac);
    keyed.destroy();
    if (!isRight) return "bad-confirm-mac";
    const cipher = this.#ours.crypto.cipher(cipherTypes[this.choice!.cipher].cfb).decryptor(theirs.zrtp.expose());
    const confirmation = openConfirm(sealed, cipher);
    cipher.destroy();
    if (confirmation === undefined)
      return failure("malformed-message", "a Confirm that does not parse", { at: "Confirm" });
    const tampered = this.#chainEndsAt(confirmation.h0);
    if (tampered !== undefined) return tampered;
    this.confirmation = confirmation;
    return undefined;
  }

  /** §9: the last preimage leads to all that came before, and its MACs are checked. */
  #chainEndsAt(h0: Uint8Array): DropReason | Failure<ZrtpReason> | undefined {
    const hash = this.#implicit;
    const h1 = image(hash, h0);
    if (this.#theirPart !== undefined) {
      if (!equal(h1, this.#theirPart.h1)) return "bad-hash-chain";
      const at = this.role === "initiator" ? "DHPart1" : "DHPart2";
      return isSealed(hash, h0, this.#theirPart.message) ? undefined : tamperedWith(at);
    }
    const h2 = image(hash, h1);
    if (this.role === "initiator") return this.#helloSealedBy(h2);
    if (!equal(h2, this.#commitment!.h2)) return "bad-hash-chain";
    return isSealed(hash, h1, this.#commit!) ? undefined : tamperedWith("Commit");
  }

  #helloSealedBy(h2: Uint8Array): DropReason | Failure<ZrtpReason> | undefined {
    if (!equal(image(this.#implicit, h2), this.peer.hello.h3)) return "bad-hash-chain";
    return isSealed(this.#implicit, h2, this.peer.message) ? undefined : tamperedWith("Hello");
  }

  #deriveWithoutDh(): Failure<ZrtpReason> | undefined {
    const context = this.#context();
    const session = this.#ours.association?.session;
    if (this.#preshared !== undefined) {
      this.shared = { ...nothingShared, s1: this.#known.rs1 };
      this.keys = deriveKeys(context, secretOf(context, this.#preshared, "ZRTP PSK"), this.#keySize, true);
      this.#preshared.wipe();
      return undefined;
    }
    if (session === undefined) return failure("no-shared-secret", "the call of this stream is over", { at: "Commit" });
    this.keys = deriveKeys(context, secretOf(context, session, "ZRTP MSK"), this.#keySize, false);
    return undefined;
  }

  /** As initiator, where there is no Diffie-Hellman: Confirm1 is the first answer. */
  confirm1Received(message: Uint8Array): DropReason | Failure<ZrtpReason> | undefined {
    if (this.keys === undefined) {
      const failed = this.#deriveWithoutDh();
      if (failed !== undefined) return failed;
    }
    return this.confirmReceived(message);
  }

  /** §4.4.2.3: with fewer and fewer secrets, until the peer's keyID comes out. */
  #findPreshared(wanted: Uint8Array): Secret | undefined {
    const { rs1, auxiliary, pbx } = this.#known;
    if (rs1 === undefined || !this.#isVerified) return undefined;
    for (const [a, p] of [
      [auxiliary, pbx],
      [auxiliary, undefined],
      [undefined, pbx],
      [undefined, undefined],
    ] as const) {
      const key = presharedKey(this.hash!, rs1, a, p);
      if (equalInConstantTime(keyId(this.hash!, key), wanted)) return key;
      key.wipe();
    }
    return undefined;
  }

  #take(role: Role, choice: Choice): void {
    this.role = role;
    this.choice = choice;
    this.hash = this.#ours.crypto.hash(hashTypes[choice.hash].hash);
    const { signalledKey } = this.#ours;
    if (signalledKey === undefined) return;
    const auxiliary = signalledSecret(this.hash, signalledKey, this.zids);
    this.#known = { ...this.#known, auxiliary: auxiliary.expose() };
  }

  /** What we know that the peer may know, once the roles are settled. */
  get known(): KnownSecrets {
    return this.#known;
  }

  /** Our public value. A commit contention keeps it unless another key agreement won (§4.2). */
  #publicValue(): Uint8Array {
    const type = this.choice!.keyAgreement;
    const { agreement, point } = this.row!;
    if (this.#dh?.type !== type) {
      this.#dh?.privateKey.wipe();
      this.#dh = { type, ...this.#ours.crypto.agreement(agreement!).initiate(this.#ours.entropy) };
    }
    return point === undefined ? this.#dh.share : this.#dh.share.subarray(1);
  }

  #context(...parts: readonly Uint8Array[]): KeyContext {
    const responders = this.role === "responder" ? this.#ours.hello : this.peer.message;
    return { hash: this.hash!, zids: this.zids, totalHash: this.hash!.digest(responders, this.#commit!, ...parts) };
  }

  get #keySize(): number {
    return cipherTypes[this.choice!.cipher].keySize;
  }

  #sealed(key: Uint8Array, message: Uint8Array): Uint8Array {
    return seal(this.#implicit, key, message);
  }

  /** Wipes what only the exchange had; the keys are for who took them. */
  destroy(): void {
    this.#dh?.privateKey.wipe();
    this.#preshared?.wipe();
  }
}

function keyId(hash: Hash, key: Secret): Uint8Array {
  const mac = hash.hmac(key.expose());
  const id = mac.compute(utf8("Prsh")).slice(0, keyIdSize);
  mac.destroy();
  return id;
}

/** As large unsigned numbers in network byte order. */
function compare(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at === -1 ? 0 : a[at]! - b[at]!;
}

const tamperedWith = (at: string): Failure<ZrtpReason> =>
  failure("bad-message-mac", `the MAC of the peer's ${at} is wrong: somebody in between has changed it`, { at });

const reasons = {
  hashes: "unsupported-hash",
  ciphers: "unsupported-cipher",
  keyAgreements: "unsupported-key-agreement",
  authTags: "unsupported-auth-tag",
  sas: "unsupported-sas",
} as const satisfies Record<Kind, ZrtpReason>;

const nothingInCommon = (kind: Kind): Failure<ZrtpReason> =>
  failure(reasons[kind], `nothing in common among the ${kind} that both sides support`, { at: "Hello" });

const notSupported = (kind: Kind): Failure<ZrtpReason> =>
  failure(reasons[kind], `the peer chose one of the ${kind} that we did not offer`, { at: "Commit" });

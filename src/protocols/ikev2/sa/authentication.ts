import { equalInConstantTime, type Instant, type PeerIdentity, type Secret } from "../../../contract/index.js";
import { failure, type IkeFailure } from "../failure.js";
import { type IkeId, idText } from "../identity.js";
import type { LocalAuthentication } from "../interfaces.js";
import { Prf, sharedSecretAuth } from "../keys.js";
import { certificatesMax } from "../limits.js";
import { readSignature, signatureData, signatureFor } from "../signatures.js";
import { all } from "../wire/find.js";
import { AuthMethod, CertEncoding } from "../wire/numbers.js";
import type { Payload, PayloadOf } from "../wire/payloads.js";
import type { IkeSa } from "./ike-sa.js";
import { Transcript } from "./transcript.js";

/** Proof of identity, given and taken (RFC 7296 §2.15, RFC 7427). */
export class Authentication {
  readonly #sa: IkeSa;
  readonly transcript = new Transcript();
  /** Hashes that the peer takes in signatures; undefined if it did not say. */
  hashes: ReadonlySet<number> = new Set();

  constructor(sa: IkeSa) {
    this.#sa = sa;
  }

  /** Our AUTH payload, or why there is none; what signs or finds the secret may take its time. */
  prove(
    id: PayloadOf<"IDi" | "IDr">,
    how: LocalAuthentication,
    now: Instant,
    proved: (auth: PayloadOf<"AUTH"> | IkeFailure, now: Instant) => void,
  ): void {
    const { station, connection } = this.#sa;
    const octets = this.#octets(id, true);
    switch (how.kind) {
      case "psk":
        return void this.#secret(how.secret, this.#sa.remoteId ?? connection!.remoteId, now, (secret, at) =>
          proved(
            secret === undefined
              ? failure("authentication-refused", "there is no pre-shared key")
              : this.#shared(secret, octets),
            at,
          ),
        );
      case "certificate": {
        const algorithm = signatureFor(how.identity.publicKey, this.hashes);
        if (algorithm === undefined) {
          const hint = "RFC 7427 signatures are the only ones here";
          return void proved(
            failure("no-proposal-chosen", "no signature algorithm is common", { at: "AUTH", hint }),
            now,
          );
        }
        return void station.ask(
          "sign",
          { connection: connection!.name, algorithm, message: octets },
          now,
          (signature, at) =>
            proved(
              signature === undefined
                ? failure("authentication-refused", "nothing was signed for us", { at: "AUTH" })
                : { kind: "AUTH", method: AuthMethod.digitalSignature, data: signatureData(algorithm, signature) },
              at,
            ),
        );
      }
      case "eap":
        throw new TypeError("EAP proves by its own key");
    }
  }

  /** AUTH under a key that EAP made; without one, under SK_p itself (RFC 7296 §2.16). */
  proveByKey(id: PayloadOf<"IDi" | "IDr">, msk: Secret | undefined): PayloadOf<"AUTH"> {
    return this.#shared(msk ?? this.#identityKey(true), this.#octets(id, true));
  }

  /** Is the peer's AUTH under that key? */
  checkByKey(id: PayloadOf<"IDi" | "IDr">, msk: Secret | undefined, auth: PayloadOf<"AUTH"> | undefined): boolean {
    return auth !== undefined && this.#isShared(msk ?? this.#identityKey(false), this.#octets(id, false), auth);
  }

  /** Looks at the peer's proof, by a pre-shared key or by certificate. */
  check(
    id: PayloadOf<"IDi" | "IDr">,
    payloads: readonly Payload[],
    auth: PayloadOf<"AUTH">,
    how: { readonly kind: "psk"; readonly secret?: Secret } | { readonly kind: "certificate" },
    now: Instant,
    checked: (peer: PeerIdentity | IkeFailure, now: Instant) => void,
  ): void {
    const octets = this.#octets(id, false);
    const { station, connection } = this.#sa;
    const wrong = (why: string): IkeFailure => failure("authentication-failed", why, { at: "AUTH" });
    if (how.kind === "psk") {
      if (auth.method !== AuthMethod.sharedKey)
        return void checked(wrong("the peer does not prove a pre-shared key"), now);
      return void this.#secret(how.secret, id, now, (secret, at) =>
        checked(
          secret !== undefined && this.#isShared(secret, octets, auth)
            ? { kind: "pre-shared-key", identity: id.data.slice() }
            : wrong(`${idText(id)} has another pre-shared key`),
          at,
        ),
      );
    }
    const signed = auth.method === AuthMethod.digitalSignature ? readSignature(auth.data) : undefined;
    if (signed === undefined) return void checked(wrong("the peer does not sign as RFC 7427 has it, with SHA-2"), now);
    const certificates = all(payloads, "CERT")
      .filter(({ encoding }) => encoding === CertEncoding.x509Signature)
      .slice(0, certificatesMax)
      .map(({ certificate }) => certificate.slice());
    const ask = { certificates, id: ownId(id), connection: connection!.name };
    station.ask("verify-peer", ask, now, (verdict, at) => {
      if (verdict === undefined)
        return checked(failure("untrusted-certificate", "nobody trusts the peer's certificate"), at);
      if (!verdict.trusted) return checked(verdict.failure, at);
      const { publicKey, chain } = verdict;
      checked(
        publicKey.verify(signed.name, octets, signed.signature)
          ? { kind: "certificate", chain, publicKey }
          : wrong(`the signature is not that of ${idText(id)}'s key`),
        at,
      );
    });
  }

  #octets(id: PayloadOf<"IDi" | "IDr">, own: boolean): Uint8Array {
    const by = this.#sa.isInitiator === own ? "initiator" : "responder";
    return this.transcript.octets(by, id, this.prf, this.#identityKey(own).expose());
  }

  #identityKey(own: boolean): Secret {
    const keys = this.#sa.keys!;
    return (this.#sa.isInitiator === own ? keys.initiator : keys.responder).identity;
  }

  #shared(secret: Secret, octets: Uint8Array): PayloadOf<"AUTH"> {
    return { kind: "AUTH", method: AuthMethod.sharedKey, data: sharedSecretAuth(this.prf, secret.expose(), octets) };
  }

  #isShared(secret: Secret, octets: Uint8Array, auth: PayloadOf<"AUTH">): boolean {
    return equalInConstantTime(sharedSecretAuth(this.prf, secret.expose(), octets), auth.data);
  }

  get prf(): Prf {
    return new Prf(this.#sa.station.crypto, this.#sa.algorithms!.prf);
  }

  /** The configured secret, or whatever the application answers for the peer. */
  #secret(
    known: Secret | undefined,
    id: IkeId | undefined,
    now: Instant,
    found: (secret: Secret | undefined, now: Instant) => void,
  ): void {
    if (known !== undefined) return void found(known, now);
    const { station, connection } = this.#sa;
    station.ask("pre-shared-key", { connection: connection!.name, id: id && ownId(id) }, now, found);
  }
}

const ownId = ({ type, data }: IkeId): IkeId => ({ type, data: data.slice() });

import { concat } from "../bytes/bytes.js";
import type { Agreement, AgreementName } from "../contract/crypto.js";
import { Secret } from "../contract/secret.js";

/**
 * Two agreements as one: shares, private keys and secrets are concatenated in the same order
 * (draft-ietf-tls-ecdhe-mlkem §4). The secret is safe while either of the two is.
 */
export function hybrid(name: AgreementName, first: Agreement, second: Agreement): Agreement {
  const initiatorShareSize = first.initiatorShareSize + second.initiatorShareSize;
  const responderShareSize = first.responderShareSize + second.responderShareSize;
  const privateKeySize = first.privateKeySize + second.privateKeySize;
  return {
    name,
    initiatorShareSize,
    responderShareSize,
    privateKeySize,
    secretSize: first.secretSize + second.secretSize,
    initiate(entropy) {
      const a = first.initiate(entropy);
      const b = second.initiate(entropy);
      return { share: concat(a.share, b.share), privateKey: new Pair(a.privateKey, b.privateKey) };
    },
    respond(share, entropy) {
      if (share.length !== initiatorShareSize) return undefined;
      const a = first.respond(share.subarray(0, first.initiatorShareSize), entropy);
      const b = second.respond(share.subarray(first.initiatorShareSize), entropy);
      return a && b && { share: concat(a.share, b.share), secret: spent(a.secret, b.secret) };
    },
    conclude(privateKey, share) {
      if (share.length !== responderShareSize || privateKey.size !== privateKeySize) return undefined;
      const pair = privateKey instanceof Pair ? privateKey : Pair.split(privateKey, first.privateKeySize);
      const a = first.conclude(pair.first, share.subarray(0, first.responderShareSize));
      const b = second.conclude(pair.second, share.subarray(first.responderShareSize));
      return a && b && spent(a, b);
    },
  };
}

/** A private key of two, which also keeps the two, since providers remember heavy objects by their Secret. */
class Pair extends Secret {
  readonly first: Secret;
  readonly second: Secret;

  constructor(first: Secret, second: Secret) {
    super(concat(first.expose(), second.expose()));
    this.first = first;
    this.second = second;
  }

  static split(key: Secret, at: number): Pair {
    const bytes = key.expose();
    return new Pair(Secret.copy(bytes.subarray(0, at)), Secret.copy(bytes.subarray(at)));
  }

  override wipe(): void {
    this.first.wipe();
    this.second.wipe();
    super.wipe();
  }
}

function spent(a: Secret, b: Secret): Secret {
  const both = new Secret(concat(a.expose(), b.expose()));
  a.wipe();
  b.wipe();
  return both;
}

import { concat, fromHex } from "../bytes/bytes.js";
import { DecodeError } from "../bytes/reader.js";
import { type CurveName, curves } from "./algorithms.js";
import { element, objectIdentifier, optional, Tag, unsigned, whole } from "./der.js";
import { namedCurves } from "./public-key.js";

/** What a PKCS#8 file says of an elliptic key (RFC 5958, RFC 5915, RFC 8410): the scalar or the seed. */
export type PrivateMaterial =
  | { readonly type: "EC"; readonly curve: CurveName; readonly scalar: Uint8Array }
  | { readonly type: "Ed25519" | "Ed448"; readonly seed: Uint8Array };

/** Undefined for other types, RSA among them, and for what is not strict DER. */
export function readPrivateKey(pkcs8: Uint8Array): PrivateMaterial | undefined {
  return whole(pkcs8, (from): PrivateMaterial => {
    const info = element(from, Tag.sequence);
    const version = unsigned(info);
    if (version.length !== 1 || version[0]! > 1) throw new DecodeError("another version");
    const algorithm = element(info, Tag.sequence);
    const type = objectIdentifier(algorithm);
    const curve = type === "1.2.840.10045.2.1" ? namedCurves.get(objectIdentifier(algorithm)) : undefined;
    algorithm.end();
    const key = element(info, Tag.octetString);
    optional(info, Tag.context0)?.rest(); // Attributes.
    if (version[0] === 1) optional(info, 0x81)?.rest(); // The public key, which is computed instead.
    info.end();
    const edwards = edwardsTypes[type];
    if (edwards) {
      const seed = element(key, Tag.octetString).take(edwards.size);
      key.end();
      return { type: edwards.type, seed };
    }
    if (!curve) throw new DecodeError("a key of another type");
    const ec = element(key, Tag.sequence);
    key.end();
    if (unsigned(ec)[0] !== 1) throw new DecodeError("another version");
    const scalar = element(ec, Tag.octetString).take(curves[curve].size);
    return { type: "EC", curve, scalar };
  });
}

const edwardsTypes: { readonly [type: string]: { readonly type: "Ed25519" | "Ed448"; readonly size: number } } = {
  "1.3.101.112": { type: "Ed25519", size: 32 },
  "1.3.101.113": { type: "Ed448", size: 57 },
};

/** A SubjectPublicKeyInfo of an elliptic key: a fixed beginning, and the point. */
export function writeEllipticKey(type: CurveName | "Ed25519" | "Ed448", point: Uint8Array): Uint8Array {
  return concat(fromHex(spkiPrefixes[type]), point);
}

const spkiPrefixes: Readonly<Record<CurveName | "Ed25519" | "Ed448", string>> = {
  "P-256": "3059301306072a8648ce3d020106082a8648ce3d030107034200",
  "P-384": "3076301006072a8648ce3d020106052b81040022036200",
  "P-521": "30819b301006072a8648ce3d020106052b8104002303818600",
  Ed25519: "302a300506032b6570032100",
  Ed448: "3043300506032b6571033a00",
};

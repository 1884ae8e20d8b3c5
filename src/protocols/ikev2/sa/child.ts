import type { AssociationPair, EspAlgorithms, TrafficSelector } from "../../esp/index.js";
import type { IkeChild } from "../interfaces.js";

/** A Child SA as IKE knows it: its keys are ESP's. */
export interface Child {
  readonly name: string;
  readonly config: IkeChild;
  readonly spiIn: number;
  readonly spiOut: number;
  readonly algorithms: EspAlgorithms;
  readonly local: readonly TrafficSelector[];
  readonly remote: readonly TrafficSelector[];
  readonly mode: AssociationPair["mode"];
  /** `rekeying`: we asked for its successor; `replaced`: there is one, and its creator deletes this; `deleting`: we asked for its end. */
  state: "installed" | "rekeying" | "replaced" | "deleting";
  /** The peer asked for a successor too, while we did (RFC 7296 §2.8.1). */
  rival?: { readonly child: Child; readonly lowest: Uint8Array };
}

export const spiBytes = (spi: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, spi);
  return bytes;
};

export const spiOf = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);

/** The lower of two nonces, and which of two is lower: octet by octet, a prefix before what it begins (RFC 7296 §2.8). */
export function compareNonces(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

export const lowerNonce = (a: Uint8Array, b: Uint8Array): Uint8Array => (compareNonces(a, b) <= 0 ? a : b).slice();

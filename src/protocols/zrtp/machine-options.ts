import { copyOf } from "../../bytes/index.js";
import type { CryptoProvider, Entropy, Secret, SocketAddress } from "../../contract/index.js";
import type { MasterKey } from "../srtp/index.js";
import type { Algorithms } from "./algorithms.js";
import type { Association } from "./association.js";
import type { OurSide } from "./exchange.js";
import { failure } from "./failure.js";
import { hashChain, implicitHash, seal } from "./hash-chain.js";
import type { HelloHash } from "./hello-hash.js";
import { forever, listedMax, secretSizeMax } from "./limits.js";
import { imageSize, zidSize } from "./messages/frame.js";
import { encodeHello } from "./messages/hello.js";

/** What a machine is made of. Absent is the default. */
export interface ZrtpMachineOptions {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  /** IPK: our ZID, 12 bytes. */
  readonly zid: Uint8Array;
  /** Of the RTP stream that we send. Default: random. */
  readonly ssrc?: number;
  readonly algorithms?: Partial<Algorithms>;
  /** Names the software in Hello, 16 characters. */
  readonly client?: string;
  /** Never begins a key agreement, and says so. Default false. */
  readonly passive?: boolean;
  /** Says nothing before the peer does. Default false. */
  readonly waits?: boolean;
  /** Where the peer is: a Hello from elsewhere is dropped. Default: wherever the first Hello comes from. */
  readonly remote?: SocketAddress;
  /** IV: the hash of the peer's Hello, as signalling gave it. */
  readonly signalled?: HelloHash;
  /** PSKI: a secret that both sides have from elsewhere. */
  readonly auxiliary?: Secret;
  /** PSKI: an SRTP key that signalling gave both sides, in place of `auxiliary`. */
  readonly signalledKey?: MasterKey;
  /** CM: asks for retained secrets, and tells what to retain. Default false: a cacheless endpoint (RFC 6189 §4.9.1). */
  readonly cached?: boolean;
  /** Seconds that a secret is to be retained. Default: for ever. */
  readonly expirationSeconds?: number;
  /** What a cache mismatch does. Default `warn`. */
  readonly onMismatch?: "warn" | "refuse";
  /** IV: asks whether the words are the same, unless they were compared in an earlier call. Default false. */
  readonly asksWords?: boolean;
  /** Makes this a further stream of a call (§4.4.3). */
  readonly association?: Association;
}

/** What is fixed before the peer is known: our hash chain, and our Hello. */
export function ourSide(options: ZrtpMachineOptions, algorithms: Algorithms): OurSide {
  const { crypto, entropy, passive = false, client = "Sealport", signalledKey, association } = options;
  const zid = copyOf(options.zid);
  const hash = implicitHash(crypto);
  const chain = hashChain(hash, entropy.fill(new Uint8Array(imageSize)));
  const flags = { signatureCapable: false, mitm: false, passive };
  const hello = seal(hash, chain.h2, encodeHello({ client, h3: chain.h3, zid, flags, algorithms }));
  return { crypto, entropy, zid, chain, hello, algorithms, passive, signalledKey, association };
}

/** Throws `bad-configuration` for what the caller got wrong; `algorithms` are those that the provider has. */
export function checkOptions(
  { zid, ssrc, auxiliary, signalledKey, expirationSeconds = forever }: ZrtpMachineOptions,
  algorithms: Algorithms,
): void {
  const lists = Object.entries(algorithms) as [string, readonly string[]][];
  const list = lists.find(([, names]) => names.length === 0 || names.length > listedMax);
  const isWhole = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= forever;
  const wrong =
    zid.length !== zidSize
      ? `a ZID has ${zidSize} bytes`
      : ssrc !== undefined && !isWhole(ssrc)
        ? "an SSRC is a number of 32 bits"
        : list !== undefined
          ? `${list[0]}: one to ${listedMax} are wanted of those that this provider has, not ${list[1].length}`
          : auxiliary !== undefined && !(auxiliary.size > 0 && auxiliary.size <= secretSizeMax)
            ? `an auxiliary secret has 1 to ${secretSizeMax} bytes`
            : auxiliary !== undefined && signalledKey !== undefined
              ? "there is one auxiliary secret: give it, or the key of signalling that it is derived from"
              : !isWhole(expirationSeconds)
                ? "an expiration is a number of seconds of 32 bits"
                : undefined;
  if (wrong !== undefined) throw failure("bad-configuration", wrong);
}

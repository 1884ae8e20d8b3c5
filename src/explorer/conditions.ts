import { limits } from "./limits.js";

/** What a scene is played under. The same conditions give the same packets. */
export interface Conditions {
  /** The link's delay one way, in milliseconds. */
  readonly delayMs: number;
  /** Packets that the link loses, in a hundred. */
  readonly lossPercent: number;
  /** Decides which are lost, and every key. */
  readonly seed: number;
  /** Bytes that the client sends once the session stands, and gets back. */
  readonly bytes: number;
}

interface Field {
  readonly name: string;
  readonly about: string;
  readonly min: number;
  readonly max: number;
  readonly usual: number;
}

/** Conditions as they are called in a query and on the command line. */
export const fields: Readonly<Record<keyof Conditions, Field>> = {
  delayMs: { name: "delay", about: "delay one way, ms", min: 0, max: limits.delayMsMax, usual: 20 },
  lossPercent: { name: "loss", about: "loss, %", min: 0, max: limits.lossPercentMax, usual: 0 },
  seed: { name: "seed", about: "seed", min: 0, max: 0xffff_ffff, usual: 1 },
  bytes: { name: "bytes", about: "bytes to echo", min: 1, max: limits.bytesMax, usual: 1_000 },
};

/** Conditions from what was given by name; the usual ones for the rest. Throws a RangeError that says which is none. */
export function conditionsFrom(given: (name: string) => string | undefined): Conditions {
  const read = ({ name, min, max, usual }: Field): number => {
    const text = given(name);
    if (text === undefined || text === "") return usual;
    const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new RangeError(`${name} is a whole number from ${min} to ${max}`);
    return value;
  };
  return {
    delayMs: read(fields.delayMs),
    lossPercent: read(fields.lossPercent),
    seed: read(fields.seed),
    bytes: read(fields.bytes),
  };
}

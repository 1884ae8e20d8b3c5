import { bytes, type Codec, DecodeError, opaque, Reader, struct, u32, Writer } from "../../../bytes/index.js";
import { limits } from "../limits.js";
import { keySize, writeU16, writeU32 } from "./packet.js";

/** Before each RPC: the connection it is for, and the length of what follows. */
export const rpcHeadSize = 6;
export const tidSize = 8;
export const authenticatorSize = 72;
export const solutionSize = 80;
export const puzzleNonceSize = 24;

/** A name: up to 255 printable ASCII characters without blanks. */
const name: Codec<string> = {
  read: (r) => {
    let text = "";
    for (const byte of r.take(r.u8())) {
      if (byte < 0x21 || byte > 0x7e) throw new DecodeError("a name has printable characters alone");
      text += String.fromCharCode(byte);
    }
    return text;
  },
  write: (w, text) => {
    if (!isName(text)) throw new RangeError("no name");
    w.u8(text.length);
    for (let i = 0; i < text.length; i++) w.u8(text.charCodeAt(i));
  },
};

export const isName = (text: string): boolean => text.length <= limits.nameMax && /^[\x21-\x7e]*$/.test(text);

const certificate = bytes(2, { max: limits.certificateMax });
const key = opaque(keySize);
const solution = opaque(solutionSize);
const puzzleNonce = opaque(puzzleNonceSize);
/** Positions and packet numbers: whole numbers as far as they are exact. */
const position: Codec<number> = {
  read: (r) => {
    const value = r.u32() * 0x1_0000_0000 + r.u32();
    if (value > limits.positionsMax) throw new DecodeError("a number too great");
    return value;
  },
  write: (w, v) => void w.u32(Math.floor(v / 0x1_0000_0000)).u32(v % 0x1_0000_0000),
};

/** RPCs of the control connection (§4.1): each has its number, and arguments in the paper's order. */
const functions = {
  create: { code: 1, args: struct({ c: u32, y: name }) },
  createAuth: { code: 2, args: struct({ c: u32, y: name, U: key, x: opaque(authenticatorSize) }) },
  ack: { code: 3, args: struct({ c: u32 }) },
  refuse: { code: 4, args: struct({ c: u32 }) },
  close: { code: 5, args: struct({ c: u32 }) },
  requestCert: { code: 6, args: struct({ S: name }) },
  giveCert: { code: 7, args: struct({ certS: certificate, ecertS: certificate }) },
  ok: { code: 8, args: struct({}) },
  nextTid: { code: 9, args: struct({ t: opaque(tidSize), C: key }) },
  rekeyNow: { code: 10, args: struct({}) },
  puzz: { code: 11, args: struct({ q: solution, H: opaque(32), w: u32, n: puzzleNonce }) },
  puzzSoln: { code: 12, args: struct({ r: solution, n: puzzleNonce }) },
  windowSize: { code: 13, args: struct({ c: u32, n: position }) },
} as const;

export type RpcName = keyof typeof functions;
export type ControlRpc = {
  [N in RpcName]: { readonly f: N } & ((typeof functions)[N]["args"] extends Codec<infer A> ? A : never);
}[RpcName];

/**
 * Beside those of the paper, RPCs of this wire that concern one packet and take no part in the order of the others: padding to
 * the end of the packet, which packets have come, a request for an acknowledgement, and a farewell.
 */
export const code = { pad: 0, nextTid: functions.nextTid.code, received: 32, here: 33, leave: 34 } as const;

const byCode = new Map(
  (Object.keys(functions) as RpcName[]).map((each) => [functions[each].code as number, each] as const),
);

/** A whole RPC for the control connection, its head included. */
export function encodeControl({ f, ...args }: ControlRpc): Uint8Array {
  const writer = new Writer(64);
  writer.u32(0).u16(0).u8(functions[f].code);
  // One row of the table says what each name's arguments are.
  (functions[f].args as Codec<unknown>).write(writer, args);
  const rpc = writer.take();
  writeU16(rpc, 4, rpc.length - rpcHeadSize);
  return rpc;
}

/** What follows an RPC's head on the control connection; undefined for what is none. */
export function decodeControl(body: Uint8Array): ControlRpc | undefined {
  try {
    const reader = new Reader(body.slice());
    const f = byCode.get(reader.u8());
    if (f === undefined) return undefined;
    const args = (functions[f].args as Codec<object>).read(reader);
    reader.end();
    return { f, ...args } as ControlRpc;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** Writes the head of an RPC; answers where what follows goes. */
export function writeRpcHead(into: Uint8Array, at: number, connection: number, size: number): number {
  writeU32(into, at, connection);
  writeU16(into, at + 4, size);
  return at + rpcHeadSize;
}

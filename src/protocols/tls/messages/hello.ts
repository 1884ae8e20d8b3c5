import { bytes, type Codec, type Of, opaque, Reader, struct, u8, u16, vector, Writer } from "../../../bytes/index.js";
import { type Extension, ExtensionBlock, extensions } from "./extensions.js";

/** ClientHello, RFC 9846 §4.2.2; `cookie` is DTLS's field (RFC 9147 §5.3) and undefined elsewhere. */
export interface ClientHello {
  readonly legacyVersion: number;
  readonly random: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly cookie: Uint8Array | undefined;
  readonly suites: readonly number[];
  readonly compressionMethods: Uint8Array;
  readonly extensions: ExtensionBlock<"CH">;
}

const sessionId = bytes(1, { max: 32 });
const suiteList = vector(2, u16, { min: 2 });
const compressionMethods = bytes(1, { min: 1 });
const block = extensions("CH");

/** The body of a ClientHello. Before 1.3 the extensions might be missing altogether. */
export function clientHello(cookieField: boolean): Codec<ClientHello> {
  return {
    read: (r) => ({
      legacyVersion: r.u16(),
      random: r.take(32),
      sessionId: sessionId.read(r),
      cookie: cookieField ? bytes(1).read(r) : undefined,
      suites: suiteList.read(r),
      compressionMethods: compressionMethods.read(r),
      extensions: r.left === 0 ? new ExtensionBlock("CH", []) : block.read(r),
    }),
    write: (w, hello) => {
      w.u16(hello.legacyVersion).put(hello.random);
      sessionId.write(w, hello.sessionId);
      if (cookieField) bytes(1).write(w, hello.cookie ?? new Uint8Array(0));
      suiteList.write(w, hello.suites);
      compressionMethods.write(w, hello.compressionMethods);
      block.write(w, hello.extensions);
    },
  };
}

/** ServerHello and HelloRetryRequest (RFC 9846 §4.2.3, §4.2.4), and the ServerHello of 1.2. */
export interface ServerHello<M extends "SH" | "HRR" | "SH12" = "SH" | "HRR" | "SH12"> {
  readonly legacyVersion: number;
  readonly random: Uint8Array;
  readonly sessionIdEcho: Uint8Array;
  readonly suite: number;
  readonly compressionMethod: number;
  readonly extensions: ExtensionBlock<M>;
}

const serverHelloHead = struct({
  legacyVersion: u16,
  random: opaque(32),
  sessionIdEcho: sessionId,
  suite: u16,
  compressionMethod: u8,
});

/**
 * Which of the three it is shows first in `random`, then in supported_versions (RFC 9846 §4.3.1); the extensions mean
 * different things in each.
 */
export function readServerHello(body: Uint8Array): ServerHello {
  const reader = new Reader(body);
  const head = serverHelloHead.read(reader);
  const raw = reader.left === 0 ? [] : extensions("SH12").read(reader).items;
  reader.end();
  const message = isRetry(head.random) ? "HRR" : raw.some(({ type }) => type === 43) ? "SH" : "SH12";
  return { ...head, extensions: new ExtensionBlock(message, raw) };
}

export function writeServerHello(hello: Of<typeof serverHelloHead>, items: readonly Extension[]): Uint8Array {
  const writer = new Writer();
  serverHelloHead.write(writer, hello);
  extensions("SH").write(writer, new ExtensionBlock("SH", items));
  return writer.take();
}

export const isKind = <M extends "SH" | "HRR" | "SH12">(hello: ServerHello, kind: M): hello is ServerHello<M> =>
  hello.extensions.message === kind;

/** SHA-256 of "HelloRetryRequest". */
export const retryRandom = Uint8Array.of(
  ...[0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91],
  ...[0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c],
);

/** Last eight bytes of a 1.3 server's random that negotiates 1.2, and older (RFC 9846 §4.2.3). */
export const downgrade12 = Uint8Array.of(0x44, 0x4f, 0x57, 0x4e, 0x47, 0x52, 0x44, 0x01);
export const downgrade11 = Uint8Array.of(0x44, 0x4f, 0x57, 0x4e, 0x47, 0x52, 0x44, 0x00);

function isRetry(random: Uint8Array): boolean {
  for (let i = 0; i < 32; i++) if (random[i] !== retryRandom[i]) return false;
  return true;
}

/** DTLS's request for a cookie, RFC 6347 §4.2.1. */
export const helloVerifyRequest = struct({ serverVersion: u16, cookie: bytes(1) });

import { readFileSync } from "node:fs";
import type { GroupName, SchemeName, SuiteName } from "../../../src/protocols/tls/index.js";
import type { IdentityName } from "./certificates.js";
import type { Program } from "./program.js";

/** One side of a TLS conversation as its own options say it; each stranger translates what it can do. */
export interface TlsSetup {
  /** Only this version; both when absent. */
  readonly version?: "1.2" | "1.3";
  /** A server shows p256 when nothing is said, a client nothing. */
  readonly identity?: IdentityName;
  /** The second identity of a server with two. */
  readonly alternative?: IdentityName;
  /** Show the bare public key of `identity` and want the peer's (RFC 7250). */
  readonly rawPublicKey?: boolean;
  /** Compress our certificate so, and take it so compressed (RFC 8879). */
  readonly compression?: "zlib" | "brotli" | "zstd";
  /** A server asks for a certificate. Without one, `required` ends the handshake. */
  readonly askClient?: "optional" | "required";
  readonly alpn?: readonly string[];
  /** Only these groups; the first is the one that a client sends a share of. */
  readonly groups?: readonly GroupName[];
  readonly suites?: readonly SuiteName[];
  readonly schemes?: readonly SchemeName[];
  /** An external pre-shared key, and no certificate. */
  readonly psk?: { readonly identity: string; readonly key: Uint8Array };
  /** A server takes this many bytes of early data; a client sends this file's. */
  readonly earlyDataMax?: number;
  readonly earlyDataFile?: string;
  /** A client keeps what it needs to resume in this file, or resumes from it. */
  readonly saveSession?: string;
  readonly useSession?: string;
  readonly keyLog?: string;
  readonly serverName?: string;
  /** A server staples this DER file; a client asks for a staple. */
  readonly staple?: string | true;
  /** RFC 6066 §4: 512, 1024, 2048 or 4096 bytes. */
  readonly maxFragmentLength?: 512 | 1024 | 2048 | 4096;
  /** RFC 8449: what we take at most, in bytes. */
  readonly recordSizeLimit?: number;
  readonly exporterLabel?: string;
  /**
   * `lines`: what the peer says can be read in the program's output, and lines can be said to it. `data`: its input and
   * output are the application data and nothing else. `echo`: a server gives back what it gets.
   */
  readonly mode?: "lines" | "data" | "echo";
  /** Arguments of the program's own, for what the words above do not say. */
  readonly args?: readonly string[];
}

export type StrangerName = "OpenSSL 3.0" | "OpenSSL 3.5" | "GnuTLS 3.7" | "GnuTLS 3.8" | "node:tls";

/** One end of a TLS conversation, a stranger's or ours. Disposing of it ends it. */
export interface TlsEnd extends AsyncDisposable {
  /** What its exporter gave for the label that it was started with, in lower-case hexadecimal. */
  exporter(): Promise<string>;
  /** Sends a line of application data. */
  say(line: string): Promise<void>;
  /** Waits until the application data `text` has arrived there. */
  hears(text: string | RegExp): Promise<void>;
  /** New sending keys; `requestPeer` wants them of the peer too. */
  updateKeys(requestPeer: boolean): Promise<void>;
  /** Says close_notify. */
  close(): Promise<void>;
}

/** An end in a program of its own. */
export interface StrangerEnd extends TlsEnd {
  readonly program: Program;
}

export interface StrangerServer extends StrangerEnd {
  readonly port: number;
}

export interface Stranger {
  readonly name: StrangerName;
  serve(setup: TlsSetup): Promise<StrangerServer>;
  connect(port: number, setup: TlsSetup): StrangerEnd;
}

/**
 * Waits until somebody listens on the port, for programs that do not say so. The kernel's table is read: to connect
 * would be a visit that the program has to answer.
 */
export async function listening(port: number, program: Program): Promise<void> {
  const wanted = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, "0")} [0-9A-F]+:0000 0A `);
  for (let tries = 0; tries < 1000 && program.status === undefined; tries++) {
    if (wanted.test(readFileSync("/proc/net/tcp", "latin1"))) return;
    await new Promise((again) => setTimeout(again, 10));
  }
  throw new Error(`${program.name} does not listen on ${port}: ${program.status ?? "running"}\n${program.said}`);
}

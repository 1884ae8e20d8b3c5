import { DecodeError } from "../bytes/index.js";
import { PkiFailure } from "./failure.js";
import { limits } from "./limits.js";

/** One textual encoding: RFC 7468 §2. */
export interface PemBlock {
  readonly label: string;
  readonly bytes: Uint8Array;
}

/**
 * All blocks of a text, in their order; text between blocks is ignored (RFC 7468 §5.2), within a block nothing is: no
 * headers, base64 with its padding, and only white space besides.
 */
export function readPem(text: string): readonly PemBlock[] | PkiFailure {
  if (text.length > limits.pemBytesMax) return malformed(`larger than ${limits.pemBytesMax} characters`);
  const blocks: PemBlock[] = [];
  let at = 0;
  for (;;) {
    const begin = boundary(text, "BEGIN", at);
    if (!begin) break;
    const end = boundary(text, "END", begin.end);
    if (!end || end.label !== begin.label) return malformed(`no END for BEGIN ${begin.label}`);
    const body = text.slice(begin.end, end.start);
    if (/^(Proc-Type|DEK-Info):/m.test(body)) {
      return new PkiFailure("unsupported-key-encryption", "encrypted in the way of RFC 1421", {
        hint: "convert the key with `openssl pkcs8 -topk8`, which encrypts it in the way of RFC 8018",
      });
    }
    try {
      blocks.push({ label: begin.label, bytes: fromBase64(body.replace(/[ \t\r\n\v\f]+/g, "")) });
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return malformed(`${begin.label}: ${error.message}`);
    }
    at = end.end;
  }
  return blocks;
}

/** Lines of 64 characters, RFC 7468 §2. */
export function writePem(label: string, bytes: Uint8Array): string {
  const lines = toBase64(bytes).match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

/** DER of every certificate in a text; DER itself is one. Other blocks are passed over. */
export function readCertificates(input: string | Uint8Array): readonly Uint8Array[] | PkiFailure {
  if (typeof input !== "string" && input[0] === 0x30) return [input];
  const blocks = readPem(typeof input === "string" ? input : latin1(input));
  if (blocks instanceof PkiFailure) return blocks;
  return blocks.filter(({ label }) => certificateLabels.has(label)).map(({ bytes }) => bytes);
}

/** RFC 7468 §5.1 and the labels that it deprecates. */
const certificateLabels = new Set(["CERTIFICATE", "X509 CERTIFICATE", "X.509 CERTIFICATE"]);

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const values = new Map(Array.from(alphabet, (char, value) => [char.charCodeAt(0), value]));

/** RFC 4648 §4, canonical: padded, and the bits that do not count are zero. Throws DecodeError. */
export function fromBase64(text: string): Uint8Array {
  if (text.length % 4 !== 0) throw new DecodeError("base64 that is cut off");
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const size = (text.length / 4) * 3 - padding;
  const bytes = new Uint8Array(size);
  let group = 0;
  for (let i = 0, at = 0; i < text.length; i++) {
    const value = i >= text.length - padding ? 0 : values.get(text.charCodeAt(i));
    if (value === undefined) throw new DecodeError("a character that is not base64");
    group = (group << 6) | value;
    if (i % 4 !== 3) continue;
    for (let shift = 16; shift >= 0; shift -= 8) {
      const octet = (group >> shift) & 0xff;
      if (at < size) bytes[at++] = octet;
      else if (octet !== 0) throw new DecodeError("base64 with bits behind the end");
    }
    group = 0;
  }
  return bytes;
}

export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const group = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    for (let i = 0; i < 4; i++) text += at + i > bytes.length ? "=" : alphabet[(group >> (18 - 6 * i)) & 63];
  }
  return text;
}

/** The next boundary line from `from` on. Everything but white space behind the dashes makes it no boundary. */
function boundary(
  text: string,
  kind: "BEGIN" | "END",
  from: number,
): { label: string; start: number; end: number } | undefined {
  const pattern = new RegExp(`^-----${kind} ([!-,.-~](?:[ -]?[!-,.-~])*)-----[ \\t]*\\r?$`, "gm");
  pattern.lastIndex = from;
  const match = pattern.exec(text);
  return match ? { label: match[1]!, start: match.index, end: pattern.lastIndex } : undefined;
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

const malformed = (message: string): PkiFailure => new PkiFailure("malformed-pem", message, { at: "PEM" });

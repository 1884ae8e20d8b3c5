import { http3Failure } from "./failure.js";
import type { Field } from "./qpack/static-table.js";

/** Control data of a request (RFC 9114 §4.3.1) and its fields. */
export interface RequestHead {
  readonly method: string;
  /** Empty for CONNECT. */
  readonly scheme: string;
  readonly authority: string;
  /** Path and query; empty for CONNECT. */
  readonly path: string;
  readonly headers: Headers;
}

/** Control data of a response (RFC 9114 §4.3.2) and its fields. */
export interface ResponseHead {
  readonly status: number;
  readonly headers: Headers;
}

const token = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const method = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the characters that RFC 9110 §5.5 forbids
const wrongValue = /[\x00-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$/;
const scheme = /^[A-Za-z][A-Za-z0-9+.-]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: nothing that could end a line or stand for two targets
const wrongTarget = /[\x00-\x20\x7f-\xff]/;
/** Fields of one hop of HTTP/1.1, which may not come (RFC 9114 §4.2). */
const connectionSpecific: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

const wrong = (message: string, at: string) => http3Failure("malformed-message", message, { at });

/** The fields of a section, apart: pseudo-header fields of the given names, and the others. Throws for what is malformed. */
function split(fields: readonly Field[], allowed: readonly string[]): [Map<string, string>, Headers] {
  const pseudo = new Map<string, string>();
  const headers = new Headers();
  let isRegular = false;
  const cookies: string[] = [];
  for (const [name, value] of fields) {
    if (wrongValue.test(value)) throw wrong(`${name} has a value of characters that are not allowed`, name);
    if (name.startsWith(":")) {
      if (isRegular) throw wrong(`${name} behind a field`, name);
      if (!allowed.includes(name)) throw wrong(`${name} may not stand here`, name);
      if (pseudo.has(name)) throw wrong(`${name} twice`, name);
      pseudo.set(name, value);
      continue;
    }
    isRegular = true;
    if (!token.test(name)) throw wrong("a field name of characters that are not allowed", name);
    if (connectionSpecific.has(name)) throw wrong(`${name} is a field of HTTP/1.1's connections`, name);
    if (name === "te" && value.toLowerCase() !== "trailers") throw wrong("te with another value than trailers", name);
    // Cookies come in crumbs (RFC 9114 §4.2.1).
    if (name === "cookie") cookies.push(value);
    else headers.append(name, value);
  }
  if (cookies.length > 0) headers.set("cookie", cookies.join("; "));
  return [pseudo, headers];
}

/** Reads a request's header section; throws a `malformed-message` failure (RFC 9114 §4.1.2). */
export function readRequest(fields: readonly Field[]): RequestHead {
  const [pseudo, headers] = split(fields, [":method", ":scheme", ":authority", ":path"]);
  const need = (name: string): string => {
    const value = pseudo.get(name);
    if (value === undefined || value === "") throw wrong(`${name} is missing`, name);
    return value;
  };
  const asked = need(":method");
  if (!method.test(asked)) throw wrong("a method that is no token", ":method");
  const authority = pseudo.get(":authority");
  const host = headers.get("host");
  if (authority !== undefined && (wrongTarget.test(authority) || authority.includes("@"))) {
    throw wrong("an authority that is none", ":authority");
  }
  if (asked === "CONNECT") {
    if (pseudo.has(":scheme") || pseudo.has(":path")) throw wrong("CONNECT has an authority alone", ":method");
    return { method: asked, scheme: "", authority: need(":authority"), path: "", headers };
  }
  const target = need(":path");
  const its = need(":scheme");
  if (!scheme.test(its)) throw wrong("a scheme that is none", ":scheme");
  if (wrongTarget.test(target) || !(target.startsWith("/") || (target === "*" && asked === "OPTIONS"))) {
    throw wrong("a path that is none", ":path");
  }
  if (authority !== undefined && host !== null && authority !== host) throw wrong("host is not :authority", "host");
  if (/^https?$/i.test(its) && !(authority ?? host)) throw wrong("neither :authority nor host", ":authority");
  return { method: asked, scheme: its, authority: authority ?? host ?? "", path: target, headers };
}

/** Reads a response's header section; throws a `malformed-message` failure. */
export function readResponse(fields: readonly Field[]): ResponseHead {
  const [pseudo, headers] = split(fields, [":status"]);
  const text = pseudo.get(":status") ?? "";
  // 101 has no meaning here (RFC 9114 §4.5).
  if (!/^[1-9][0-9]{2}$/.test(text) || text === "101") throw wrong(`${text || "no"} status`, ":status");
  return { status: Number(text), headers };
}

/** Reads a trailer section, which has no pseudo-header fields. */
export const readTrailers = (fields: readonly Field[]): Headers => split(fields, [])[1];

/** How many bytes the message says its content has. Throws if it says so badly or twice differently. */
export function contentLength(headers: Headers): number | undefined {
  const text = headers.get("content-length");
  if (text === null) return undefined;
  const values = new Set(text.split(",").map((each) => each.trim()));
  const [value] = values;
  if (values.size !== 1 || !/^[0-9]{1,15}$/.test(value!))
    throw wrong("a content-length that is none", "content-length");
  return Number(value);
}

/** Fields in the order of the wire, control data first. Throws `misuse` for what may not be sent. */
export function writeFields(pseudo: readonly Field[], headers: Headers): Field[] {
  const fields: Field[] = [...pseudo];
  for (const [name, value] of pseudo) {
    if (wrongValue.test(value) || (name === ":path" && wrongTarget.test(value))) {
      throw http3Failure("misuse", `${name} has characters that are not allowed`, { at: name });
    }
  }
  for (const [name, value] of headers) {
    if (connectionSpecific.has(name) || (name === "te" && value.toLowerCase() !== "trailers")) {
      throw http3Failure("misuse", `${name} cannot be sent by HTTP/3`, { at: name });
    }
    // Characters above 0xff cannot stand in Headers.
    fields.push([name, value]);
  }
  return fields;
}

/** Has a response to `method` with this status no content, whatever it says of its length? (RFC 9110 §6.4.1) */
export const hasNoContent = (method: string, status: number): boolean =>
  method === "HEAD" || status < 200 || status === 204 || status === 304;

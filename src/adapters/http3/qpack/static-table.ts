/** One field line: name in lower case, value; characters are bytes (latin1), as HTTP has them. */
export type Field = readonly [name: string, value: string];

/** RFC 9204 Appendix A, in its order: a name with the values of its run of entries. */
const runs: readonly (readonly [name: string, ...values: string[]])[] = [
  [":authority", ""],
  [":path", "/"],
  ["age", "0"],
  ["content-disposition", ""],
  ["content-length", "0"],
  ["cookie", ""],
  ["date", ""],
  ["etag", ""],
  ["if-modified-since", ""],
  ["if-none-match", ""],
  ["last-modified", ""],
  ["link", ""],
  ["location", ""],
  ["referer", ""],
  ["set-cookie", ""],
  [":method", "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"],
  [":scheme", "http", "https"],
  [":status", "103", "200", "304", "404", "503"],
  ["accept", "*/*", "application/dns-message"],
  ["accept-encoding", "gzip, deflate, br"],
  ["accept-ranges", "bytes"],
  ["access-control-allow-headers", "cache-control", "content-type"],
  ["access-control-allow-origin", "*"],
  [
    "cache-control",
    "max-age=0",
    "max-age=2592000",
    "max-age=604800",
    "no-cache",
    "no-store",
    "public, max-age=31536000",
  ],
  ["content-encoding", "br", "gzip"],
  [
    "content-type",
    "application/dns-message",
    "application/javascript",
    "application/json",
    "application/x-www-form-urlencoded",
    "image/gif",
    "image/jpeg",
    "image/png",
    "text/css",
    "text/html; charset=utf-8",
    "text/plain",
    "text/plain;charset=utf-8",
  ],
  ["range", "bytes=0-"],
  [
    "strict-transport-security",
    "max-age=31536000",
    "max-age=31536000; includesubdomains",
    "max-age=31536000; includesubdomains; preload",
  ],
  ["vary", "accept-encoding", "origin"],
  ["x-content-type-options", "nosniff"],
  ["x-xss-protection", "1; mode=block"],
  [":status", "100", "204", "206", "302", "400", "403", "421", "425", "500"],
  ["accept-language", ""],
  ["access-control-allow-credentials", "FALSE", "TRUE"],
  ["access-control-allow-headers", "*"],
  ["access-control-allow-methods", "get", "get, post, options", "options"],
  ["access-control-expose-headers", "content-length"],
  ["access-control-request-headers", "content-type"],
  ["access-control-request-method", "get", "post"],
  ["alt-svc", "clear"],
  ["authorization", ""],
  ["content-security-policy", "script-src 'none'; object-src 'none'; base-uri 'none'"],
  ["early-data", "1"],
  ["expect-ct", ""],
  ["forwarded", ""],
  ["if-range", ""],
  ["origin", ""],
  ["purpose", "prefetch"],
  ["server", ""],
  ["timing-allow-origin", "*"],
  ["upgrade-insecure-requests", "1"],
  ["user-agent", ""],
  ["x-forwarded-for", ""],
  ["x-frame-options", "deny", "sameorigin"],
];

/** The static table: index → field line. */
export const staticTable: readonly Field[] = runs.flatMap(([name, ...values]) =>
  values.map((value): Field => [name, value]),
);

const lines = new Map<string, Map<string, number>>();
const names = new Map<string, number>();
for (const [index, [name, value]] of staticTable.entries()) {
  if (!names.has(name)) names.set(name, index);
  let values = lines.get(name);
  if (values === undefined) lines.set(name, (values = new Map()));
  if (!values.has(value)) values.set(value, index);
}

/** Where a whole field line stands. */
export const findLine = (name: string, value: string): number | undefined => lines.get(name)?.get(value);

/** The first entry with this name. */
export const findName = (name: string): number | undefined => names.get(name);

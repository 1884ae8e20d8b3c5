import { createHash, timingSafeEqual } from "node:crypto";
import {
  type Agent,
  createServer as createHttpServer,
  type Server as HttpServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { associate } from "./associate.js";
import { associationsMax, connectionsMax, handshakeMs, socksMessageMax } from "./limits.js";
import {
  type Credentials,
  type Parsed,
  parseCredentials,
  parseGreeting,
  parseRequest,
  type SocksTarget,
  socksCommands,
  socksMethods,
  socksReplies,
  socksVersion,
  writeReply,
} from "./socks.js";
import { relay, type Way } from "./way.js";

export interface ProxyOptions {
  /** Who may use it; without, everyone who reaches its port. */
  readonly credentials?: Credentials;
  /** For plain `http:` URLs that a client asks an HTTP proxy for; without, CONNECT alone. */
  readonly agent?: Agent;
}

/**
 * A proxy into a tunnel: SOCKS5 (RFC 1928: CONNECT, UDP ASSOCIATE; RFC 1929) and HTTP (RFC 9110 §9.3.6: CONNECT, and plain
 * requests) on one port, told apart by their first byte. Names are looked up inside the tunnel.
 */
export class ProxyServer {
  readonly #way: Way;
  readonly #options: ProxyOptions;
  readonly #server: Server;
  readonly #http: HttpServer;
  readonly #clients = new Set<Socket>();
  /** Who has to say something, or to go, before the time is over. */
  readonly #limits = new WeakMap<Duplex, NodeJS.Timeout>();
  #associations = 0;

  constructor(way: Way, options: ProxyOptions = {}) {
    this.#way = way;
    this.#options = options;
    this.#http = createHttpServer((request, response) => this.#plain(request, response));
    this.#http.on("connect", (request, socket, head) => this.#connect(request, socket, head));
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#arrived(socket));
    this.#server.maxConnections = connectionsMax;
  }

  /** Clients that are connected now. */
  get clients(): number {
    return this.#clients.size;
  }

  /** Listens, on a free port if `port` is zero, and answers where. Rejects with Node's error. */
  listen(port: number, host: string): Promise<{ readonly address: string; readonly port: number }> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject).listen(port, host, () => {
        this.#server.off("error", reject);
        resolve(this.#server.address() as { address: string; port: number });
      });
    });
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const client of this.#clients) client.destroy();
    this.#http.close();
    await closed;
  }

  #arrived(socket: Socket): void {
    this.#clients.add(socket);
    this.#limit(socket);
    socket.once("close", () => {
      this.#unlimit(socket);
      this.#clients.delete(socket);
    });
    socket.on("error", () => socket.destroy());
    socket.once("readable", () => {
      const first: Buffer | null = socket.read();
      if (first === null) return void socket.destroy();
      socket.unshift(first);
      if (first[0] === socksVersion) {
        this.#socks(socket).catch(() => socket.destroy());
        return;
      }
      // node:http limits only the connections of its own listeners, so the limit here holds until a request is whole.
      this.#http.emit("connection", socket);
      process.nextTick(() => socket.resume());
    });
  }

  #limit(socket: Duplex): void {
    this.#unlimit(socket);
    this.#limits.set(socket, setTimeout(() => socket.destroy(), handshakeMs).unref());
  }

  #unlimit(socket: Duplex): void {
    clearTimeout(this.#limits.get(socket));
  }

  /** The last word. A client that does not hang up is hung up on. */
  #refuse(socket: Duplex, word: Uint8Array | string): void {
    socket.end(word);
    socket.resume();
    this.#limit(socket);
  }

  // ── SOCKS ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async #socks(socket: Socket): Promise<void> {
    const { credentials } = this.#options;
    const method = credentials === undefined ? socksMethods.none : socksMethods.password;
    const offered = await take(socket, parseGreeting);
    if (!offered.includes(method)) {
      this.#refuse(socket, Uint8Array.of(socksVersion, socksMethods.unacceptable));
      return;
    }
    socket.write(Uint8Array.of(socksVersion, method));
    if (credentials !== undefined) {
      const isRight = matches(await take(socket, parseCredentials), credentials);
      if (!isRight) {
        this.#refuse(socket, Uint8Array.of(1, 1));
        return;
      }
      socket.write(Uint8Array.of(1, 0));
    }
    const request = await take(socket, parseRequest);
    this.#unlimit(socket);
    if (request === "unknown-address") this.#refuse(socket, writeReply(socksReplies.addressUnsupported));
    else if (request.command === socksCommands.connect) this.#socksConnect(socket, request);
    else if (request.command === socksCommands.udpAssociate && this.#associations < associationsMax) {
      this.#associations++;
      socket.once("close", () => this.#associations--);
      const { address, port } = await associate(socket, this.#way);
      socket.write(writeReply(socksReplies.succeeded, address, port));
    } else this.#refuse(socket, writeReply(socksReplies.commandUnsupported));
  }

  #socksConnect(socket: Socket, { host, port }: SocksTarget): void {
    const far = this.#way.connect({ host, port, allowHalfOpen: true });
    const failed = (error: NodeJS.ErrnoException) => this.#refuse(socket, writeReply(replyFor(error.code)));
    const gone = () => far.destroy();
    socket.once("close", gone);
    far.once("error", failed);
    far.once("connect", () => {
      far.off("error", failed);
      socket.off("close", gone);
      socket.write(writeReply(socksReplies.succeeded, far.localAddress, far.localPort));
      relay(socket, far);
    });
  }

  // ── HTTP ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #connect(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#unlimit(socket);
    socket.on("error", () => socket.destroy());
    const target = authorityOf(request.url ?? "");
    const refusal = this.#isAllowed(request) ? (target === undefined ? "400 Bad Request" : undefined) : unauthorized;
    if (refusal !== undefined || target === undefined) {
      this.#refuse(socket, `HTTP/1.1 ${refusal}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      return;
    }
    const far = this.#way.connect({ ...target, allowHalfOpen: true });
    const gone = () => far.destroy();
    const failed = (error: NodeJS.ErrnoException) => {
      const status = error.code === "ETIMEDOUT" ? "504 Gateway Timeout" : "502 Bad Gateway";
      this.#refuse(socket, `HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    };
    socket.once("close", gone);
    far.once("error", failed);
    far.once("connect", () => {
      far.off("error", failed);
      socket.off("close", gone);
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      if (head.length > 0) socket.unshift(head);
      relay(socket, far);
    });
  }

  /** A request for a whole URL (RFC 9112 §3.2.2), passed on without what is meant for the proxy alone. */
  #plain(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    this.#unlimit(socket);
    // The next request has as long to come as the first.
    response.once("finish", () => {
      if (!socket.destroyed) this.#limit(socket);
    });
    if (!this.#isAllowed(request)) {
      response.writeHead(407, { "proxy-authenticate": 'Basic realm="sealport"' }).end();
      return;
    }
    const url = URL.canParse(request.url ?? "") ? new URL(request.url!) : undefined;
    const { agent } = this.#options;
    if (url?.protocol !== "http:" || agent === undefined) return void response.writeHead(400).end();
    const { "proxy-authorization": _, "proxy-connection": __, connection: ___, ...headers } = request.headers;
    const far = httpRequest(url, { method: request.method, headers, agent }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(response);
    });
    far.on("error", () => {
      if (response.headersSent) response.destroy();
      else response.writeHead(502).end();
    });
    response.once("close", () => far.destroy());
    request.pipe(far);
  }

  #isAllowed({ headers }: IncomingMessage): boolean {
    const { credentials } = this.#options;
    if (credentials === undefined) return true;
    const [, encoded = ""] = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(headers["proxy-authorization"] ?? "") ?? [];
    const text = Buffer.from(encoded, "base64").toString();
    const colon = text.indexOf(":");
    return colon >= 0 && matches({ user: text.slice(0, colon), password: text.slice(colon + 1) }, credentials);
  }
}

const unauthorized = '407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="sealport"';

/** `host:port` or `[address]:port`, as CONNECT names its target (RFC 9112 §3.2.3). */
export function authorityOf(text: string): SocksTarget | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const host = bracketed ?? plain;
  return host === undefined || host.length > 255 || port > 65_535 || port === 0 ? undefined : { host, port };
}

/** Compares digests, so that neither content nor length shows in the time that it takes. */
function matches(given: Credentials, wanted: Credentials): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const user = timingSafeEqual(digest(given.user), digest(wanted.user));
  const password = timingSafeEqual(digest(given.password), digest(wanted.password));
  return user && password;
}

/** RFC 1928 §6, by what Node calls the failure. */
function replyFor(code: string | undefined): number {
  const known: Readonly<Record<string, number>> = {
    ECONNREFUSED: socksReplies.refused,
    ENOTFOUND: socksReplies.hostUnreachable,
    EAI_AGAIN: socksReplies.hostUnreachable,
    EHOSTUNREACH: socksReplies.hostUnreachable,
    ETIMEDOUT: socksReplies.ttlExpired,
    EACCES: socksReplies.notAllowed,
  };
  return known[code ?? ""] ?? socksReplies.failure;
}

/** Reads one message and gives back what follows it. Rejects if it is malformed, too long, or does not come. */
async function take<T>(socket: Socket, parse: (bytes: Uint8Array) => Parsed<T>): Promise<T> {
  let received = Buffer.alloc(0);
  for (;;) {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) {
      await readable(socket);
      continue;
    }
    received = Buffer.concat([received, chunk]);
    const parsed = parse(received);
    if (parsed === "bad") throw new Error("not SOCKS5");
    if (parsed !== "more") {
      if (received.length > parsed.size) socket.unshift(received.subarray(parsed.size));
      return parsed.value;
    }
    if (received.length > socksMessageMax) throw new Error("a SOCKS message without an end");
  }
}

function readable(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => () => {
      socket.off("readable", heard).off("end", gone).off("close", gone);
      settle();
    };
    const heard = done(resolve);
    const gone = done(() => reject(new Error("the client went away")));
    socket.on("readable", heard).on("end", gone).on("close", gone);
    if (socket.destroyed || socket.readableEnded) gone();
  });
}

import { syncBuiltinESMExports } from "node:module";
import net from "node:net";
import { Duplex } from "node:stream";
import tls from "node:tls";
import { parseAddress } from "../../bytes/index.js";

/**
 * Loaded by `node --import` into programs that `sealport exec` runs: TCP connections of `node:net`, and with them those of
 * `node:tls`, `node:http`, `fetch` and drivers, go through the SOCKS5 proxy that the environment names. What goes to the
 * loopback or to a Unix socket stays what it was.
 */
export const proxyVariable = "SEALPORT_EXEC";

interface Target {
  readonly host: string;
  readonly port: number;
}

/** What a socket has of Node's own that a hook needs; the same in Node 20 to 24. */
interface Innards {
  connecting: boolean;
  readonly _handle: { reading: boolean; readStart(): void };
  _writeGeneric(isVector: boolean, bytes: Buffer, encoding: string, done: () => void): void;
}

type Listener = (...args: unknown[]) => void;

const named = process.env[proxyVariable];
if (named !== undefined) install(new URL(named));

function install(proxy: URL): void {
  const plainConnect = net.Socket.prototype.connect as (this: net.Socket, ...args: unknown[]) => net.Socket;
  net.Socket.prototype.connect = function connect(this: net.Socket, ...args: unknown[]): net.Socket {
    const { options, listener } = normalized(args);
    const target = targetOf(options);
    if (target === undefined) return plainConnect.apply(this, args);
    if (listener !== undefined) this.once("connect", listener);
    through(this, target, proxy);
    const { keepAlive, keepAliveInitialDelay, noDelay } = options;
    const to = { host: proxy.hostname, port: Number(proxy.port), keepAlive, keepAliveInitialDelay, noDelay };
    return plainConnect.call(this, to);
  } as typeof net.Socket.prototype.connect;

  const plainTls = tls.connect as (...args: unknown[]) => tls.TLSSocket;
  tls.connect = ((...args: unknown[]) => {
    const { options, listener } = normalized(args);
    const target = options["socket"] === undefined ? targetOf(options) : undefined;
    if (target === undefined) return plainTls(...args);
    const socket = new Carrier(net.connect(target));
    const servername = options["servername"] ?? (net.isIP(target.host) === 0 ? target.host : undefined);
    return plainTls({ ...options, socket, ...(servername !== undefined && { servername }) }, listener);
  }) as typeof tls.connect;
  syncBuiltinESMExports();
}

/** `(options, listener)`, `(port, host, listener)`, `(path, listener)`, and the pair that Node passes to itself. */
function normalized(args: readonly unknown[]): {
  readonly options: Readonly<Record<string, unknown>>;
  readonly listener: Listener | undefined;
} {
  const given: readonly unknown[] = Array.isArray(args[0]) ? args[0] : args;
  const listener = given.find((each): each is Listener => typeof each === "function");
  const [first, second] = given;
  if (typeof first === "object" && first !== null) {
    return { options: { ...first, ...(typeof second === "object" && second) }, listener };
  }
  if (typeof first === "string" && !/^\d+$/.test(first)) return { options: { path: first }, listener };
  const more = given.find((each) => typeof each === "object" && each !== null) as object | undefined;
  return { options: { ...more, port: first, ...(typeof second === "string" && { host: second }) }, listener };
}

/** Where it goes, if that is not this machine itself. */
function targetOf({ path, port, host }: Readonly<Record<string, unknown>>): Target | undefined {
  if (typeof path === "string" || host === undefined || port === undefined) return undefined;
  const name = String(host);
  const address = parseAddress(name);
  const isOwn = name === "localhost" || address?.[0] === 127 || name === "::1" || name === "0.0.0.0" || name === "::";
  return isOwn ? undefined : { host: name, port: Number(port) };
}

/** Shakes hands with the proxy between the socket's connection and its `connect` event. */
function through(socket: net.Socket, target: Target, proxy: URL): void {
  const inner = socket as unknown as Innards;
  const own = socket as unknown as { emit?: unknown; push?: unknown };
  let isOpen = false;
  let step = 0;
  let received = Buffer.alloc(0);
  const send = (bytes: Uint8Array) => {
    inner.connecting = false;
    inner._writeGeneric(false, Buffer.from(bytes), "buffer", () => {});
    inner.connecting = true;
  };
  const fail = (code: string) => {
    restore();
    const message = `connect ${code} ${target.host}:${target.port}`;
    socket.destroy(
      Object.assign(new Error(message), { code, syscall: "connect", address: target.host, port: target.port }),
    );
  };
  const restore = () => {
    delete own.emit;
    delete own.push;
    inner.connecting = false;
  };
  const steps: readonly ((bytes: Buffer) => number)[] = [
    (bytes) => {
      if (bytes.length < 2) return 0;
      if (bytes[1] !== 2) fail("EPROTO");
      else send(credentials(proxy));
      return 2;
    },
    (bytes) => {
      if (bytes.length < 2) return 0;
      if (bytes[1] !== 0) fail("EACCES");
      else send(request(target));
      return 2;
    },
    (bytes) => {
      const size = bytes.length < 4 ? Number.POSITIVE_INFINITY : bytes[3] === 4 ? 22 : 10;
      if (bytes.length < size) return 0;
      if (bytes[1] !== 0) fail(codes[bytes[1]!] ?? "ECONNREFUSED");
      return size;
    },
  ];
  own.push = (chunk: Buffer | null): boolean => {
    if (chunk === null) {
      fail("ECONNRESET");
      return false;
    }
    received = Buffer.concat([received, chunk]);
    for (let size = steps[step]!(received); size > 0; size = steps[step]!(received)) {
      received = received.subarray(size);
      if (socket.destroyed) return false;
      if (++step < steps.length) continue;
      restore();
      socket.emit("connect");
      socket.emit("ready");
      return received.length === 0 || socket.push(received);
    }
    return true;
  };
  own.emit = (event: string, ...args: unknown[]): boolean => {
    if (event === "ready") return true;
    if (event !== "connect" || isOpen) return Reflect.apply(net.Socket.prototype.emit, socket, [event, ...args]);
    isOpen = true;
    inner._handle.reading = true;
    inner._handle.readStart();
    send(Uint8Array.of(5, 1, 2));
    return true;
  };
}

/** RFC 1929 §2. */
function credentials({ username, password }: URL): Uint8Array {
  const [user, pass] = [Buffer.from(decodeURIComponent(username)), Buffer.from(decodeURIComponent(password))];
  return Uint8Array.of(1, user.length, ...user, pass.length, ...pass);
}

/** RFC 1928 §4; a name goes as it is, so that it is looked up inside. */
function request({ host, port }: Target): Uint8Array {
  const address = parseAddress(host);
  const name = Buffer.from(host.slice(0, 255));
  const target = address === undefined ? [3, name.length, ...name] : [address.length === 4 ? 1 : 4, ...address];
  return Uint8Array.of(5, 1, 0, ...target, port >> 8, port & 0xff);
}

/** RFC 1928 §6, in Node's words. */
const codes: Readonly<Record<number, string>> = {
  2: "EACCES",
  3: "ENETUNREACH",
  4: "ENOTFOUND",
  5: "ECONNREFUSED",
  6: "ETIMEDOUT",
};

/** Carries TLS over a socket that may still be connecting: TLS takes a bare socket's handle at once, a stream's not. */
class Carrier extends Duplex {
  readonly #socket: net.Socket;

  constructor(socket: net.Socket) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => void (this.push(chunk) || socket.pause()));
    socket.on("end", () => this.push(null));
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, encoding, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}

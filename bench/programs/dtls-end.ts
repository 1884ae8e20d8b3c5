import { certificatesFromPem, identityFromPem } from "../../src/adapters/pem.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { createVerifier } from "../../src/pki/index.js";
import { connect, type DtlsSession, type DtlsSink, listen } from "../../src/protocols/dtls/index.js";
import { trust, type VerifyPeer } from "../../src/protocols/tls/index.js";
import { type PemIdentity, serverName } from "./implementation.js";
import { weriftClient, weriftServer } from "./werift-dtls.js";

export type DtlsName = "sealport" | "werift";

/** What an end of the DTLS benchmark can be told to do; each order is answered once. */
export type DtlsOrder =
  | { readonly kind: "serve"; readonly with: DtlsName; readonly identity: PemIdentity }
  /** What has been received since the last of these. */
  | { readonly kind: "received" }
  /** Messages of 1,200 bytes for so long, to one server. */
  | {
      readonly kind: "send";
      readonly with: DtlsName;
      readonly port: number;
      readonly trust: string;
      readonly ms: number;
    }
  | { readonly kind: "hold"; readonly port: number; readonly trust: string; readonly count: number }
  | { readonly kind: "weigh" };

export interface Counted {
  readonly count: number;
  readonly ms: number;
}

const message = 1_200;
/** So that a message of 1,200 bytes is one datagram. */
const mtu = 1_400;
const host = nodeHost();
const only = {
  versions: ["1.2"],
  suites: ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
  groups: ["x25519", "secp256r1"],
  mtu,
} as const;
let received = 0;
let first = 0;
let last = 0;
const held: DtlsSession[] = [];

const count = (): void => {
  last = performance.now();
  if (received++ === 0) first = last;
};

async function serve(identity: PemIdentity): Promise<number> {
  const options = { ...only, identity: identityFromPem({ ...identity, provider: host.crypto }) };
  const sink: DtlsSink = { datagrams: count, closed: () => {} };
  const listener = await listen(host, { address: "127.0.0.1", port: 0 }, options, () => sink);
  return listener.local.port;
}

const verifiers = new Map<string, VerifyPeer>();

function verifierOf(pem: string): VerifyPeer {
  const known = verifiers.get(pem);
  if (known !== undefined) return known;
  const made = trust(createVerifier({ provider: host.crypto, anchors: certificatesFromPem(pem) }));
  verifiers.set(pem, made);
  return made;
}

interface Opened {
  readonly session: DtlsSession;
  writable: (() => void) | undefined;
}

async function open(port: number, pem: string): Promise<Opened> {
  const options = { ...only, serverName, verify: verifierOf(pem) };
  const opened: { session?: DtlsSession; writable: (() => void) | undefined } = { writable: undefined };
  const sink: DtlsSink = {
    datagrams: () => {},
    writable: () => opened.writable?.(),
    closed: () => {},
  };
  opened.session = connect(host, { address: "127.0.0.1", port }, options, sink);
  await opened.session.confirmed;
  return opened as Opened;
}

async function send(port: number, pem: string, ms: number): Promise<number> {
  const opened = await open(port, pem);
  const { session } = opened;
  const bytes = new Uint8Array(32 * message);
  let sent = 0;
  for (const end = performance.now() + ms; performance.now() < end; ) {
    session.send(bytes, undefined, message);
    sent += 32;
    if (session.blocked) await new Promise<void>((go) => (opened.writable = go));
    else await new Promise<void>((go) => setImmediate(go));
  }
  session.close();
  return sent;
}

async function timed(ms: number, once: () => Promise<void>): Promise<Counted> {
  const started = performance.now();
  let done = 0;
  for (; performance.now() - started < ms; done++) await once();
  return { count: done, ms: performance.now() - started };
}

async function carryOut(order: DtlsOrder): Promise<object> {
  switch (order.kind) {
    case "serve":
      return {
        port: order.with === "sealport" ? await serve(order.identity) : await weriftServer(order.identity, count),
      };
    case "received": {
      const answer: Counted = { count: received, ms: last - first };
      received = 0;
      return answer;
    }
    case "send": {
      if (order.with === "sealport") return { count: await send(order.port, order.trust, order.ms), ms: order.ms };
      const client = await weriftClient(order.port);
      const bytes = Buffer.alloc(message);
      const done = await timed(order.ms, () => client.send(bytes));
      client.close();
      return done;
    }
    case "hold":
      for (let i = 0; i < order.count; i++) held.push((await open(order.port, order.trust)).session);
      return {};
    case "weigh":
      globalThis.gc?.();
      globalThis.gc?.();
      return { rss: process.memoryUsage().rss };
  }
}

process.on("message", (order: DtlsOrder) => {
  carryOut(order).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});

import { certificatesFromPem, identityFromPem } from "../../src/adapters/pem.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { createVerifier } from "../../src/pki/index.js";
import {
  ClientSessionCache,
  connect,
  listen,
  MemorySessionStore,
  TicketKeyRing,
  type TlsSession,
  type TlsSink,
  trust,
} from "../../src/protocols/tls/index.js";
import { type Link, serverName, suite, type TlsImplementation } from "./implementation.js";

const host = nodeHost();
const only = { versions: ["1.3"], suites: [suite], groups: ["x25519"] } as const;

export const sealportTls: TlsImplementation = {
  name: "sealport",
  async serve(pem, accepted) {
    const identity = identityFromPem(pem);
    const tickets = new TicketKeyRing({ crypto: host.crypto, entropy: host.entropy });
    const options = { ...only, identity, tickets };
    const listener = await listen(host, { address: "127.0.0.1", port: 0 }, options, (session) => {
      const end = new End(session);
      session.confirmed.then(
        () => accepted(end),
        (error: Error) => process.emitWarning(error),
      );
      return end;
    });
    return listener.local.port;
  },
  async connect(port, { trust: pem, resume }) {
    let verify = verifiers.get(pem);
    if (verify === undefined) {
      verify = trust(createVerifier({ provider: host.crypto, anchors: certificatesFromPem(pem) }));
      verifiers.set(pem, verify);
    }
    const store = resume instanceof MemorySessionStore ? resume : new MemorySessionStore();
    const end = new End(undefined, store);
    const options = { ...only, serverName, verify, sessions: new ClientSessionCache(store), sessionScope: { port: 1 } };
    end.session = connect(host, { address: "127.0.0.1", port }, options, end);
    await end.session.confirmed;
    return end;
  },
};

const verifiers = new Map<string, ReturnType<typeof trust>>();

/** A session as a link. A ticket serves once, so what resumes is the store that each connection adds to. */
class End implements TlsSink, Link {
  session!: TlsSession;
  readonly #store: MemorySessionStore | undefined;
  #receive: ((bytes: Uint8Array) => void) | undefined;
  #early: Uint8Array[] = [];
  #drained: (() => void) | undefined;
  #ticket = false;
  #waiting: (() => void) | undefined;

  constructor(session: TlsSession | undefined, store?: MemorySessionStore) {
    if (session !== undefined) this.session = session;
    this.#store = store;
  }

  get resumed(): boolean {
    return this.session.outcome?.mode === "resumed";
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.session.write(bytes)) return undefined;
    return new Promise((drained) => (this.#drained = drained));
  }

  receive(call: (bytes: Uint8Array) => void): void {
    this.#receive = call;
    for (const bytes of this.#early.splice(0)) call(bytes);
  }

  async resumable(): Promise<unknown> {
    if (!this.#ticket) await new Promise<void>((came) => (this.#waiting = came));
    return this.#store;
  }

  close(): void {
    this.session.abort();
  }

  bytes(bytes: Uint8Array): void {
    if (this.#receive === undefined) this.#early.push(bytes.slice());
    else this.#receive(bytes);
  }

  drained(): void {
    this.#drained?.();
  }

  ticket(): void {
    this.#ticket = true;
    this.#waiting?.();
  }

  ended(): void {}

  closed(): void {}
}

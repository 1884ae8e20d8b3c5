import { certificatesFromPem, identityFromPem } from "../../src/adapters/pem.js";
import type { SessionStreamSink } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { createVerifier } from "../../src/pki/index.js";
import {
  connect,
  listen,
  type QuicOptions,
  type QuicSession,
  type QuicStream,
} from "../../src/protocols/quic/index.js";
import { trust } from "../../src/protocols/tls/index.js";
import { serverName } from "./implementation.js";
import {
  applicationProtocol,
  askedFor,
  filling,
  type QuicImplementation,
  type QuicLink,
  question,
} from "./quic-implementation.js";

const host = nodeHost();
const only = {
  suites: ["TLS_AES_128_GCM_SHA256"],
  groups: ["x25519"],
  alpn: [applicationProtocol],
  peerBidirectionalStreams: 1_000,
} as const satisfies QuicOptions;

export const sealportQuic: QuicImplementation = {
  name: "sealport",
  async serve(pem) {
    const options = { ...only, identity: identityFromPem(pem) };
    const listener = await listen(host, { address: "127.0.0.1", port: 0 }, options, () => ({
      stream: (stream) => new Answering(stream),
      closed: () => undefined,
    }));
    return listener.local.port;
  },
  async connect(port, pem, alpn = applicationProtocol) {
    let verify = verifiers.get(pem);
    if (verify === undefined) {
      verify = trust(createVerifier({ provider: host.crypto, anchors: certificatesFromPem(pem) }));
      verifiers.set(pem, verify);
    }
    const options = { ...only, alpn: [alpn], serverName, verify };
    const session = connect(host, { address: "127.0.0.1", port }, options, {
      stream: () => undefined,
      closed: () => undefined,
    });
    await session.confirmed;
    return new Link(session);
  },
};

const verifiers = new Map<string, ReturnType<typeof trust>>();

class Link implements QuicLink {
  readonly #session: QuicSession;

  constructor(session: QuicSession) {
    this.#session = session;
  }

  ask(bytes: number): Promise<void> {
    return new Promise((done, failed) => {
      let left = bytes;
      const stream = this.#session.openStream({
        bytes: (piece) => {
          left -= piece.length;
        },
        ended: () => (left === 0 ? done() : failed(new Error(`${left} bytes are missing`))),
        drained: () => undefined,
        closed: (failure) => failure && failed(failure),
      });
      stream.write(question(bytes));
      stream.finish();
    });
  }

  close(): void {
    this.#session.close();
  }
}

/** The server's end of a stream. */
class Answering implements SessionStreamSink {
  readonly #stream: QuicStream;
  readonly #asked = new Uint8Array(8);
  #size = 0;
  #left = 0;

  constructor(stream: QuicStream) {
    this.#stream = stream;
  }

  bytes(bytes: Uint8Array): void {
    this.#asked.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  ended(): void {
    this.#left = askedFor(this.#asked);
    this.drained();
  }

  drained(): void {
    while (this.#left > 0) {
      const piece = filling.subarray(0, Math.min(filling.length, this.#left));
      this.#left -= piece.length;
      const goOn = this.#stream.write(piece);
      if (this.#left === 0) this.#stream.finish();
      if (!goOn) return;
    }
  }

  closed(): void {}
}

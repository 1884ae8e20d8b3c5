import { identityFromPem } from "../../src/adapters/pem.js";
import type { SocketAddress } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { parseCertificate } from "../../src/pki/index.js";
import { type DtlsClientOptions, DtlsEndpoint, type DtlsEvent } from "../../src/protocols/dtls/index.js";
import type { TlsVersion } from "../../src/protocols/tls/index.js";
import { type PemIdentity, serverName } from "./implementation.js";

const client: SocketAddress = { address: "10.0.0.1", port: 1 };
const server: SocketAddress = { address: "10.0.0.2", port: 2 };
const suites = {
  "1.3": "TLS_AES_128_GCM_SHA256",
  "1.2": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
} as const;
const message = 1_200;
const batch = 32;

/** Both ends in one process without a network: what the machines themselves can do on one core. */
export class DtlsMachines {
  readonly #host = nodeHost();
  readonly #version: TlsVersion;
  readonly #identity: ReturnType<typeof identityFromPem>;
  readonly #buffer = new Uint8Array(131_072);
  #a!: DtlsEndpoint;
  #b: DtlsEndpoint;
  #nextA = 1;
  received = 0;

  constructor(version: TlsVersion, identity: PemIdentity) {
    this.#version = version;
    this.#identity = identityFromPem({ ...identity, provider: this.#host.crypto });
    this.#b = this.#server();
  }

  #server(): DtlsEndpoint {
    const { crypto, entropy } = this.#host;
    const options = { identity: this.#identity, versions: [this.#version], addressValidation: "none" as const };
    return new DtlsEndpoint({ crypto, entropy }, { server: { ...options, mtu: 1_400 } });
  }

  /** One full handshake. */
  shake(): void {
    const { crypto, entropy } = this.#host;
    this.#a ??= new DtlsEndpoint({ crypto, entropy });
    const now = this.#host.now();
    const association = this.#nextA;
    this.#nextA += 2;
    const options: DtlsClientOptions = {
      versions: [this.#version],
      suites: [suites[this.#version]],
      groups: ["x25519", "secp256r1"],
      serverName,
      mtu: 1_400,
    };
    this.#a.handle({ kind: "connect", association, remote: server, options }, now);
    this.#talk();
  }

  /** Forgets all sessions at the client; the server forgets each when the next comes from its address. */
  forget(association = this.#nextA - 2): void {
    this.#a.handle({ kind: "abort", association }, this.#host.now());
    this.#talk();
  }

  /** Seals, carries and opens so many batches of messages. */
  move(batches: number): void {
    const bytes = new Uint8Array(batch * message);
    const ends = Uint32Array.from({ length: batch }, (_, i) => (i + 1) * message);
    const now = this.#host.now();
    for (let i = 0; i < batches; i++) {
      this.#a.handle({ kind: "send", association: this.#nextA - 2, batch: { bytes, ends, count: batch } }, now);
      this.#talk();
    }
  }

  #talk(): void {
    for (let moved = true; moved; ) {
      moved = false;
      for (const [from, to, at] of [
        [this.#a, this.#b, client],
        [this.#b, this.#a, server],
      ] as const) {
        const now = this.#host.now();
        for (let event = from.event(); event !== undefined; event = from.event()) {
          moved = true;
          this.#event(from, event);
        }
        for (let t = from.transmit(this.#buffer, now); t !== undefined; t = from.transmit(this.#buffer, now)) {
          moved = true;
          const bytes = this.#buffer.subarray(0, t.size);
          const segmentSize = t.segmentSize ?? t.size;
          to.handle(
            { kind: "datagrams", bytes, from: at, to: at === client ? server : client, segmentSize, ecn: 0 },
            now,
          );
          for (let event = to.event(); event !== undefined; event = to.event()) this.#event(to, event);
        }
      }
    }
  }

  #event(end: DtlsEndpoint, event: DtlsEvent): void {
    if (event.kind === "data") this.received += event.count;
    if (event.kind !== "question") return;
    const { question, id } = event;
    let answer: unknown;
    if (question.kind === "select-identity") answer = this.#identity;
    else if (question.kind === "sign") answer = this.#identity.sign(question.algorithm, question.message);
    else if (question.kind === "verify-peer") {
      // As OpenSSL's program beside it, which validates nothing either.
      const leaf = parseCertificate(question.certificates[0]!);
      const publicKey = "spki" in leaf ? this.#host.crypto.publicKey(leaf.spki) : undefined;
      answer = { trusted: true, publicKey, peer: { kind: "certificate", chain: question.certificates, publicKey } };
    }
    end.handle({ kind: "answer", id, answer }, this.#host.now());
  }
}

import { createHash } from "node:crypto";
import { equal } from "../../../bytes/index.js";
import { Secret } from "../../../contract/index.js";
import {
  ClientSessionCache,
  MemorySessionStore,
  type SessionStore,
  StrikeRegister,
  TicketKeyRing,
  type TlsClientOptions,
  type TlsIdentity,
  type TlsServerOptions,
} from "../../../protocols/tls/index.js";
import { see } from "../../probe.js";
import type { Stage } from "./stage.js";

const name = "survey.test";

/** IPK: two identities, chosen by SNI, whose keys sign somewhere else and some time later. */
export async function identities(stage: Stage, signal: AbortSignal): Promise<string> {
  let signatures = 0;
  const elsewhere = (identity: TlsIdentity): TlsIdentity => ({
    ...identity,
    sign: async (algorithm, message) => {
      await new Promise((later) => setTimeout(later, 1));
      signatures++;
      return identity.sign(algorithm, message, signal);
    },
  });
  const names = ["a.survey.test", "b.survey.test"] as const;
  const [a, b] = await Promise.all(names.map(async (each) => elsewhere(await stage.authority.identity(each))));
  const server: TlsServerOptions = { identity: ({ serverName }) => (serverName === names[1] ? b : a) };
  for (const [serverName, identity] of [
    [names[0], a],
    [names[1], b],
  ] as const) {
    await using meeting = await stage.meet({ serverName, verify: stage.authority.verify }, server);
    const { peer } = meeting.outcome.client;
    see(peer?.kind === "certificate", "the server's certificate");
    see(equal(peer.chain[0]!, identity!.certificates[0]!), `the certificate of ${serverName}`);
  }
  see(signatures === 2, "a signature by the asynchronous signer in each handshake");
  const refusing: TlsIdentity = { ...a!, sign: async () => undefined };
  const refused = await stage.clash({ serverName: names[0], verify: stage.authority.verify }, { identity: refusing });
  see(refused.server.reason === "signer-refused", "that a signer which refuses ends the handshake");
  const others: string[] = [];
  if (stage.openssl !== undefined) {
    await using reception = await stage.receive(server);
    await using client = await stage.openssl.connect(reception.port, ["-servername", names[1]], signal);
    await client.says(new RegExp(`CN ?= ?${names[1]}`));
    await client.says(/Verify return code: 0/);
    others.push(`; ${stage.openssl.name} was shown ${names[1]} too`);
  }
  return `${names.join(" and ")} each showed their own certificate by SNI, signed by an asynchronous signer; one that refuses ends the handshake${others.join("")}`;
}

/** ALG: lists narrow what is agreed, and lists that share nothing end the handshake. */
export async function algorithms(stage: Stage, signal: AbortSignal): Promise<string> {
  const server: TlsServerOptions = { identity: await stage.authority.identity(name) };
  const client: TlsClientOptions = { serverName: name, verify: stage.authority.verify, versions: ["1.3"] };
  const lists = [
    { suite: "TLS_AES_256_GCM_SHA384", group: "secp384r1" },
    { suite: "TLS_CHACHA20_POLY1305_SHA256", group: "x25519" },
  ] as const;
  for (const { suite, group } of lists) {
    await using meeting = await stage.meet({ ...client, suites: [suite], groups: [group] }, server);
    const { outcome } = meeting;
    see(outcome.client.suite === suite && outcome.server.suite === suite, `${suite} after it alone was allowed`);
    see(outcome.client.group === group && outcome.server.group === group, `${group} after it alone was allowed`);
  }
  const clash = await stage.clash({ ...client, groups: ["x25519"] }, { ...server, groups: ["secp256r1"] });
  see(clash.server.fault === "incompatible", "that lists without a common group end the handshake");
  see(clash.client.fault === "incompatible", "that the client is told so");
  let others = "";
  if (stage.openssl !== undefined) {
    await using peer = await stage.openssl.serve([name], ["-tls1_3", "-groups", "P-521"], signal);
    await using visit = await stage.visit(peer.port, { ...client, groups: ["x25519", "secp521r1"] });
    see(visit.outcome.group === "secp521r1", "the one group that OpenSSL allows");
    others = `; ${stage.openssl.name} with P-521 alone got secp521r1`;
  }
  return `${lists.map(({ suite, group }) => `${suite} with ${group}`).join(", then ")}, as allowed; x25519 against secp256r1 fails as ${clash.server.reason}${others}`;
}

/** EXT: ALPN, and an extension that TLS does not know, offered and answered. */
export async function extensions(stage: Stage, signal: AbortSignal): Promise<string> {
  const type = 0xff5e;
  const offered = new TextEncoder().encode("survey");
  const reversed = (bytes: Uint8Array) => Uint8Array.from(bytes).reverse();
  const server: TlsServerOptions = {
    identity: await stage.authority.identity(name),
    alpn: ["survey/2", "survey/1"],
    extensions: [{ type, data: (bytes) => bytes && reversed(bytes) }],
  };
  const client: TlsClientOptions = {
    serverName: name,
    verify: stage.authority.verify,
    alpn: ["survey/1"],
    extensions: [{ type, data: offered, required: true }],
  };
  {
    await using meeting = await stage.meet(client, server);
    const { outcome } = meeting;
    see(outcome.client.alpn === "survey/1" && outcome.server.alpn === "survey/1", "survey/1 at both ends");
    const seen = outcome.server.extensions.get(type);
    see(seen !== undefined && equal(seen, offered), "the client's extension at the server");
    const answered = outcome.client.extensions.get(type);
    see(answered !== undefined && equal(answered, reversed(offered)), "the server's answer at the client");
  }
  const clash = await stage.clash({ ...client, alpn: ["other"] }, server);
  see(clash.server.reason === "no-common-application-protocol", "that ALPN without a common name ends the handshake");
  let others = "";
  if (stage.openssl !== undefined) {
    await using peer = await stage.openssl.serve([name], ["-alpn", "survey/2,survey/1"], signal);
    await using visit = await stage.visit(peer.port, {
      serverName: name,
      verify: stage.authority.verify,
      alpn: ["survey/2"],
    });
    see(visit.outcome.alpn === "survey/2", "survey/2 with OpenSSL");
    others = `; ${stage.openssl.name} agreed on survey/2`;
  }
  return `ALPN survey/1 at both ends, and extension 0x${type.toString(16)} with ${offered.length} bytes was offered, seen and answered; ALPN without a common name is refused${others}`;
}

/** CM: a session goes through the application's own asynchronous store, is resumed, and then carries 0-RTT data. */
export async function sessionCache(stage: Stage, signal: AbortSignal): Promise<string> {
  const { crypto, entropy } = stage.host;
  const counted = new CountingStore();
  const client: TlsClientOptions = {
    serverName: name,
    verify: stage.authority.verify,
    sessions: new ClientSessionCache(counted),
    sessionScope: { port: 1 },
    earlyData: true,
  };
  const server: TlsServerOptions = {
    identity: await stage.authority.identity(name),
    tickets: new TicketKeyRing({ crypto, entropy }),
    earlyDataMax: 16_384,
    antiReplay: new StrikeRegister(stage.host.now() - 60_000),
  };
  {
    await using first = await stage.meet(client, server);
    see(first.outcome.client.mode === "full", "a full handshake first");
    await first.client.getsTickets(1);
  }
  await counted.added(1);
  {
    await using second = await stage.meet(client, server);
    see(second.outcome.client.mode === "resumed" && second.outcome.server.mode === "resumed", "a resumption");
    await second.client.getsTickets(1);
  }
  see(counted.taken >= 1, "the session coming out of the application's store");
  const words = new TextEncoder().encode("early words");
  await using third = await stage.meet(client, server, { early: words });
  see(third.outcome.client.earlyData === "accepted", "that early data are accepted");
  see(equal(await third.server.hearsEarly(words.length), words), "the early words at the server");
  see(third.outcome.server.roundTrips === 0, "zero round trips");
  let others = "";
  if (stage.openssl !== undefined) {
    const sessions = new ClientSessionCache(new MemorySessionStore());
    const options = { serverName: name, verify: stage.authority.verify, sessions };
    await using peer = await stage.openssl.serve([name], ["-tls1_3"], signal);
    {
      await using visit = await stage.visit(peer.port, options);
      await visit.client.getsTickets(1);
    }
    await using visit = await stage.visit(peer.port, options);
    see(visit.outcome.mode === "resumed", "a resumption with OpenSSL");
    others = `; resumed with ${stage.openssl.name}`;
  }
  return `a ticket went into an asynchronous store of the application's (${counted.puts} in, ${counted.taken} out), was resumed, and the next carried ${words.length} bytes of 0-RTT data${others}`;
}

/** PSKI: an imported key authenticates both ends without a certificate; a wrong one fails. */
export async function preSharedKeys(stage: Stage, signal: AbortSignal): Promise<string> {
  const identity = new TextEncoder().encode("survey");
  const bytes = stage.host.entropy.fill(new Uint8Array(32));
  const psk = () => ({ identity, key: Secret.copy(bytes) });
  const wrong = () => ({ identity, key: new Secret(bytes.map((each) => each ^ 1)) });
  {
    await using meeting = await stage.meet({ psks: [psk()] }, { psks: async () => psk() });
    see(meeting.outcome.client.mode === "psk" && meeting.outcome.server.mode === "psk", "the mode psk at both ends");
    const { peer } = meeting.outcome.server;
    see(peer?.kind === "pre-shared-key" && equal(peer.identity, identity), "the key's identity at the server");
    meeting.client.say("by key alone");
    await meeting.server.hearsText("by key alone");
  }
  const clash = await stage.clash({ psks: [wrong()] }, { psks: [psk()] });
  see(clash.server.reason === "bad-binder", "that a wrong key fails");
  let others = "";
  if (stage.openssl !== undefined) {
    const hex = Buffer.from(bytes).toString("hex");
    const args = ["-tls1_3", "-nocert", "-psk", hex, "-psk_identity", "survey"];
    await using peer = await stage.openssl.serve([], args, signal);
    await using visit = await stage.visit(peer.port, { psks: [psk()] });
    see(visit.outcome.mode === "psk", "the mode psk with OpenSSL");
    others = `; ${stage.openssl.name} with the same key accepted it`;
  }
  return `a 32-byte key, found by an asynchronous look-up, authenticated both ends without certificates; another key fails as ${clash.server.reason}${others}`;
}

/** The application's own store: asynchronous, and it counts. */
class CountingStore implements SessionStore {
  puts = 0;
  taken = 0;
  readonly #inner = new MemorySessionStore();
  #watchers: (() => void)[] = [];

  async add(...[key, session]: Parameters<SessionStore["add"]>): Promise<void> {
    await new Promise((later) => setTimeout(later, 1));
    this.#inner.add(createHash("sha256").update(key).digest("hex"), session);
    this.puts++;
    for (const watcher of this.#watchers.splice(0)) watcher();
  }

  async take(...[key, now]: Parameters<SessionStore["take"]>) {
    await new Promise((later) => setTimeout(later, 1));
    const session = this.#inner.take(createHash("sha256").update(key).digest("hex"), now);
    if (session !== undefined) this.taken++;
    return session;
  }

  async peek(...[key, now]: Parameters<SessionStore["peek"]>) {
    return this.#inner.peek(createHash("sha256").update(key).digest("hex"), now);
  }

  async remove(key: string): Promise<void> {
    this.#inner.remove(createHash("sha256").update(key).digest("hex"));
  }

  async added(count: number): Promise<void> {
    while (this.puts < count) await new Promise<void>((told) => this.#watchers.push(told));
  }
}

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { concat, decode, equal, fromHex, toHex } from "../../src/bytes/index.js";
import { type Entropy, Secret } from "../../src/contract/index.js";
import { portableCrypto as crypto } from "../../src/hosts/node/crypto-portable/index.js";
import { PkiFailure, parseCertificate } from "../../src/pki/index.js";
import type { Offer } from "../../src/protocols/tls/client/offer.js";
import { ExpectServerHello } from "../../src/protocols/tls/client/server-hello.js";
import { openEarlyData } from "../../src/protocols/tls/client/start.js";
import { type Config, clientConfig, serverConfig } from "../../src/protocols/tls/config.js";
import { Handshake } from "../../src/protocols/tls/handshake/handshake.js";
import {
  type ResumableSession,
  type TlsClientOptions,
  type TlsEvent,
  type TlsIdentity,
  TlsMachine,
  type TlsServerOptions,
} from "../../src/protocols/tls/index.js";
import { type Label, Labels } from "../../src/protocols/tls/keys13.js";
import { certificate, certificateVerify } from "../../src/protocols/tls/messages/authentication.js";
import { unframe } from "../../src/protocols/tls/messages/handshake.js";
import { clientHello } from "../../src/protocols/tls/messages/hello.js";
import { dialects } from "../../src/protocols/tls/parameters/dialect.js";
import { groupById } from "../../src/protocols/tls/parameters/groups.js";
import { suite13ByName } from "../../src/protocols/tls/parameters/suites13.js";
import { sessionPsk } from "../../src/protocols/tls/psk.js";
import { ExpectClientHello } from "../../src/protocols/tls/server/client-hello.js";

interface Step {
  readonly section: number;
  readonly who: "client" | "server";
  readonly what: string;
  readonly fields: Readonly<Record<string, string>>;
}

const steps = JSON.parse(
  readFileSync(new URL("../../../test/vectors/data/rfc/rfc8448.json", import.meta.url), "utf8"),
) as readonly Step[];

/** One handshake of RFC 8448, by its section: 3 plain, 4 resumed with 0-RTT, 5 retried, 6 client's certificate, 7 compatible. */
class Trace {
  readonly section: number;
  readonly steps: readonly Step[];

  constructor(section: number) {
    this.section = section;
    this.steps = steps.filter((step) => step.section === section);
  }

  all(who: "client" | "server", what: string, field: string): Uint8Array[] {
    return this.steps
      .filter((step) => step.who === who && step.what.startsWith(what) && field in step.fields)
      .map((step) => fromHex(step.fields[field]!));
  }

  one(who: "client" | "server", what: string, field: string, index = 0): Uint8Array {
    const found = this.all(who, what, field).at(index);
    assert.ok(found, `section ${this.section} has no ${who} ${what}/${field}`);
    return found;
  }

  /** Complete records in the order of the trace. */
  records(who: "client" | "server"): Uint8Array[] {
    return this.all(who, "send", "complete record");
  }

  /** Everything that was sent, in order, with who sent it; change_cipher_spec is in none of the records. */
  get conversation(): {
    readonly who: "client" | "server";
    readonly payload: Uint8Array;
    readonly record: Uint8Array;
  }[] {
    return this.steps
      .filter(({ what, fields }) => what.startsWith("send") && "complete record" in fields)
      .map(({ who, fields }) => ({
        who,
        payload: fromHex(fields["payload"]!),
        record: fromHex(fields["complete record"]!),
      }));
  }
}

/** Gives these bytes, one behind the other, and no more. */
function scripted(...parts: readonly Uint8Array[]): Entropy {
  let rest = concat(...parts);
  return {
    fill(into) {
      assert.ok(rest.length >= into.length, `${into.length} more random bytes than the trace has`);
      into.set(rest.subarray(0, into.length));
      rest = rest.slice(into.length);
      return into;
    },
  };
}

const none: Entropy = scripted();

/** The certificate of a traced Certificate message, as an identity that signs what the trace's owner signed. */
function identity(trace: Trace, who: "client" | "server"): TlsIdentity {
  const { entries } = decode(certificate, trace.one(who, "construct a Certificate ", "Certificate").subarray(4));
  const der = entries[0]!.data.slice();
  const verify = trace.one(who, "construct a CertificateVerify", "CertificateVerify").subarray(4);
  const { signature } = decode(certificateVerify, verify);
  return { certificates: [der], publicKey: publicKeyOf(der), sign: () => signature };
}

function publicKeyOf(der: Uint8Array) {
  const parsed = parseCertificate(der);
  // The traces' certificates are older than today's rules for them.
  const spki = parsed instanceof PkiFailure ? findSpki(der) : parsed.spki;
  const key = crypto.publicKey(spki);
  assert.ok(key, "the trace's key is not understood");
  return key;
}

/** RSA's SubjectPublicKeyInfo begins with this algorithm; its length stands before. */
function findSpki(der: Uint8Array): Uint8Array {
  const at = toHex(der).indexOf("30819f300d06092a864886f70d0101010500") / 2;
  assert.ok(at > 0, "no RSA key of 1,024 bits");
  return der.subarray(at, at + 0xa2);
}

type Answer = (kind: string, question: object) => unknown;

/** Runs a machine against the trace: what it sends must be the trace's, byte for byte. */
class Replay {
  readonly #machine: TlsMachine;
  readonly #buffer = new Uint8Array(40_000);
  readonly #answer: Answer;
  readonly data: string[] = [];
  readonly told: string[] = [];
  constructor(config: Config, begin: ConstructorParameters<typeof Handshake>[1], answer: Answer) {
    this.#machine = new TlsMachine(config, new Handshake(config, begin));
    this.#answer = answer;
  }

  give(input: Parameters<TlsMachine["handle"]>[0]): void {
    this.#machine.handle(input, 0);
    for (let event = this.#machine.event(); event !== undefined; event = this.#machine.event()) this.#take(event);
  }

  /** What it has to transmit now, as whole records. */
  transmitted(): Uint8Array[] {
    const records: Uint8Array[] = [];
    for (
      let t = this.#machine.transmit(this.#buffer, 0);
      t !== undefined;
      t = this.#machine.transmit(this.#buffer, 0)
    ) {
      const sent = this.#buffer.slice(0, t.size);
      for (let at = 0; at < sent.length; ) {
        const size = 5 + ((sent[at + 3]! << 8) | sent[at + 4]!);
        records.push(sent.slice(at, at + size));
        at += size;
      }
    }
    return records;
  }

  #take(event: TlsEvent): void {
    this.told.push(event.kind);
    if (event.kind === "failed") throw event.failure;
    if (event.kind === "data") this.data.push(toHex(event.bytes));
    if (event.kind !== "question") return;
    const answer = this.#answer(event.question.kind, event.question);
    this.#machine.handle({ kind: "answer", id: event.id, answer }, 0);
  }
}

const isChangeCipherSpec = (record: Uint8Array): boolean => equal(record, fromHex("140303000101"));

/** Plays one side of the trace: gives it what the other sent, and compares what it sends. */
function play(trace: Trace, who: "client" | "server", replay: Replay, from = 0): void {
  replay.give({ kind: "opened" });
  let queue: Uint8Array[] = [];
  for (const { who: sender, payload, record } of trace.conversation.slice(from)) {
    if (sender !== who) {
      replay.give({ kind: "bytes", bytes: record.slice() });
      continue;
    }
    if (queue.length === 0) {
      queue = replay.transmitted();
      if (queue.filter((each) => !isChangeCipherSpec(each)).length === 0) {
        // The application's turn: data, or the end.
        replay.give(payload.length === 2 ? { kind: "close" } : { kind: "send", bytes: payload });
        queue = [...queue, ...replay.transmitted()];
      }
    }
    // Where the traces are without compatibility mode, ours is too; some show change_cipher_spec and some do not.
    while (!isChangeCipherSpec(record) && queue[0] !== undefined && isChangeCipherSpec(queue[0])) queue.shift();
    const sent = queue.shift()!;
    // A machine that begins with its second ClientHello says 1.0 in the header, as if it were the first.
    if (from > 0 && sent[5] === 1 && sent[0] === 22) sent[2] = 3;
    assert.equal(toHex(sent), toHex(record), `a record of the ${who}'s`);
  }
}

const versions = { versions: ["1.3"] } as const;
const suites = ["TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_256_GCM_SHA384"] as const;
const nssGroups = [
  "x25519",
  "secp256r1",
  "secp384r1",
  "secp521r1",
  "ffdhe2048",
  "ffdhe3072",
  "ffdhe4096",
  "ffdhe6144",
  "ffdhe8192",
] as const;
const suite = suite13ByName.get("TLS_AES_128_GCM_SHA256")!;

/** The session of section 3's ticket, which section 4 resumes. */
function resumed(): ResumableSession & { readonly ticket: Uint8Array; readonly sessionId: Uint8Array } {
  const first = new Trace(3);
  const secret = first.one("server", 'generate resumption secret "tls13 resumption"', "expanded");
  const message = first.one("server", "construct a NewSessionTicket", "NewSessionTicket");
  return {
    version: 0x0304,
    suite: suite.id,
    secret,
    issuedAt: 0,
    lifetimeS: 30,
    ageAdd: 0xfad6aac5,
    extendedMasterSecret: true,
    earlyDataMax: 1024,
    serverName: "server",
    alpn: new Uint8Array(0),
    peer: { kind: "none" },
    applicationData: new Uint8Array(0),
    ticket: message.subarray(17, 17 + 178),
    sessionId: new Uint8Array(0),
  };
}

for (const section of [3, 4, 5, 6, 7]) {
  test(`RFC 8448 section ${section}: a client sends what the trace's client sent`, () => {
    const trace = new Trace(section);
    const hellos = trace.all("client", "construct a ClientHello", "ClientHello");
    const options: TlsClientOptions = {
      ...versions,
      suites,
      groups: nssGroups,
      signatureSchemes: ["rsa_pss_rsae_sha256", "ecdsa_secp256r1_sha256", "ecdsa_sha1", "rsa_pkcs1_sha256"],
      grease: false,
      recordSizeLimit: 16_385,
      earlyData: section === 4,
    };
    const config = clientConfig({ crypto, entropy: none }, options);
    const replay = new Replay(
      config,
      (context) => {
        const cx = context as Parameters<typeof openEarlyData>[0];
        const last = hellos.length - 1;
        const sent = section === 4 ? trace.one("client", "send handshake record", "payload") : hellos[last]!;
        const hello = decode(clientHello(false), unframe(sent).body);
        cx.clientRandom = hello.random;
        if (last > 0) {
          cx.transcript.add(hellos[0]!);
          cx.transcript.fold(crypto.hash("SHA-256"));
          cx.transcript.add(trace.one("server", "construct a ServerHello", "ServerHello"));
        }
        const group = last > 0 ? groupById.get(0x17)! : groupById.get(0x1d)!;
        const privateKey = new Secret(trace.one("client", "create an ephemeral", "private key", last));
        const publicKey = trace.one("client", "create an ephemeral", "public key", last);
        const offer: Offer = {
          hello,
          offered: new Set(hello.extensions.items.map(({ type }) => type)),
          shares: new Map([[group.id, { share: publicKey, privateKey }]]),
          psks: section === 4 ? [sessionPsk(crypto, dialects.tls, "SHA-256", resumed())] : [],
          session12: undefined,
          earlyData: section === 4,
          earlyDataLost: false,
          serverName: "server",
          retry: last > 0 ? { suite: suite.id, group: group.id } : undefined,
          ech: undefined,
          encryptedClientHello: "not-offered",
        };
        cx.send("initial", 1, unframe(sent).body);
        if (section === 4) openEarlyData(cx, offer);
        return new ExpectServerHello(offer) as never;
      },
      (kind, question) => {
        if (kind === "verify-peer") {
          const { certificates } = question as { readonly certificates: readonly Uint8Array[] };
          const publicKey = publicKeyOf(certificates[0]!);
          return { trusted: true, publicKey, peer: { kind: "certificate", chain: certificates, publicKey } };
        }
        if (kind === "select-identity") return identity(trace, "client");
        if (kind === "sign") return identity(trace, "client").sign("RSA-PSS-SHA-256", new Uint8Array(0));
        return undefined;
      },
    );
    if (section === 4) {
      replay.give({ kind: "opened" });
      const early = trace.one("client", "send application_data", "payload");
      replay.give({ kind: "send-early", bytes: early });
      const [first, second] = replay.transmitted().filter((record) => !isChangeCipherSpec(record));
      assert.equal(toHex(first!), toHex(trace.records("client")[0]!));
      assert.equal(toHex(second!), toHex(trace.records("client")[1]!));
      continueWith(trace, "client", replay, 2);
    } else play(trace, "client", replay, section === 5 ? skipTo(trace) : 0);
    assert.ok(replay.told.includes("confirmed"));
    assert.deepEqual(replay.data, trace.all("server", "send application_data", "payload").map(toHex));
    assert.ok(replay.told.includes("ended"));
  });
}

/** Section 5 begins, for us, with the second ClientHello. */
const skipTo = (trace: Trace): number => trace.conversation.findIndex(({ payload }) => payload.length === 512);

function continueWith(trace: Trace, who: "client" | "server", replay: Replay, from: number): void {
  const opened = replay.give.bind(replay);
  let first = true;
  replay.give = (input) => {
    if (first && input.kind === "opened") first = false;
    else opened(input);
  };
  play(trace, who, replay, from);
}

for (const section of [3, 4, 5, 7]) {
  test(`RFC 8448 section ${section}: a server sends what the trace's server sent`, () => {
    const trace = new Trace(section);
    const hello = trace.one("server", "construct a ServerHello", "ServerHello", -1);
    const random = hello.subarray(6, 38);
    const privateKey = trace.one("server", "create an ephemeral", "private key");
    const ticket = resumed();
    const options: TlsServerOptions = {
      ...versions,
      suites,
      groups: section === 5 ? ["secp256r1", "secp384r1", "x25519"] : nssGroups,
      earlyDataMax: 1024,
      antiReplay: { judge: () => "fresh" },
      tickets: { seal: () => ticket.ticket, open: () => undefined },
      ticketLifetimeS: 30,
      ticketCount: section === 3 ? 1 : 0,
    };
    const ageAdd = fromHex("fad6aac5");
    const config = serverConfig({ crypto, entropy: scripted(random, privateKey, ageAdd) }, options);
    const replay = new Replay(
      config,
      (cx) => {
        if (section !== 5) return new ExpectClientHello() as never;
        const first = trace.one("client", "construct a ClientHello", "ClientHello");
        cx.transcript.restart(crypto.hash("SHA-256").digest(first));
        cx.transcript.add(trace.one("server", "construct a ServerHello", "ServerHello"));
        return new ExpectClientHello({ suite, group: groupById.get(0x17), first: undefined, ech: undefined }) as never;
      },
      (kind, question) => {
        if (kind === "find-psk") return { index: 0, kind: "resumption", session: ticket };
        if (kind === "judge-early-data") return "fresh";
        if (kind === "select-identity") return identity(trace, "server");
        if (kind === "issue-ticket") {
          // Its secret is the one that both sides of the trace derive.
          const { session } = question as { readonly session: ResumableSession };
          assert.equal(toHex(session.secret), toHex(ticket.secret));
          return ticket.ticket;
        }
        if (kind === "sign") return identity(trace, "server").sign("RSA-PSS-SHA-256", new Uint8Array(0));
        return undefined;
      },
    );
    play(trace, "server", replay, section === 5 ? skipTo(trace) : 0);
    assert.ok(replay.told.includes("confirmed"));
    assert.deepEqual(replay.data, trace.all("client", "send application_data", "payload").map(toHex));
  });
}

for (const section of [3, 4, 5, 6, 7]) {
  test(`RFC 8448 section ${section}: every secret of the key schedule`, () => {
    const labels = Labels.of(crypto, "SHA-256", "tls13 ");
    let seen = 0;
    for (const { what, fields } of new Trace(section).steps) {
      const label = /"tls13 ([a-z ]+)"/.exec(what)?.[1] as Label | undefined;
      if (label === undefined || !("PRK" in fields) || !("expanded" in fields)) continue;
      const secret = new Secret(fromHex(fields["PRK"]!));
      const expanded = labels.expand(secret, label, fromHex(fields["hash"]!), fields["expanded"]!.length / 2);
      assert.equal(toHex(expanded.expose()), fields["expanded"], what);
      seen++;
    }
    assert.ok(seen >= 10, `only ${seen} secrets`);
  });
}

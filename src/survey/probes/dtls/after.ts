import { equal } from "../../../bytes/index.js";
import type { DatagramPort, SocketAddress } from "../../../contract/index.js";
import { DtlsEndpoint } from "../../../protocols/dtls/index.js";
import { tlsFailure } from "../../../protocols/tls/index.js";
import { see } from "../../probe.js";
import { clientOf, name, serverOf } from "./before.js";
import type { Stage } from "./stage.js";

/** IV: the application's own asynchronous verdict decides, and a wrong name is refused. */
export async function identityValidation(stage: Stage): Promise<string> {
  const identity = await stage.authority.identity(name);
  let asked = 0;
  const verify = async (ask: Parameters<typeof stage.authority.verify>[0]) => {
    await new Promise((later) => setTimeout(later, 1));
    asked++;
    return stage.authority.verify(ask);
  };
  {
    await using meeting = await stage.meet({ serverName: name, verify }, { identity });
    see(meeting.outcome.client.peer?.kind === "certificate" && asked === 1, "the validated peer");
  }
  const no = async () => ({
    trusted: false as const,
    failure: tlsFailure("bad-certificate", "pin", "not the key that was wanted"),
  });
  const refused = await stage.clash({ serverName: name, verify: no }, { identity });
  see(refused.client.fault === "authentication" && refused.server.byPeer, "that the server is told of the refusal");
  const misnamed = await stage.clash({ ...clientOf(stage), serverName: "wrong.test" }, { identity });
  see(misnamed.client.fault === "authentication", "that a wrong name is refused");
  return `an asynchronous verifier was asked and obeyed (${refused.client.reason}, and the server was told); a wrong name is refused as ${misnamed.client.reason}`;
}

/** SAV: whoever spoofs its address gets nothing but a cookie, and the server keeps nothing for it. */
export async function addressValidation(stage: Stage): Promise<string> {
  const { host } = stage;
  await using reception = await stage.receive(await serverOf(stage));
  const { listener } = reception;
  const client = new DtlsEndpoint(host);
  const options = { ...clientOf(stage), versions: ["1.3"] } as const;
  client.handle({ kind: "connect", association: 1, remote: listener.local, options }, host.now());
  await using honest = await Caller.bind(stage, listener.local);
  await using spoofed = await Caller.bind(stage, listener.local);
  const first = flight(client, host.now());
  honest.send(first);
  const answer = await honest.hears();
  see(answer.length <= 3 * first.length, "an answer that is no amplification");
  const strangers = listener.sessions + reception.ends.length;
  see(strangers === 0, "that nothing is kept for a stranger");
  client.handle(
    { kind: "datagrams", bytes: answer, from: listener.local, to: honest.local, segmentSize: answer.length, ecn: 0 },
    host.now(),
  );
  const second = flight(client, host.now());
  // The cookie is for the honest address: from another it opens nothing.
  spoofed.send(second);
  honest.send(second);
  const greeting = await honest.hears();
  see(greeting.length > answer.length, "the server's flight, behind the cookie");
  see(spoofed.heard === 0 && listener.drops["bad-hello"] === 1, "silence towards who brings another's cookie");
  see(listener.sessions === 1, "one session, for the one that proved its address");
  return `a first ClientHello of ${first.length} bytes got a cookie of ${answer.length} bytes and no session; with that cookie another address got nothing, and its own got the handshake`;
}

function flight(client: DtlsEndpoint, now: number): Uint8Array {
  const buffer = new Uint8Array(65_536);
  const transmit = client.transmit(buffer, now);
  if (transmit === undefined) throw new Error("not seen: a ClientHello");
  return buffer.slice(0, transmit.size);
}

/** A bare port that sends to one address. */
class Caller implements AsyncDisposable {
  heard = 0;
  #port!: DatagramPort;
  readonly #waiting: Uint8Array[] = [];
  #watcher: (() => void) | undefined;
  readonly #to: SocketAddress;

  private constructor(to: SocketAddress) {
    this.#to = to;
  }

  static async bind({ host }: Stage, to: SocketAddress): Promise<Caller> {
    const caller = new Caller(to);
    caller.#port = await host.network.bindDatagrams(
      { address: "127.0.0.1", port: 0 },
      {
        datagrams: (bytes) => {
          caller.heard++;
          caller.#waiting.push(bytes.slice());
          caller.#watcher?.();
        },
        closed: () => {},
      },
    );
    caller.#port.unref();
    return caller;
  }

  get local(): SocketAddress {
    return this.#port.local;
  }

  send(bytes: Uint8Array): void {
    this.#port.send(bytes, this.#to);
  }

  async hears(): Promise<Uint8Array> {
    while (this.#waiting.length === 0) await new Promise<void>((told) => (this.#watcher = told));
    return this.#waiting.shift()!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#port.close();
  }
}

/** CT: close_notify ends the other end without a failure; what is cut off without a word does not. */
export async function termination(stage: Stage): Promise<string> {
  await using meeting = await stage.meet(clientOf(stage), await serverOf(stage));
  meeting.client.say("last words");
  meeting.client.session.close();
  see((await meeting.server.isOver()) === undefined, "a clean end at the server");
  see(meeting.server.heard.includes("last words"), "what was said before it");
  see((await meeting.client.isOver()) === undefined, "a clean end at the client");
  await using silent = await stage.meet(clientOf(stage), await serverOf(stage));
  silent.client.session.abort();
  silent.server.say("are you there?");
  await new Promise((later) => setTimeout(later, 50));
  see(!silent.server.told.includes("closed"), "that silence is no close");
  return "close_notify ended both ends without a failure, behind the last words; an end without a word is not taken for one";
}

/** KU: both directions move to new keys, and go on. */
export async function keyUpdate(stage: Stage): Promise<string> {
  const client = { ...clientOf(stage), versions: ["1.3"] } as const;
  await using meeting = await stage.meet(client, await serverOf(stage));
  meeting.client.say("under the first keys");
  await meeting.server.hears("under the first keys");
  meeting.client.session.updateKeys({ requestPeer: true });
  await Promise.all([
    meeting.client.tells("new keys to write"),
    meeting.client.tells("new keys to read"),
    meeting.server.tells("new keys to write"),
    meeting.server.tells("new keys to read"),
  ]);
  meeting.client.say("under the next keys");
  await meeting.server.hears("under the next keys");
  meeting.server.say("and back");
  await meeting.client.hears("and back");
  const { keyGenerationSent: sent, keyGenerationReceived: received } = meeting.client.session.statistics;
  see(sent === 1 && received === 1, "the next generation in both directions");
  return "after KeyUpdate was acknowledged both directions moved to the next epoch's keys, and data went on under them";
}

/** PSKE: both ends export the same bytes; another label or session gives others. */
export async function keyExport(stage: Stage): Promise<string> {
  const server = await serverOf(stage);
  const label = "EXPERIMENTAL-survey";
  for (const version of ["1.3", "1.2"] as const) {
    const client = { ...clientOf(stage), versions: [version] };
    await using one = await stage.meet(client, server);
    await using two = await stage.meet(client, server);
    const mine = one.client.session.exportKey(label, 32);
    see(equal(mine, one.server.session.exportKey(label, 32)), "the same bytes at both ends");
    see(!equal(mine, one.client.session.exportKey(`${label}-2`, 32)), "other bytes for another label");
    see(!equal(mine, two.client.session.exportKey(label, 32)), "other bytes in another session");
  }
  return "32 bytes are equal at both ends in 1.3 and 1.2, and differ by label and session";
}

/** ME, beyond the table: with connection IDs a session goes on from another port, and its owner is told. */
export async function mobility(stage: Stage): Promise<string> {
  const seen: string[] = [];
  for (const version of ["1.3", "1.2"] as const) {
    const client = { ...clientOf(stage), versions: [version], connectionIdSize: 0 };
    await using meeting = await stage.meet(client, { ...(await serverOf(stage)), connectionIdSize: 8 });
    meeting.client.say("from here");
    await meeting.server.hears("from here");
    const before = meeting.server.session.remote.port;
    let told = 0;
    using _ = meeting.server.session.onMoved(() => void told++);
    await meeting.client.session.migrate();
    meeting.client.say("from there");
    await meeting.server.hears("from there");
    await meeting.server.tells("moved");
    see(told === 1 && meeting.server.session.remote.port !== before, "the new port at the server");
    meeting.server.say("to there");
    await meeting.client.hears("to there");
    seen.push(version);
  }
  return `in ${seen.join(" and ")} the client went on from another port: the server tried the new path, was answered there, told its owner, and went on`;
}

import { equal } from "../../../bytes/index.js";
import type { DatagramPort, SocketAddress } from "../../../contract/index.js";
import { DtlsEndpoint } from "../../../protocols/dtls/index.js";
import { evidence, see } from "../../probe.js";
import { failing, name, Pin } from "../../stage/handshake.js";
import { bothSay } from "../../stage/stage.js";
import { secretOf } from "../../stage/witness.js";
import { clientOf, dtls, serverOf } from "./before.js";
import type { Stage } from "./stage.js";
import { witness } from "./witness.js";

/** IV: the application's own asynchronous verdict decides, and a wrong name is refused. */
export async function identityValidation(stage: Stage, signal: AbortSignal): Promise<string> {
  const identity = await stage.authority.identity(name);
  const pin = new Pin(stage.authority);
  {
    await using meeting = await stage.meet({ serverName: name, verify: pin.to(identity) }, { identity });
    see(meeting.outcome.client.peer?.kind === "certificate", "the validated peer");
  }
  const other = await stage.authority.identity("other.survey.test");
  const refused = await stage.clash({ serverName: name, verify: pin.to(other) }, { identity });
  see(pin.asked === 2, "the application being asked each time");
  see(refused.client.fault === "authentication" && refused.server.byPeer, "that the server is told of the refusal");
  const misnamed = await stage.clash({ ...clientOf(stage), serverName: "wrong.test" }, { identity });
  see(misnamed.client.fault === "authentication", "that a wrong name is refused");
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    await using peer = await stage.openssl.serve([name], [dtls], signal);
    const wrong = await failing(stage.visit(peer.port, { ...clientOf(stage), serverName: "wrong.test" }));
    see(wrong.fault === "authentication", "that OpenSSL under a wrong name is refused");
    await using visit = await stage.visit(peer.port, clientOf(stage));
    see(visit.outcome.peer?.kind === "certificate", "OpenSSL's chain");
    others = `${stage.openssl.name} was refused under a wrong name and validated under its own`;
  }
  return evidence(
    `an asynchronous verifier with a pin accepted its key and refused another (${refused.client.reason}, and the server was told); a wrong name is refused as ${misnamed.client.reason}`,
    others,
  );
}

/** SAV: whoever spoofs its address gets nothing but a cookie, and the server keeps nothing for it. */
export async function addressValidation(stage: Stage, signal: AbortSignal): Promise<string> {
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
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    await using theirs = await stage.receive(await serverOf(stage));
    await using program = await stage.openssl.connect(theirs.port, [dtls, "-state"], signal);
    await program.says(/read hello verify request/);
    await program.says(/Verify return code: 0/);
    see(theirs.ends.length === 1, "one session for OpenSSL, behind its cookie");
    await using stateless = await stage.openssl.serve([name], [dtls, "-listen"], signal);
    await using _ = await stage.visit(stateless.port, clientOf(stage));
    others = `${stage.openssl.name} brought our cookie back and came in, and so did our client to its server`;
  }
  return evidence(
    `a first ClientHello of ${first.length} bytes got a cookie of ${answer.length} bytes and no session; with that cookie another address got nothing, and its own got the handshake`,
    others,
  );
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

/** CT: close_notify ends the other end without a failure; a path that goes dark does not. */
export async function termination(stage: Stage, signal: AbortSignal): Promise<string> {
  {
    await using meeting = await stage.meet(clientOf(stage), await serverOf(stage));
    meeting.client.say("last words");
    meeting.client.session.close();
    await meeting.server.hearsText("last words");
    see((await meeting.server.isOver()) === undefined, "a clean end at the server, behind the last words");
    see((await meeting.client.isOver()) === undefined, "a clean end at the client");
  }
  await using dark = await stage.meet(clientOf(stage), await serverOf(stage));
  await bothSay(dark, "before");
  dark.wire.cut();
  dark.client.session.close();
  dark.server.say("are you there?");
  // Our own end is over; the other has heard nothing of it, and takes silence for no close.
  see((await dark.client.isOver()) === undefined, "our own end");
  let isOver = false;
  dark.server.isOver().then(
    () => (isOver = true),
    () => {},
  );
  await new Promise((later) => setTimeout(later, 50));
  see(!isOver, "that silence is no close");
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    await using peer = await stage.openssl.serve([name], [dtls, "-state"], signal);
    await using visit = await stage.visit(peer.port, clientOf(stage));
    visit.client.session.close();
    await peer.program.says(/alert read:warning:close notify/);
    await visit.client.isOver();
    others = `${stage.openssl.name} saw close_notify`;
  }
  return evidence(
    "close_notify ended both ends without a failure, behind the last words; silence on a dark path is not taken for one",
    others,
  );
}

/** KU: after an update the old keys open nothing, as a witness on the wire with the first secrets can tell. */
export async function keyUpdate(stage: Stage): Promise<string> {
  const lines: string[] = [];
  const suites = ["TLS_AES_128_GCM_SHA256"] as const;
  const keyLog = (line: string) => void lines.push(line);
  const client = { ...clientOf(stage), versions: ["1.3"], suites, keyLog } as const;
  await using meeting = await stage.meet(client, await serverOf(stage));
  await bothSay(meeting, "under the first keys");
  meeting.client.session.updateKeys({ requestPeer: true });
  await Promise.all([meeting.client.getsKeyUpdates(2), meeting.server.getsKeyUpdates(2)]);
  await bothSay(meeting, "under the next keys");
  const { keyGenerationSent: sent, keyGenerationReceived: received } = meeting.client.session.statistics;
  see(sent === 1 && received === 1, "the next generation in both directions");
  for (const [label, datagrams] of [
    ["CLIENT_TRAFFIC_SECRET_0", meeting.wire.toServer],
    ["SERVER_TRAFFIC_SECRET_0", meeting.wire.toClient],
  ] as const) {
    const records = witness(datagrams, secretOf(lines, label)).filter(({ contentType }) => contentType === 23);
    const said = records.map(({ generation, content }) => `${generation}: ${Buffer.from(content).toString()}`);
    see(said.includes("0: under the first keys"), `that the first keys open what was said before, ${label}`);
    see(said.includes("1: under the next keys"), `that the next keys open what was said after, ${label}`);
    see(!records.some(({ opensUnderOldKeys }) => opensUnderOldKeys), "that old keys open nothing new");
  }
  return evidence(
    "after KeyUpdate was acknowledged both directions moved to the next epoch's keys: a witness with the first secrets opens what came before, not what came after",
  );
}

/** PSKE: both ends export the same bytes; another label or session gives others. */
export async function keyExport(stage: Stage, signal: AbortSignal): Promise<string> {
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
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    const args = [dtls, "-keymatexport", label, "-keymatexportlen", "32"];
    await using peer = await stage.openssl.serve([name], args, signal);
    await using visit = await stage.visit(peer.port, clientOf(stage));
    const [, hex] = await peer.program.says(/Keying material: ([0-9A-F]{64})/);
    const ours = Buffer.from(visit.client.session.exportKey(label, 32)).toString("hex").toUpperCase();
    see(hex === ours, "OpenSSL's bytes");
    others = `${stage.openssl.name} exports the same`;
  }
  return evidence("32 bytes are equal at both ends in 1.3 and 1.2, and differ by label and session", others);
}

/** ME, beyond the table: with connection IDs a session goes on from another port, and its owner is told. */
export async function mobility(stage: Stage): Promise<string> {
  const seen: string[] = [];
  for (const version of ["1.3", "1.2"] as const) {
    const client = { ...clientOf(stage), versions: [version], connectionIdSize: 0 };
    await using meeting = await stage.meet(client, { ...(await serverOf(stage)), connectionIdSize: 8 });
    see(meeting.outcome.client.connectionIdSizes.sent === 8, "a connection ID to name the session by");
    await bothSay(meeting, "from here");
    let told = 0;
    using _ = meeting.server.session.onMoved(() => void told++);
    // A translator on the way forgets, and the client knows nothing of it.
    await meeting.wire.rebind();
    meeting.client.say("from there");
    await meeting.server.hearsText("from there");
    await meeting.server.until(() => meeting.server.moves.length === 1);
    see(told === 1 && meeting.server.session.remote.port === meeting.wire.outerPort, "the new port at the server");
    meeting.server.say("to there");
    await meeting.client.hearsText("to there");
    // The client itself goes elsewhere.
    await using reception = await stage.receive({ ...(await serverOf(stage)), connectionIdSize: 8 });
    await using visit = await stage.visit(reception.port, client);
    const server = await reception.server;
    await visit.client.session.migrate();
    visit.client.say("from elsewhere");
    await server.hearsText("from elsewhere");
    await server.until(() => server.moves.length === 1);
    see(server.session.remote.port === visit.client.session.local.port, "the client's new port at the server");
    seen.push(version);
  }
  return evidence(
    `in ${seen.join(" and ")} a client behind a translator that forgot, and one that went to another port itself: the server tried the new path, was answered there, told its owner, and went on`,
  );
}

import { equal } from "../../../bytes/index.js";
import type { TlsClientOptions } from "../../../protocols/tls/index.js";
import { evidence, see } from "../../probe.js";
import { failing, name, Pin } from "../../stage/handshake.js";
import { bothSay } from "../../stage/stage.js";
import { secretOf } from "../../stage/witness.js";
import type { Stage } from "./stage.js";
import { witness } from "./witness.js";

/** IV: the application's own asynchronous verdict decides, both ways; and by default an unknown authority is not trusted. */
export async function identityValidation(stage: Stage, signal: AbortSignal): Promise<string> {
  const identity = await stage.authority.identity(name);
  const server = { identity };
  const pin = new Pin(stage.authority);
  {
    await using meeting = await stage.meet({ serverName: name, verify: pin.to(identity) }, server);
    see(meeting.outcome.client.peer?.kind === "certificate", "the validated peer");
  }
  const other = await stage.authority.identity("other.survey.test");
  const refused = await stage.clash({ serverName: name, verify: pin.to(other) }, server);
  see(pin.asked === 2, "the application being asked each time");
  see(refused.client.fault === "authentication", "that another pin refuses");
  see(refused.server.byPeer, "that the server is told");
  const misnamed = await stage.clash({ serverName: "wrong.test", verify: stage.authority.verify }, server);
  see(misnamed.client.fault === "authentication", "that a wrong name is refused");
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    await using peer = await stage.openssl.serve([name], [], signal);
    {
      await using visit = await stage.visit(peer.port, { serverName: name, verify: stage.authority.verify });
      see(visit.outcome.peer?.kind === "certificate", "OpenSSL's chain");
    }
    const failure = await failing(stage.visit(peer.port, { serverName: "wrong.test", verify: stage.authority.verify }));
    see(failure.fault === "authentication", "that OpenSSL under a wrong name is refused");
    others = `${stage.openssl.name} was validated under its name and refused under another`;
  }
  return evidence(
    `an asynchronous verifier with a pin accepted its key and refused another (${refused.client.reason}, and the server was told); a wrong name is refused as ${misnamed.client.reason}`,
    others,
  );
}

/** CT: close_notify is seen at the other end, directions close apart, and a cut wire is told from a close. */
export async function termination(stage: Stage, signal: AbortSignal): Promise<string> {
  const client: TlsClientOptions = { serverName: name, verify: stage.authority.verify };
  const server = { identity: await stage.authority.identity(name) };
  {
    await using meeting = await stage.meet(client, server);
    meeting.client.session.finish();
    await meeting.server.hearsGoodbye();
    // Our direction is closed, and the other still carries data (RFC 9846 §6.1).
    meeting.server.say("after your close");
    await meeting.client.hearsText("after your close");
    meeting.server.session.finish();
    await meeting.client.hearsGoodbye();
    const ends = [await meeting.client.isOver(), await meeting.server.isOver()];
    see(
      ends.every((failure) => failure === undefined),
      "two clean ends",
    );
  }
  await using cut = await stage.meet(client, server);
  cut.wire.cut();
  const failures = [await cut.client.isOver(), await cut.server.isOver()];
  see(
    failures.every((failure) => failure?.reason === "truncated-stream"),
    "that a cut wire is a failure at both ends",
  );
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    await using peer = await stage.openssl.serve([name], ["-tls1_3", "-msg"], signal);
    await using visit = await stage.visit(peer.port, client);
    visit.client.session.finish();
    await peer.program.says(/<<< TLS 1\.3, Alert \[length 0002\], warning close_notify/);
    await visit.client.hearsGoodbye();
    others = `${stage.openssl.name} saw close_notify and answered it`;
  }
  return evidence(
    `close_notify was seen, data still came back, and both ends closed clean; a cut wire is told apart as truncated-stream`,
    others,
  );
}

/** KU: after an update the old keys open nothing, as a witness on the wire with the first secrets can tell. */
export async function keyUpdate(stage: Stage, signal: AbortSignal): Promise<string> {
  const lines: string[] = [];
  const client: TlsClientOptions = {
    serverName: name,
    verify: stage.authority.verify,
    versions: ["1.3"],
    suites: ["TLS_AES_128_GCM_SHA256"],
    keyLog: (line) => lines.push(line),
  };
  await using meeting = await stage.meet(client, { identity: await stage.authority.identity(name) });
  const { suite } = meeting.outcome.client;
  await bothSay(meeting, "under the first keys");
  meeting.client.session.updateKeys({ requestPeer: true });
  await meeting.client.getsKeyUpdates(2);
  await bothSay(meeting, "under the next keys");
  const directions = [
    ["CLIENT_TRAFFIC_SECRET_0", meeting.wire.toServer],
    ["SERVER_TRAFFIC_SECRET_0", meeting.wire.toClient],
  ] as const;
  for (const [label, bytes] of directions) {
    const records = witness(bytes, suite, secretOf(lines, label)).filter(({ contentType }) => contentType === 23);
    const said = records.map(({ generation, content }) => `${generation}: ${Buffer.from(content).toString()}`);
    see(said.includes("0: under the first keys"), `that the first keys open what was said before, ${label}`);
    see(said.includes("1: under the next keys"), `that the next keys open what was said after, ${label}`);
    see(!records.some(({ opensUnderOldKeys }) => opensUnderOldKeys), "that old keys open nothing new");
  }
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    await using peer = await stage.openssl.serve([name], ["-tls1_3"], signal);
    await using visit = await stage.visit(peer.port, client);
    visit.client.session.updateKeys({ requestPeer: true });
    visit.client.say("after the update\n");
    await peer.program.says(/after the update/);
    // OpenSSL updates its own keys with the next that it has to say.
    peer.program.write("and back\n");
    await visit.client.hearsText("and back\n");
    await visit.client.getsKeyUpdates(2);
    others = `${stage.openssl.name} followed and updated its own`;
  }
  return evidence(
    `both directions moved to new keys: a witness with the first secrets opens what came before, not what came after`,
    others,
  );
}

/** PSKE: both ends export the same bytes; another label, context or session gives others. */
export async function keyExport(stage: Stage, signal: AbortSignal): Promise<string> {
  const client: TlsClientOptions = { serverName: name, verify: stage.authority.verify };
  const server = { identity: await stage.authority.identity(name) };
  const label = "EXPERIMENTAL-survey";
  const context = new TextEncoder().encode("context");
  await using one = await stage.meet(client, server);
  await using two = await stage.meet(client, server);
  const mine = one.client.session.exportKey(label, 32, context);
  see(mine.length === 32 && mine.some((each) => each !== 0), "32 bytes");
  see(equal(mine, one.server.session.exportKey(label, 32, context)), "the same bytes at both ends");
  see(!equal(mine, one.client.session.exportKey(`${label}-2`, 32, context)), "other bytes for another label");
  see(!equal(mine, one.client.session.exportKey(label, 32)), "other bytes without the context");
  see(!equal(mine, two.client.session.exportKey(label, 32, context)), "other bytes in another session");
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    const args = ["-keymatexport", label, "-keymatexportlen", "32"];
    await using peer = await stage.openssl.serve([name], args, signal);
    await using visit = await stage.visit(peer.port, client);
    const [, hex] = await peer.program.says(/Keying material: ([0-9A-F]{64})/);
    const ours = Buffer.from(visit.client.session.exportKey(label, 32)).toString("hex").toUpperCase();
    see(hex === ours, "OpenSSL's bytes");
    others = `${stage.openssl.name} exports the same`;
  }
  return evidence(`32 bytes are equal at both ends, and differ by label, context and session`, others);
}

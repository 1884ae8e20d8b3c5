import { equal } from "../../../bytes/index.js";
import type { QuicClientOptions, QuicServerOptions } from "../../../protocols/quic/index.js";
import { evidence, see } from "../../probe.js";
import { name } from "../../stage/handshake.js";
import { bothSay } from "../../stage/stage.js";
import { secretOf } from "../../stage/witness.js";
import { alpn } from "./before.js";
import type { Stage } from "./stage.js";
import { sourceIdSize, witness } from "./witness.js";

/** CT: a close is seen at the other end with its code and reason, code 0 is no failure, and silence is told from both. */
export async function termination(stage: Stage, signal: AbortSignal): Promise<string> {
  const client: QuicClientOptions = { serverName: name, verify: stage.authority.verify, alpn, idleTimeoutMs: 600 };
  const server: QuicServerOptions = { identity: await stage.authority.identity(name), alpn };
  {
    await using meeting = await stage.meet(client, server);
    meeting.client.session.close();
    see((await meeting.server.isOver()) === undefined, "a clean end at the other end");
    see((await meeting.client.isOver()) === undefined, "a clean end at our own");
  }
  {
    await using meeting = await stage.meet(client, server);
    meeting.server.session.close(0x2a, "enough");
    const failure = await meeting.client.isOver();
    see(
      failure?.reason === "closed-by-application" && failure.code === 0x2a && failure.byPeer,
      "the code at the other end",
    );
    see(failure.message.includes("enough"), "the reason at the other end");
  }
  await using cut = await stage.meet(client, server);
  cut.wire.cut();
  const failures = [await cut.client.isOver(), await cut.server.isOver()];
  see(
    failures.every((failure) => failure?.reason === "idle-timeout"),
    "that silence is an idle timeout at both ends",
  );
  let others: string | undefined;
  if (stage.ngtcp2 !== undefined) {
    await using peer = await stage.ngtcp2.serve([name], [], signal);
    const visit = await stage.visit(peer.port, { ...client, alpn: ["h3"] });
    visit.client.session.close(0x100);
    await peer.program.says(/CONNECTION_CLOSE\(0x1d\)/);
    others = `${stage.ngtcp2.name} saw CONNECTION_CLOSE`;
  }
  return evidence(
    `a close with code 0 ended both ends clean, one with 0x2a was seen with its code and reason, and a dark path is told apart as idle-timeout`,
    others,
  );
}

/** KU: after an update the old keys open nothing, as a witness on the wire with the first secrets can tell. */
export async function keyUpdate(stage: Stage, signal: AbortSignal): Promise<string> {
  const lines: string[] = [];
  const client: QuicClientOptions = {
    serverName: name,
    verify: stage.authority.verify,
    alpn,
    versions: ["1"],
    suites: ["TLS_AES_128_GCM_SHA256"],
    // The witness knows packets by their fixed bit.
    grease: false,
    keyLog: (line) => lines.push(line),
  };
  const server: QuicServerOptions = { identity: await stage.authority.identity(name), alpn, grease: false };
  await using meeting = await stage.meet(client, server);
  await bothSay(meeting, "under the first keys");
  meeting.client.session.updateKeys();
  await bothSay(meeting, "under the next keys");
  const { toServer, toClient } = meeting.wire;
  for (const [label, datagrams, others] of [
    ["CLIENT_TRAFFIC_SECRET_0", toServer, toClient],
    ["SERVER_TRAFFIC_SECRET_0", toClient, toServer],
  ] as const) {
    const packets = witness(datagrams, secretOf(lines, label), sourceIdSize(others[0]!));
    const generationOf = (words: string) =>
      packets.find(({ payload }) => Buffer.from(payload).includes(words))?.generation;
    see(generationOf("under the first keys") === 0, `that the first keys open what was said before, ${label}`);
    see(generationOf("under the next keys") === 1, `that the next keys open what was said after, ${label}`);
    see(!packets.some(({ opensUnderOldKeys }) => opensUnderOldKeys), "that old keys open nothing new");
  }
  let others: string | undefined;
  if (stage.ngtcp2 !== undefined) {
    await using peer = await stage.ngtcp2.serve([name], ["-q"], signal);
    await using visit = await stage.visit(peer.port, {
      serverName: name,
      verify: stage.authority.verify,
      alpn: ["h3"],
    });
    visit.client.session.updateKeys();
    visit.client.session.ping();
    await visit.client.until(() => visit.client.keyUpdates.some(({ direction }) => direction === "read"));
    others = `${stage.ngtcp2.name} followed an update`;
  }
  return evidence(
    `a witness with the first secrets and the next of them found both directions under new keys after an update, and nothing that the old ones open`,
    others,
  );
}

/** ME: a NAT that forgets, and a client that moves, are followed; what was under way arrives. */
export async function mobility(stage: Stage, signal: AbortSignal): Promise<string> {
  const client: QuicClientOptions = { serverName: name, verify: stage.authority.verify, alpn };
  const server: QuicServerOptions = { identity: await stage.authority.identity(name), alpn };
  let ports: readonly [number, number];
  {
    await using meeting = await stage.meet(client, server);
    await bothSay(meeting, "from the first port");
    const before = meeting.wire.outerPort;
    await meeting.wire.rebind();
    await bothSay(meeting, "from the second port");
    await meeting.server.until(() => meeting.server.moves.some(({ to }) => to.port === meeting.wire.outerPort));
    see(meeting.server.session.remote.port === meeting.wire.outerPort, "the server following the client");
    ports = [before, meeting.wire.outerPort];
  }
  await using meeting = await stage.meet(client, server);
  const before = meeting.client.session.local.port;
  await meeting.client.session.migrate();
  see(meeting.client.session.local.port !== before, "another port of the client's own");
  see(
    meeting.client.moves.some(({ whose }) => whose === "ours"),
    "the client being told of its move",
  );
  const payload = stage.host.entropy.fill(new Uint8Array(100_000));
  meeting.client.say(payload);
  see(equal(await meeting.server.hears(payload.length), payload), "what is said after the move");
  let others: string | undefined;
  if (stage.ngtcp2 !== undefined) {
    await using peer = await stage.ngtcp2.serve([name], ["-q"], signal);
    await using visit = await stage.visit(peer.port, { ...client, alpn: ["h3"] });
    const from = visit.client.session.local.port;
    await visit.client.session.migrate();
    see(visit.client.session.local.port !== from, "a move that ngtcp2 has answered");
    others = `${stage.ngtcp2.name} answered at a new port`;
  }
  return evidence(
    `a NAT went from port ${ports[0]} to ${ports[1]} and the server followed; a client moved by itself, and ${payload.length} bytes arrived`,
    others,
  );
}

/** PSKE, beyond the table: both ends export the same bytes, and others for another label or context. */
export async function keyExport(stage: Stage): Promise<string> {
  const client: QuicClientOptions = { serverName: name, verify: stage.authority.verify, alpn };
  await using meeting = await stage.meet(client, { identity: await stage.authority.identity(name), alpn });
  const sessions = [meeting.client.session, meeting.server.session] as const;
  const context = new TextEncoder().encode("context");
  const [ours, theirs] = sessions.map((session) => session.exportKey("EXPORTER-survey", 32, context));
  see(equal(ours!, theirs!), "the same bytes at both ends");
  const other = meeting.client.session.exportKey("EXPORTER-other", 32, context);
  see(!equal(ours!, other), "other bytes for another label");
  see(!equal(ours!, meeting.client.session.exportKey("EXPORTER-survey", 32)), "other bytes for another context");
  return evidence("32 exported bytes were the same at both ends, and others for another label and another context");
}

/** KE, beyond the table: that keys near their limit of packets is told, and new ones take their place. */
export async function keyExpiration(stage: Stage): Promise<string> {
  const packetsPerKeyMax = 200;
  const client: QuicClientOptions = {
    serverName: name,
    verify: stage.authority.verify,
    alpn,
    packetsPerKeyMax,
  };
  await using meeting = await stage.meet(client, { identity: await stage.authority.identity(name), alpn });
  let told: string | undefined;
  meeting.client.session.onKeyExpiring((why) => {
    told ??= why;
  });
  const payload = stage.host.entropy.fill(new Uint8Array(2_000_000));
  meeting.client.say(payload);
  see(equal(await meeting.server.hears(payload.length), payload), "all that was said");
  see(told === "packets", "that keys near their limit are told of");
  const { keyGeneration, packetsSent } = meeting.client.session.statistics;
  see(keyGeneration > 0, "new keys in place of those");
  return evidence(
    `with ${packetsPerKeyMax} packets to a key, ${packetsSent} packets took ${keyGeneration} key updates, and the first was told of as "${told}"`,
  );
}

import { setTimeout as wait } from "node:timers/promises";
import type { QuicClientOptions, QuicServerOptions } from "../../../protocols/quic/index.js";
import { evidence, see } from "../../probe.js";
import { failing, name, Pin } from "../../stage/handshake.js";
import { bound } from "../../udp.js";
import { alpn } from "./before.js";
import type { Stage } from "./stage.js";
import { firstLongType } from "./witness.js";

/** IV: the application's own asynchronous verdict decides; and by default an unknown authority is not trusted. */
export async function identityValidation(stage: Stage, signal: AbortSignal): Promise<string> {
  const identity = await stage.authority.identity(name);
  const server: QuicServerOptions = { identity, alpn };
  const pin = new Pin(stage.authority);
  {
    await using meeting = await stage.meet({ serverName: name, verify: pin.to(identity), alpn }, server);
    see(meeting.outcome.client.peer?.kind === "certificate", "the validated peer");
  }
  const other = await stage.authority.identity("other.survey.test");
  const refused = await stage.clash({ serverName: name, verify: pin.to(other), alpn }, server);
  see(pin.asked === 2, "the application being asked each time");
  see(refused.client.fault === "authentication", "that another pin refuses");
  see(refused.server.byPeer, "that the server is told");
  const misnamed = await stage.clash({ serverName: "wrong.test", verify: stage.authority.verify, alpn }, server);
  see(misnamed.client.fault === "authentication", "that a wrong name is refused");
  let others: string | undefined;
  if (stage.ngtcp2 !== undefined) {
    await using peer = await stage.ngtcp2.serve([name], ["-q"], signal);
    const options: QuicClientOptions = { serverName: name, verify: stage.authority.verify, alpn: ["h3"] };
    {
      await using visit = await stage.visit(peer.port, options);
      see(visit.outcome.peer?.kind === "certificate", "ngtcp2's chain");
    }
    const failure = await failing(stage.visit(peer.port, { ...options, serverName: "wrong.test" }));
    see(failure.fault === "authentication", "that ngtcp2 under a wrong name is refused");
    others = `${stage.ngtcp2.name} was validated under its name and refused under another`;
  }
  return evidence(
    `an asynchronous verifier with a pin accepted its key and refused another, and the server was told; a wrong name is refused`,
    others,
  );
}

/** SAV: who has not shown that it hears at its address gets a Retry and nothing else, and never more than three times its bytes. */
export async function sourceAddressValidation(stage: Stage, signal: AbortSignal): Promise<string> {
  const identity = await stage.authority.identity(name);
  const client: QuicClientOptions = { serverName: name, verify: stage.authority.verify, alpn };
  // One datagram is the whole ClientHello: the server has all that it needs to say much.
  const initial = await firstDatagram(stage, { ...client, groups: ["x25519"] });
  see(initial.length >= 1_200, "a first datagram of at least 1200 bytes");
  let retries: readonly Uint8Array[];
  {
    await using reception = await stage.receive({ identity, alpn, retry: "always" });
    retries = await spoofed(reception.port, initial, 300, signal);
    see(retries.length > 0 && retries.every((each) => firstLongType(each) === "retry"), "a Retry and nothing else");
    const bytes = retries.reduce((sum, each) => sum + each.length, 0);
    see(bytes < initial.length, "fewer bytes than were sent");
    see(reception.listener.connections === 0, "no connection for who has proved nothing");
    await using visit = await stage.visit(reception.port, client);
    see(visit.outcome.addressRetried, "the same with its token coming in");
  }
  let most = 0;
  {
    await using reception = await stage.receive({ identity, alpn, retry: "never" });
    // Long enough for the server to say everything again more than once.
    const answers = await spoofed(reception.port, initial, 1_500, signal);
    most = answers.reduce((sum, each) => sum + each.length, 0);
    see(most > 0, "an answer without a Retry");
    see(most <= 3 * initial.length, "no more than three times what was sent");
  }
  let others: string | undefined;
  if (stage.ngtcp2 !== undefined) {
    await using peer = await stage.ngtcp2.serve([name], ["-q", "-V"], signal);
    await using visit = await stage.visit(peer.port, { ...client, alpn: ["h3"] });
    see(visit.outcome.addressRetried, "the Retry of ngtcp2");
    others = `a Retry of ${stage.ngtcp2.name} was answered`;
  }
  return evidence(
    `to a client that hears nothing the server sent one Retry and kept no connection; without Retry it sent ${most} bytes for ${initial.length}; with its token the same client came in`,
    others,
  );
}

/** The first datagram of a client of ours, which is answered by nobody. */
async function firstDatagram(stage: Stage, options: QuicClientOptions): Promise<Uint8Array> {
  const socket = await bound();
  const first = new Promise<Uint8Array>((heard) => socket.once("message", (bytes) => heard(new Uint8Array(bytes))));
  const visit = stage.visit(socket.address().port, { ...options, handshakeTimeoutMs: 1_000 });
  try {
    return await first;
  } finally {
    visit.then((each) => each[Symbol.asyncDispose]()).catch(() => {});
    socket.close();
  }
}

/** What comes back to an address that says one thing and is silent from then on: an answer, and what follows it within `ms`. */
async function spoofed(
  port: number,
  initial: Uint8Array,
  ms: number,
  signal: AbortSignal,
): Promise<readonly Uint8Array[]> {
  const socket = await bound();
  const heard: Uint8Array[] = [];
  socket.on("message", (bytes) => heard.push(new Uint8Array(bytes)));
  socket.send(initial, port, "127.0.0.1");
  try {
    while (heard.length === 0) await wait(5, undefined, { signal });
    await wait(ms, undefined, { signal });
  } finally {
    socket.close();
  }
  return heard;
}

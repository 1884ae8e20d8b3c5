import { equal } from "../../../bytes/index.js";
import type { QuicClientOptions, QuicServerOptions } from "../../../protocols/quic/index.js";
import {
  ClientSessionCache,
  type SessionStore,
  StrikeRegister,
  TicketKeyRing,
  type TlsIdentity,
} from "../../../protocols/tls/index.js";
import { evidence, see } from "../../probe.js";
import {
  CountingStore,
  name,
  names,
  newPsk,
  SlowSigner,
  seePsk,
  seeStrangeExtension,
  showsOwnIdentities,
  strangeExtension,
} from "../../stage/handshake.js";
import type { Stage } from "./stage.js";

export const alpn = ["survey"];
const opensslArgs = ["-quic", "-alpn", "survey"];

/** IPK: two identities, chosen by SNI, whose keys sign somewhere else and some time later. */
export async function identities(stage: Stage, signal: AbortSignal): Promise<string> {
  const { authority, openssl, ngtcp2 } = stage;
  const { verify } = authority;
  const choice = await showsOwnIdentities(authority, async (serverName, identity) => {
    await using meeting = await stage.meet({ serverName, verify, alpn }, { alpn, identity });
    return meeting.outcome.client.peer;
  });
  const refusing: TlsIdentity = { ...(await authority.identity(names[0])), sign: async () => undefined };
  const refused = await stage.clash({ serverName: names[0], verify, alpn }, { alpn, identity: refusing });
  see(refused.server.reason === "handshake", "that a signer which refuses ends the handshake");
  const others: string[] = [];
  if (openssl !== undefined) {
    await using reception = await stage.receive({ alpn, identity: choice });
    await using client = await openssl.connect(reception.port, [...opensslArgs, "-servername", names[1]], signal);
    await client.says(new RegExp(`CN ?= ?${names[1]}`));
    await client.says(/Verify return code: 0/);
    others.push(`${openssl.name} was shown ${names[1]} and validated it`);
  }
  if (ngtcp2 !== undefined) {
    const signer = new SlowSigner();
    await using peer = await ngtcp2.serve([name], ["-q", "--verify-client"], signal);
    const identity = signer.of(await authority.identity("client.survey.test"));
    await using visit = await stage.visit(peer.port, { serverName: name, verify, alpn: ["h3"], identity });
    see(signer.signatures === 1, "that ngtcp2 asks for a client's certificate");
    // It says its SETTINGS to whoever has finished the handshake.
    await visit.client.hears(3);
    others.push(`${ngtcp2.name} asked for a client's identity and was shown one`);
  }
  return evidence(
    `${names.join(" and ")} each showed their own certificate by SNI, signed by an asynchronous signer; one that refuses ends the handshake`,
    others.length > 0 ? others.join("; ") : undefined,
  );
}

/** ALG: lists narrow what is agreed, versions among them, and lists that share nothing end the handshake. */
export async function algorithms(stage: Stage, signal: AbortSignal): Promise<string> {
  const server: QuicServerOptions = { alpn, identity: await stage.authority.identity(name) };
  const client: QuicClientOptions = { serverName: name, verify: stage.authority.verify, alpn };
  const lists = [
    { suite: "TLS_AES_256_GCM_SHA384", group: "secp384r1", version: "1" },
    { suite: "TLS_CHACHA20_POLY1305_SHA256", group: "x25519", version: "2" },
  ] as const;
  for (const { suite, group, version } of lists) {
    await using meeting = await stage.meet(
      { ...client, suites: [suite], groups: [group], versions: [version] },
      server,
    );
    const both = [meeting.outcome.client, meeting.outcome.server];
    see(
      both.every((outcome) => outcome.suite === suite),
      `${suite} after it alone was allowed`,
    );
    see(
      both.every((outcome) => outcome.group === group),
      `${group} after it alone was allowed`,
    );
    see(
      both.every((outcome) => outcome.version === version),
      `version ${version} after it alone was allowed`,
    );
    meeting.client.say("under it");
    await meeting.server.hearsText("under it");
  }
  const clash = await stage.clash({ ...client, groups: ["x25519"] }, { ...server, groups: ["secp256r1"] });
  see(clash.client.byPeer || clash.server.byPeer, "that lists without a common group end the handshake");
  let others: string | undefined;
  if (stage.ngtcp2 !== undefined) {
    const groups = [
      "--groups=-GROUP-ALL:+GROUP-SECP521R1",
      "--ciphers=NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM",
    ];
    await using peer = await stage.ngtcp2.serve([name], ["-q", ...groups], signal);
    await using visit = await stage.visit(peer.port, { ...client, alpn: ["h3"], groups: ["x25519", "secp521r1"] });
    see(visit.outcome.group === "secp521r1", "the one group that ngtcp2 allows");
    see(visit.outcome.suite === "TLS_AES_256_GCM_SHA384", "the one suite that ngtcp2 allows");
    others = `${stage.ngtcp2.name} with P-521 and AES-256-GCM alone got them`;
  }
  const seen = lists.map(({ suite, group, version }) => `${suite} with ${group} in version ${version}`);
  return evidence(`${seen.join(", then ")}, as allowed; x25519 against secp256r1 fails`, others);
}

/** EXT: ALPN, and an extension that the handshake does not know, offered and answered. */
export async function extensions(stage: Stage, signal: AbortSignal): Promise<string> {
  const server: QuicServerOptions = {
    identity: await stage.authority.identity(name),
    alpn: ["survey/2", "survey/1"],
    extensions: strangeExtension.server,
  };
  const client: QuicClientOptions = {
    serverName: name,
    verify: stage.authority.verify,
    alpn: ["survey/1"],
    extensions: strangeExtension.client,
  };
  {
    await using meeting = await stage.meet(client, server);
    const { outcome } = meeting;
    see(outcome.client.alpn === "survey/1" && outcome.server.alpn === "survey/1", "survey/1 at both ends");
    seeStrangeExtension(outcome);
  }
  // RFC 9001 §8.1: without a common application protocol there is no connection.
  const clash = await stage.clash({ ...client, alpn: ["other"] }, server);
  see(clash.client.fault !== "unreachable", "that protocols which share nothing end the handshake");
  let others: string | undefined;
  if (stage.ngtcp2 !== undefined) {
    await using peer = await stage.ngtcp2.serve([name], ["-q"], signal);
    const options = { serverName: name, verify: stage.authority.verify, alpn: ["survey", "h3"] };
    await using visit = await stage.visit(peer.port, options);
    see(visit.outcome.alpn === "h3", "h3 with ngtcp2");
    others = `${stage.ngtcp2.name} chose h3 of two`;
  }
  return evidence(
    `survey/1 was agreed by ALPN, and extension 0x${strangeExtension.type.toString(16)} was offered, seen and answered; protocols that share nothing end the handshake`,
    others,
  );
}

/** CM: the application's own store is asked and filled, sessions are resumed, 0-RTT is taken, a token spares a Retry. */
export async function sessionCache(stage: Stage, signal: AbortSignal): Promise<string> {
  const { host } = stage;
  const counted = new CountingStore();
  const words = new TextEncoder().encode("said before the handshake was over");
  const tickets = new TicketKeyRing({ crypto: host.crypto, entropy: host.entropy });
  const server: QuicServerOptions = {
    alpn,
    identity: await stage.authority.identity(name),
    tickets,
    earlyData: true,
    antiReplay: new StrikeRegister(host.now() - 60_000),
  };
  const client = (store: SessionStore): QuicClientOptions => ({
    serverName: name,
    verify: stage.authority.verify,
    alpn,
    sessions: new ClientSessionCache(store),
    sessionScope: { port: 1 },
    earlyData: true,
  });
  {
    await using first = await stage.meet(client(counted), server);
    see(first.outcome.client.mode === "full", "a full handshake first");
    await counted.added(1);
  }
  {
    await using second = await stage.meet(client(counted), server, { early: words });
    see(second.outcome.client.mode === "resumed" && second.outcome.server.mode === "resumed", "a resumption");
    see(equal(await second.server.hearsEarly(words.length), words), "the 0-RTT data at the server");
    see(second.server.earlyBeforeConfirmed, "0-RTT data before the handshake was over");
  }
  see(counted.taken > 0, "the store being asked");
  let others: string | undefined;
  if (stage.ngtcp2 !== undefined) {
    const own = new CountingStore();
    await using peer = await stage.ngtcp2.serve([name], ["-q"], signal);
    const options = { ...client(own), alpn: ["h3"] };
    {
      await using visit = await stage.visit(peer.port, options);
      await Promise.race([own.added(1), visit.client.isOver()]);
    }
    await using visit = await stage.visit(peer.port, options);
    see(visit.outcome.mode === "resumed", "a resumption with ngtcp2");
    others = `resumed with ${stage.ngtcp2.name}`;
  }
  return evidence(
    `a ticket went into an asynchronous store of the application's (${counted.puts} in, ${counted.taken} out), was resumed, and carried ${words.length} bytes of 0-RTT data`,
    others,
  );
}

/** PSKI: an imported key authenticates both ends without a certificate; a wrong one fails. */
export async function preSharedKeys(stage: Stage, signal: AbortSignal): Promise<string> {
  const { openssl } = stage;
  const psk = newPsk(stage.host);
  {
    await using meeting = await stage.meet({ alpn, psks: [psk.right()] }, { alpn, psks: async () => psk.right() });
    seePsk(meeting.outcome, psk.identity);
    meeting.client.say("by key alone");
    await meeting.server.hearsText("by key alone");
  }
  const clash = await stage.clash({ alpn, psks: [psk.wrong()] }, { alpn, psks: [psk.right()] });
  see(clash.client.byPeer, "that a wrong key fails, and the client is told");
  let others: string | undefined;
  if (openssl !== undefined) {
    const find = async (identity: Uint8Array) => (equal(identity, psk.identity) ? psk.right() : undefined);
    const args = [...opensslArgs, "-psk", Buffer.from(psk.bytes).toString("hex"), "-psk_identity", "survey"];
    await using reception = await stage.receive({ alpn, psks: find });
    await using client = await openssl.connect(reception.port, args, signal);
    const server = await reception.server;
    see(server.session.outcome?.mode === "psk", "the mode psk with OpenSSL");
    client.write("by key alone\n");
    await server.hearsText("by key alone\n");
    others = `${openssl.name} with the same key came in by it`;
  }
  return evidence(
    "a 32-byte key, found by an asynchronous look-up, authenticated both ends without certificates; another key fails",
    others,
  );
}

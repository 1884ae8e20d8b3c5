import { equal } from "../../../bytes/index.js";
import {
  ClientSessionCache,
  MemorySessionStore,
  StrikeRegister,
  TicketKeyRing,
  type TlsClientOptions,
  type TlsIdentity,
  type TlsServerOptions,
} from "../../../protocols/tls/index.js";
import { evidence, see } from "../../probe.js";
import {
  CountingStore,
  name,
  names,
  newPsk,
  seePsk,
  seeStrangeExtension,
  showsOwnIdentities,
  strangeExtension,
} from "../../stage/handshake.js";
import type { Stage } from "./stage.js";

/** IPK: two identities, chosen by SNI, whose keys sign somewhere else and some time later. */
export async function identities(stage: Stage, signal: AbortSignal): Promise<string> {
  const { authority } = stage;
  const { verify } = authority;
  const identity = await showsOwnIdentities(authority, async (serverName, choice) => {
    await using meeting = await stage.meet({ serverName, verify }, { identity: choice });
    return meeting.outcome.client.peer;
  });
  const refusing: TlsIdentity = { ...(await authority.identity(names[0])), sign: async () => undefined };
  const refused = await stage.clash({ serverName: names[0], verify }, { identity: refusing });
  see(refused.server.reason === "signer-refused", "that a signer which refuses ends the handshake");
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    await using reception = await stage.receive({ identity });
    await using client = await stage.openssl.connect(reception.port, ["-servername", names[1]], signal);
    await client.says(new RegExp(`CN ?= ?${names[1]}`));
    await client.says(/Verify return code: 0/);
    others = `${stage.openssl.name} was shown ${names[1]} too`;
  }
  return evidence(
    `${names.join(" and ")} each showed their own certificate by SNI, signed by an asynchronous signer; one that refuses ends the handshake`,
    others,
  );
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
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    await using peer = await stage.openssl.serve([name], ["-tls1_3", "-groups", "P-521"], signal);
    await using visit = await stage.visit(peer.port, { ...client, groups: ["x25519", "secp521r1"] });
    see(visit.outcome.group === "secp521r1", "the one group that OpenSSL allows");
    others = `${stage.openssl.name} with P-521 alone got secp521r1`;
  }
  return evidence(
    `${lists.map(({ suite, group }) => `${suite} with ${group}`).join(", then ")}, as allowed; x25519 against secp256r1 fails as ${clash.server.reason}`,
    others,
  );
}

/** EXT: ALPN, and an extension that TLS does not know, offered and answered. */
export async function extensions(stage: Stage, signal: AbortSignal): Promise<string> {
  const server: TlsServerOptions = {
    identity: await stage.authority.identity(name),
    alpn: ["survey/2", "survey/1"],
    extensions: strangeExtension.server,
  };
  const client: TlsClientOptions = {
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
  const clash = await stage.clash({ ...client, alpn: ["other"] }, server);
  see(clash.server.reason === "no-common-application-protocol", "that ALPN without a common name ends the handshake");
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    await using peer = await stage.openssl.serve([name], ["-alpn", "survey/2,survey/1"], signal);
    await using visit = await stage.visit(peer.port, {
      serverName: name,
      verify: stage.authority.verify,
      alpn: ["survey/2"],
    });
    see(visit.outcome.alpn === "survey/2", "survey/2 with OpenSSL");
    others = `${stage.openssl.name} agreed on survey/2`;
  }
  return evidence(
    `ALPN survey/1 at both ends, and extension 0x${strangeExtension.type.toString(16)} with ${strangeExtension.size} bytes was offered, seen and answered; ALPN without a common name is refused`,
    others,
  );
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
  let others: string | undefined;
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
    others = `resumed with ${stage.openssl.name}`;
  }
  return evidence(
    `a ticket went into an asynchronous store of the application's (${counted.puts} in, ${counted.taken} out), was resumed, and the next carried ${words.length} bytes of 0-RTT data`,
    others,
  );
}

/** PSKI: an imported key authenticates both ends without a certificate; a wrong one fails. */
export async function preSharedKeys(stage: Stage, signal: AbortSignal): Promise<string> {
  const psk = newPsk(stage.host);
  {
    await using meeting = await stage.meet({ psks: [psk.right()] }, { psks: async () => psk.right() });
    seePsk(meeting.outcome, psk.identity);
    meeting.client.say("by key alone");
    await meeting.server.hearsText("by key alone");
  }
  const clash = await stage.clash({ psks: [psk.wrong()] }, { psks: [psk.right()] });
  see(clash.server.reason === "bad-binder", "that a wrong key fails");
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    const hex = Buffer.from(psk.bytes).toString("hex");
    const args = ["-tls1_3", "-nocert", "-psk", hex, "-psk_identity", "survey"];
    await using peer = await stage.openssl.serve([], args, signal);
    await using visit = await stage.visit(peer.port, { psks: [psk.right()] });
    see(visit.outcome.mode === "psk", "the mode psk with OpenSSL");
    others = `${stage.openssl.name} with the same key accepted it`;
  }
  return evidence(
    `a 32-byte key, found by an asynchronous look-up, authenticated both ends without certificates; another key fails as ${clash.server.reason}`,
    others,
  );
}

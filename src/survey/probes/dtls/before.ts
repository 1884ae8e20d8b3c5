import { equal } from "../../../bytes/index.js";
import { Secret } from "../../../contract/index.js";
import type { DtlsClientOptions, DtlsServerOptions } from "../../../protocols/dtls/index.js";
import { ClientSessionCache, MemorySessionStore, StrikeRegister, TicketKeyRing } from "../../../protocols/tls/index.js";
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
import { bothSay } from "../../stage/stage.js";
import type { Stage } from "./stage.js";

export const clientOf = (stage: Stage): DtlsClientOptions => ({ serverName: name, verify: stage.authority.verify });
export const serverOf = async (stage: Stage): Promise<DtlsServerOptions> => ({
  identity: await stage.authority.identity(name),
});
/** What makes s_server and s_client speak DTLS: the newest that OpenSSL has. */
export const dtls = "-dtls1_2";

/** IPK: two identities chosen by SNI, whose keys sign somewhere else and some time later. */
export async function identities(stage: Stage, signal: AbortSignal): Promise<string> {
  const { authority } = stage;
  const { verify } = authority;
  const identity = await showsOwnIdentities(authority, async (serverName, choice) => {
    await using meeting = await stage.meet({ serverName, verify }, { identity: choice });
    return meeting.outcome.client.peer;
  });
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    await using reception = await stage.receive({ identity });
    await using client = await stage.openssl.connect(reception.port, [dtls, "-servername", names[1]], signal);
    await client.says(new RegExp(`CN ?= ?${names[1]}`));
    await client.says(/Verify return code: 0/);
    others = `${stage.openssl.name} was shown ${names[1]} too`;
  }
  return evidence(
    `${names.join(" and ")} each showed their own certificate by SNI, signed by an asynchronous signer`,
    others,
  );
}

/** ALG: lists narrow what is agreed, in both versions, and lists that share nothing end the handshake. */
export async function algorithms(stage: Stage, signal: AbortSignal): Promise<string> {
  const server = await serverOf(stage);
  const client = clientOf(stage);
  const lists = [
    { version: "1.3", suite: "TLS_CHACHA20_POLY1305_SHA256", group: "secp384r1" },
    { version: "1.2", suite: "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", group: "secp256r1" },
  ] as const;
  for (const { version, suite, group } of lists) {
    const one = { versions: [version], suites: [suite], groups: [group] } as const;
    await using meeting = await stage.meet({ ...client, ...one }, { ...server, versions: [version], suites: [suite] });
    const { outcome } = meeting;
    see(outcome.client.version === version && outcome.server.suite === suite, `${suite} of ${version}`);
    see(outcome.client.group === group, `${group} after it alone was allowed`);
  }
  const clash = await stage.clash(
    { ...client, groups: ["x25519"] },
    { ...server, groups: ["secp256r1"], addressValidation: "none" },
  );
  see(clash.server.fault === "incompatible" && clash.client.fault === "incompatible", "that both are told");
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    // The certificate's own curve has to be allowed in 1.2 (RFC 8422 §5.3).
    const alone = ["-groups", "P-521:P-256", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"];
    await using peer = await stage.openssl.serve([name], [dtls, ...alone], signal);
    await using visit = await stage.visit(peer.port, { ...client, groups: ["x25519", "secp521r1", "secp256r1"] });
    see(visit.outcome.group === "secp521r1", "the first group that OpenSSL allows");
    see(visit.outcome.suite === "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "the one suite that OpenSSL allows");
    others = `${stage.openssl.name} without x25519, and with ChaCha20-Poly1305 alone, got secp521r1 and that in 1.2`;
  }
  return evidence(
    `${lists.map(({ version, suite }) => `${suite} of ${version}`).join(", then ")}, as allowed; x25519 against secp256r1 fails as ${clash.server.reason}`,
    others,
  );
}

/** EXT: ALPN, use_srtp, and an extension that DTLS does not know. */
export async function extensions(stage: Stage, signal: AbortSignal): Promise<string> {
  const server: DtlsServerOptions = {
    ...(await serverOf(stage)),
    alpn: ["survey/2", "survey/1"],
    srtp: { profiles: [8, 7] },
    extensions: strangeExtension.server,
  };
  const client: DtlsClientOptions = {
    ...clientOf(stage),
    alpn: ["survey/1"],
    srtp: { profiles: [1, 7] },
    extensions: strangeExtension.client,
  };
  {
    await using meeting = await stage.meet(client, server);
    const { outcome } = meeting;
    see(outcome.client.alpn === "survey/1" && outcome.server.alpn === "survey/1", "survey/1 at both ends");
    see(outcome.client.srtp?.profile === 7 && outcome.server.srtp?.profile === 7, "the common profile at both ends");
    seeStrangeExtension(outcome);
  }
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    const answers = ["-alpn", "survey/2,survey/1", "-use_srtp", "SRTP_AEAD_AES_128_GCM"];
    await using peer = await stage.openssl.serve([name], [dtls, ...answers], signal);
    const { extensions: _, ...offers } = client;
    await using visit = await stage.visit(peer.port, { ...offers, alpn: ["survey/2"] });
    see(visit.outcome.alpn === "survey/2", "survey/2 with OpenSSL");
    see(visit.outcome.srtp?.profile === 7, "the common profile with OpenSSL");
    others = `${stage.openssl.name} agreed on survey/2 and the same profile`;
  }
  return evidence(
    `ALPN survey/1 and use_srtp profile 0x0007 at both ends, and extension 0x${strangeExtension.type.toString(16)} was offered, seen and answered`,
    others,
  );
}

/** CM: a ticket goes through the application's own asynchronous store, resumes a session, and carries 0-RTT data. */
export async function sessionCache(stage: Stage, signal: AbortSignal): Promise<string> {
  const { crypto, entropy } = stage.host;
  const counted = new CountingStore();
  const client: DtlsClientOptions = {
    ...clientOf(stage),
    sessions: new ClientSessionCache(counted),
    sessionScope: { port: 1 },
    earlyData: true,
  };
  const server: DtlsServerOptions = {
    ...(await serverOf(stage)),
    tickets: new TicketKeyRing({ crypto, entropy }),
    earlyDataMax: 4_096,
    antiReplay: new StrikeRegister(stage.host.now() - 60_000),
    addressValidation: "none",
  };
  {
    await using first = await stage.meet(client, server);
    see(first.outcome.client.mode === "full", "a full handshake first");
    await first.client.getsTickets(1);
  }
  await counted.added(1);
  const words = new TextEncoder().encode("early words");
  await using second = await stage.meet(client, server, { early: words });
  see(second.outcome.client.mode === "resumed" && second.outcome.server.mode === "resumed", "a resumption");
  see(second.outcome.client.earlyData === "accepted", "that early data are accepted");
  see(equal(await second.server.hearsEarly(words.length), words), "the early words at the server");
  see(counted.taken >= 1, "the session coming out of the application's store");
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    const sessions = new ClientSessionCache(new MemorySessionStore());
    const options = { ...clientOf(stage), sessions };
    await using peer = await stage.openssl.serve([name], [dtls], signal);
    {
      await using visit = await stage.visit(peer.port, options);
      await visit.client.getsTickets(1);
      visit.client.session.close();
      await visit.client.isOver();
    }
    await using visit = await stage.visit(peer.port, options);
    see(visit.outcome.mode === "resumed", "a resumption with OpenSSL");
    others = `resumed with ${stage.openssl.name}`;
  }
  return evidence(
    `a ticket went into an asynchronous store of the application's, and the session that it resumed carried ${words.length} bytes of 0-RTT data in its first flight`,
    others,
  );
}

/** PSKI: an imported key authenticates both ends without a certificate; a wrong one fails, and an unknown one by its name. */
export async function preSharedKeys(stage: Stage, signal: AbortSignal): Promise<string> {
  const psk = newPsk(stage.host);
  for (const version of ["1.3", "1.2"] as const) {
    const versions = [version];
    await using meeting = await stage.meet(
      { versions, psks: [psk.right()] },
      { versions, psks: async () => psk.right() },
    );
    seePsk(meeting.outcome, psk.identity);
    await bothSay(meeting, "by key alone");
  }
  const wrong = await stage.clash({ versions: ["1.3"], psks: [psk.wrong()] }, { psks: [psk.right()] });
  see(wrong.server.reason === "bad-binder", "that a wrong key fails");
  const one = { versions: ["1.2"], suites: ["TLS_PSK_WITH_AES_128_CCM_8"] } as const;
  const radio = { identity: new TextEncoder().encode("radio"), key: Secret.copy(psk.bytes) };
  const clash = await stage.clash({ ...one, psks: [radio] }, { ...one, psks: async () => undefined });
  see(clash.server.message.includes('"radio"') && clash.client.message.includes('"radio"'), "the identity's name");
  let others: string | undefined;
  if (stage.openssl !== undefined) {
    const key = ["-psk", Buffer.from(psk.bytes).toString("hex"), "-psk_identity", "survey"];
    const small = ["-nocert", "-cipher", "PSK-AES128-CCM8:@SECLEVEL=0"];
    await using peer = await stage.openssl.serve([], [dtls, ...small, ...key], signal);
    await using visit = await stage.visit(peer.port, { ...one, psks: [psk.right()] });
    see(visit.outcome.mode === "psk", "the mode psk with OpenSSL");
    others = `${stage.openssl.name} with the same key accepted it under CCM_8`;
  }
  return evidence(
    `a 32-byte key, found by an asynchronous look-up, authenticated both ends in 1.3 and 1.2; another key fails as ${wrong.server.reason}, and an unknown one as ${clash.server.reason}, by its name`,
    others,
  );
}

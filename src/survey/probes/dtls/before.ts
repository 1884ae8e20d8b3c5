import { equal } from "../../../bytes/index.js";
import { Secret } from "../../../contract/index.js";
import type { DtlsClientOptions, DtlsServerOptions } from "../../../protocols/dtls/index.js";
import {
  ClientSessionCache,
  MemorySessionStore,
  StrikeRegister,
  TicketKeyRing,
  type TlsIdentity,
} from "../../../protocols/tls/index.js";
import { see } from "../../probe.js";
import type { Stage } from "./stage.js";

export const name = "survey.test";

export const clientOf = (stage: Stage): DtlsClientOptions => ({ serverName: name, verify: stage.authority.verify });
export const serverOf = async (stage: Stage): Promise<DtlsServerOptions> => ({
  identity: await stage.authority.identity(name),
});

/** IPK: two identities chosen by SNI, whose keys sign somewhere else and some time later. */
export async function identities(stage: Stage): Promise<string> {
  let signatures = 0;
  const elsewhere = (identity: TlsIdentity): TlsIdentity => ({
    ...identity,
    sign: async (algorithm, message) => {
      await new Promise((later) => setTimeout(later, 1));
      signatures++;
      return identity.sign(algorithm, message);
    },
  });
  const names = ["a.survey.test", "b.survey.test"] as const;
  const [a, b] = await Promise.all(names.map(async (each) => elsewhere(await stage.authority.identity(each))));
  const server: DtlsServerOptions = { identity: ({ serverName }) => (serverName === names[1] ? b : a) };
  for (const [serverName, identity] of [
    [names[0], a],
    [names[1], b],
  ] as const) {
    await using meeting = await stage.meet({ serverName, verify: stage.authority.verify }, server);
    const { peer } = meeting.outcome.client;
    see(peer?.kind === "certificate" && equal(peer.chain[0]!, identity!.certificates[0]!), `that of ${serverName}`);
  }
  see(signatures === 2, "a signature by the asynchronous signer in each handshake");
  return `${names.join(" and ")} each showed their own certificate by SNI, signed by an asynchronous signer`;
}

/** ALG: lists narrow what is agreed, in both versions, and lists that share nothing end the handshake. */
export async function algorithms(stage: Stage): Promise<string> {
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
  return `${lists.map(({ version, suite }) => `${suite} of ${version}`).join(", then ")}, as allowed; x25519 against secp256r1 fails as ${clash.server.reason}`;
}

/** EXT: ALPN, use_srtp, and an extension that DTLS does not know. */
export async function extensions(stage: Stage): Promise<string> {
  const type = 0xff5e;
  const offered = new TextEncoder().encode("survey");
  const reversed = (bytes: Uint8Array) => Uint8Array.from(bytes).reverse();
  const server: DtlsServerOptions = {
    ...(await serverOf(stage)),
    alpn: ["survey/2", "survey/1"],
    srtp: { profiles: [8, 7] },
    extensions: [{ type, data: (bytes) => bytes && reversed(bytes) }],
  };
  const client: DtlsClientOptions = {
    ...clientOf(stage),
    alpn: ["survey/1"],
    srtp: { profiles: [1, 7] },
    extensions: [{ type, data: offered, required: true }],
  };
  await using meeting = await stage.meet(client, server);
  const { outcome } = meeting;
  see(outcome.client.alpn === "survey/1" && outcome.server.alpn === "survey/1", "survey/1 at both ends");
  see(outcome.client.srtp?.profile === 7 && outcome.server.srtp?.profile === 7, "the common profile at both ends");
  const answered = outcome.client.extensions.get(type);
  see(answered !== undefined && equal(answered, reversed(offered)), "the server's answer at the client");
  return `ALPN survey/1 and use_srtp profile 0x0007 at both ends, and extension 0x${type.toString(16)} was offered and answered`;
}

/** CM: a ticket is stored by the application, resumes a session, and then carries 0-RTT data. */
export async function sessionCache(stage: Stage): Promise<string> {
  const { crypto, entropy } = stage.host;
  const client: DtlsClientOptions = {
    ...clientOf(stage),
    sessions: new ClientSessionCache(new MemorySessionStore()),
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
    await first.client.tells("ticket");
  }
  await using second = await stage.meet(client, server, new TextEncoder().encode("early words"));
  see(second.outcome.client.mode === "resumed" && second.outcome.server.mode === "resumed", "a resumption");
  see(second.outcome.client.earlyData === "accepted", "that early data are accepted");
  await second.server.tells("early");
  see(second.server.early[0] === "early words", "the early words at the server");
  return "a ticket went into the client's store, and the session that it resumed carried 0-RTT data in its first flight";
}

/** PSKI: an imported key authenticates both ends without a certificate; an unknown one is refused by its name. */
export async function preSharedKeys(stage: Stage): Promise<string> {
  const bytes = stage.host.entropy.fill(new Uint8Array(16));
  const psk = (identity: string) => ({ identity: new TextEncoder().encode(identity), key: Secret.copy(bytes) });
  for (const version of ["1.3", "1.2"] as const) {
    await using meeting = await stage.meet(
      { versions: [version], psks: [psk("lamp")] },
      { versions: [version], psks: async () => psk("lamp") },
    );
    see(meeting.outcome.client.mode === "psk" && meeting.outcome.server.mode === "psk", "the mode psk at both ends");
    meeting.client.say("by key alone");
    await meeting.server.hears("by key alone");
  }
  const one = { versions: ["1.2"], suites: ["TLS_PSK_WITH_AES_128_CCM_8"] } as const;
  const clash = await stage.clash({ ...one, psks: [psk("radio")] }, { ...one, psks: async () => undefined });
  see(clash.server.message.includes('"radio"') && clash.client.message.includes('"radio"'), "the identity's name");
  return `a 16-byte key, found by an asynchronous look-up, authenticated both ends in 1.3 and 1.2; an unknown one fails as ${clash.server.reason}, by its name`;
}

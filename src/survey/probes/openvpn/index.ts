import { equal, toHex } from "../../../bytes/index.js";
import { Failure, type Host, type InterfaceName } from "../../../contract/index.js";
import { profile, readStaticKey } from "../../../protocols/openvpn/index.js";
import { askBlank, evidence, type ProtocolProbes, type Show, see } from "../../probe.js";
import { ask } from "../../program.js";
import { newAuthority } from "../../stage/authority.js";
import { bound } from "../../udp.js";
import { OpenVpnStage, type ServerEnd, serverInside } from "./stage.js";

type Proof = (stage: OpenVpnStage, signal: AbortSignal) => Promise<string>;

/** How a tunnel would offer what OpenVPN's row leaves blank. */
const methods: Partial<Record<InterfaceName, readonly string[]>> = {
  EXT: ["extensions"],
  CM: ["sessions"],
  AD: ["delegate"],
  KE: ["onKeyExpiring"],
  ME: ["onMoved"],
};
const patient = { timeoutMs: 10_000 };

export async function openVpnProbes(host: Host): Promise<ProtocolProbes> {
  const stage = new OpenVpnStage(host);
  const [, version] = /OpenVPN (2\.\d+[.\w]*)/.exec((await ask("sh", ["-c", "openvpn --version; true"])) ?? "") ?? [];
  const name = version === undefined ? undefined : `openvpn ${version}`;
  const on =
    (own: Proof, met?: Proof) =>
    async ({ signal }: { readonly signal: AbortSignal }) =>
      evidence(
        await own(stage, signal),
        name === undefined || met === undefined ? undefined : `${name}: ${await met(stage, signal)}`,
      );
  return {
    profile,
    cells: {
      IPK: on(identities, strangersIdentity),
      ALG: on(algorithms, strangersCipher),
      PSKI: on(preSharedKeys, strangersKey),
      IV: on(identityValidation),
      CT: on(termination, strangersEnd),
      PSKE: on(exporter),
      SAV: on(sourceAddressValidation),
      KU: on(keyUpdate),
    },
    async ask(cell) {
      using server = await stage.serve();
      using client = await stage.open(server);
      return askBlank(profile, cell, client.tunnel, methods);
    },
    shows: [ownShow(stage)],
  };
}

async function echoed(stage: OpenVpnStage, server: ServerEnd, more = "") {
  const client = await stage.open(server, more);
  await client.tunnel.ping(serverInside, patient);
  return client;
}

const keyOf = ({ server }: ServerEnd): string => {
  const [client] = server.clients();
  return client?.peer?.kind === "certificate" ? toHex(client.peer.publicKey.spki) : "";
};

async function until(holds: () => boolean, signal: AbortSignal): Promise<void> {
  while (!holds()) {
    signal.throwIfAborted();
    await new Promise((again) => setTimeout(again, 5));
  }
}

/** How a client that comes to nothing was told so. */
async function refusal(opening: Promise<Disposable>): Promise<string> {
  try {
    using _ = await opening;
    return "opened";
  } catch (error) {
    return error instanceof Failure ? error.reason : String(error);
  }
}

async function identities(stage: OpenVpnStage): Promise<string> {
  using server = await stage.serve();
  using _ = await echoed(stage, server);
  see(keyOf(server) === (await stage.clientKey()), "the client's key at the server");
  return "the server's client is who the file's certificate and key say, and echoes came back";
}

async function strangersIdentity(stage: OpenVpnStage, signal: AbortSignal): Promise<string> {
  using server = await stage.serve();
  await using program = await stage.stranger(server, "", signal);
  await program.says(/Initialization Sequence Completed/);
  see(keyOf(server) === (await stage.clientKey()), "its key at the server");
  return "it came in by the same certificate, and took ours";
}

async function algorithms(stage: OpenVpnStage): Promise<string> {
  using server = await stage.serve({ dataCiphers: ["AES-256-GCM", "CHACHA20-POLY1305"] });
  using client = await echoed(stage, server, "data-ciphers CHACHA20-POLY1305");
  const [seen] = server.server.clients();
  see(seen?.cipher === "CHACHA20-POLY1305" && client.tunnel.inside().cipher === seen.cipher, "the common cipher");
  const reason = await refusal(stage.open(server, "data-ciphers AES-128-GCM"));
  see(reason === "auth-failed" || reason === "no-common-cipher", `a refusal, and not ${reason}`);
  return `of two lists the common cipher, ${seen.cipher}, was used; lists with nothing in common were refused`;
}

async function strangersCipher(stage: OpenVpnStage, signal: AbortSignal): Promise<string> {
  using server = await stage.serve({ dataCiphers: ["CHACHA20-POLY1305"] });
  await using program = await stage.stranger(server, "verb 4", signal);
  await program.says(/Data Channel: [Cc]ipher 'CHACHA20-POLY1305'/);
  await program.says(/Initialization Sequence Completed/);
  return "it took the one cipher that the server allows";
}

async function preSharedKeys(stage: OpenVpnStage): Promise<string> {
  const text = stage.newStaticKey();
  using server = await stage.serve({ control: { kind: "tls-crypt", key: readStaticKey(text)! } });
  using _ = await echoed(stage, server, `<tls-crypt>\n${text}</tls-crypt>`);
  const other = `<tls-crypt>\n${stage.newStaticKey()}</tls-crypt>\nhand-window 1`;
  see((await refusal(stage.open(server, other))) === "handshake-timeout", "silence for another key");
  see(server.server.drops()["bad-control-tag"]! > 0, "its packets refused");
  return "under one tls-crypt key echoes came back; what another sealed was met with silence";
}

async function strangersKey(stage: OpenVpnStage, signal: AbortSignal): Promise<string> {
  const text = stage.newStaticKey();
  using server = await stage.serve({ control: { kind: "tls-crypt", key: readStaticKey(text)! } });
  await using program = await stage.stranger(server, `<tls-crypt>\n${text}</tls-crypt>`, signal);
  await program.says(/Initialization Sequence Completed/);
  return "it came in under the same tls-crypt key";
}

async function identityValidation(stage: OpenVpnStage): Promise<string> {
  using server = await stage.serve();
  const wrongAuthority = await refusal(stage.open(server, "", newAuthority(stage.host)));
  see(wrongAuthority === "tls-failed", "no session under another authority");
  const wrongName = await refusal(stage.open(server, "verify-x509-name somebody.else name"));
  see(wrongName === "tls-failed", "no session with another name");
  using _ = await echoed(stage, server, "verify-x509-name server.survey.test name");
  return "another authority and another name were refused; the right ones came in";
}

async function termination(stage: OpenVpnStage, signal: AbortSignal): Promise<string> {
  using server = await stage.serve();
  const client = await echoed(stage, server);
  client.tunnel.close();
  await until(() => server.told.includes("left"), signal);
  see(server.server.clients().length === 0, "nobody left at the server");
  return "the client said EXIT on the control channel, and the server forgot it at once";
}

async function strangersEnd(stage: OpenVpnStage, signal: AbortSignal): Promise<string> {
  using server = await stage.serve();
  await using program = await stage.stranger(server, "explicit-exit-notify 1", signal);
  await program.says(/Initialization Sequence Completed/);
  program.signal("SIGTERM");
  await until(() => server.told.includes("left"), signal);
  return "its goodbye was heard";
}

async function exporter(stage: OpenVpnStage): Promise<string> {
  using server = await stage.serve();
  using client = await echoed(stage, server);
  const { peerId } = server.server.clients()[0]!;
  const [label, other] = ["EXPORTER-sealport-survey", "EXPORTER-sealport-other"];
  const ours = client.tunnel.exportKey(label, 32);
  const theirs = server.server.exportKey(peerId, label, 32);
  see(ours !== undefined && theirs !== undefined && equal(ours, theirs), "the same bytes on both sides");
  see(!equal(ours, client.tunnel.exportKey(other, 32)!), "others under another label");
  return "both sides exported the same 32 bytes, and others under another label";
}

/** The server answers a stranger's first packet and keeps nothing; the third counts only from where the answer went. */
async function sourceAddressValidation(stage: OpenVpnStage, signal: AbortSignal): Promise<string> {
  using server = await stage.serve();
  const { port } = server.server.local;
  const [here, elsewhere] = await Promise.all([bound(), bound()]);
  try {
    const id = stage.host.entropy.fill(new Uint8Array(8));
    const answer = new Promise<Uint8Array>((heard) => here.once("message", heard));
    here.send(Uint8Array.of(7 << 3, ...id, 0, 0, 0, 0, 0), port, "127.0.0.1");
    const cookie = (await answer).slice(1, 9);
    const third = Uint8Array.of(5 << 3, ...id, 1, 0, 0, 0, 0, ...cookie);
    elsewhere.send(third, port, "127.0.0.1");
    await until(() => server.server.drops()["bad-cookie"] === 1, signal);
    const begun = new Promise<Uint8Array>((heard) => here.once("message", heard));
    here.send(third, port, "127.0.0.1");
    // A session now exists: it acknowledges a packet that a stranger's would not.
    here.send(Uint8Array.of(4 << 3, ...id, 1, 0, 0, 0, 0, ...cookie, 0, 0, 0, 1), port, "127.0.0.1");
    await begun;
    see(server.server.drops()["bad-cookie"] === 1, "the same packet good from where the answer went");
  } finally {
    here.close();
    elsewhere.close();
  }
  return "a session ID that went to one address was refused from another, and good from its own";
}

async function keyUpdate(stage: OpenVpnStage, signal: AbortSignal): Promise<string> {
  using server = await stage.serve();
  using client = await echoed(stage, server);
  const before = client.tunnel.exportKey("EXPORTER-sealport-survey", 32)!;
  client.tunnel.handshake();
  await until(() => server.told.includes("renewed") && client.told.length >= 2, signal);
  await client.tunnel.ping(serverInside, patient);
  see(!equal(before, client.tunnel.exportKey("EXPORTER-sealport-survey", 32)!), "another TLS session");
  return "asked for, a soft reset made a new TLS session and new keys, under which echoes came back";
}

const shownAs = { version: "OpenVPN 2", keyExchange: "TLS 1.3", cipher: "AES-256-GCM", roundTrips: 4 } as const;

/** openvpn(8) is not shown: without a device of its own, which is root's to give, it moves no data. */
function ownShow(stage: OpenVpnStage): Show {
  return {
    title: "Sealport ↔ Sealport",
    async run() {
      const started = stage.host.now();
      using server = await stage.serve();
      using client = await echoed(stage, server);
      const [peer] = client.tunnel.status().peers;
      const authenticated = "both by certificate";
      return { ...shownAs, bytes: peer!.bytesReceived, authenticated, ms: stage.host.now() - started };
    },
  };
}

import { concat, formatPrefix } from "../bytes/index.js";
import type { Host, Network } from "../contract/index.js";
import { Boxes } from "../crypto/index.js";
import type { SimulatedHost } from "../hosts/simulator/index.js";
import { hostIdentity, hostSecretSize } from "../protocols/minimalt/index.js";
import { newKeys } from "../protocols/wireguard/index.js";
import { bind as bindZrtp } from "../protocols/zrtp/index.js";
import { OpenVpnStage, serverInside } from "../survey/probes/openvpn/stage.js";
import type { Authority } from "../survey/stage/authority.js";
import { type Connection, dial, type SecurityInit, serve, type TransportServices } from "../taps/index.js";
import { openWireGuard } from "../tunnels/index.js";
import { openOpenVpn } from "../tunnels/openvpn.js";
import {
  curvecpPackets,
  dtlsRecords,
  type Label,
  mediaPackets,
  minimaltPackets,
  openvpnPackets,
  quicPackets,
  tlsRecords,
  wireguardMessages,
} from "./labels.js";

type Outcome = readonly (readonly [what: string, value: string])[];

/** What a scene has to play on: two hosts with a link between them, in virtual time. */
export interface Stage {
  readonly client: { readonly host: SimulatedHost; readonly system: TransportServices };
  readonly server: { readonly host: SimulatedHost; readonly system: TransportServices };
  readonly authority: Authority;
  /** What the client sends, and wants back. */
  readonly payload: Uint8Array;
  /** The session stands; what was agreed on. */
  stands(outcome: Outcome): void;
  /** More of the outcome. */
  tell(what: string, value: string): void;
  sleep(ms: number): Promise<void>;
}

export interface Scene {
  /** As it is named in a URL and on the command line. */
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly label: Label;
  /** Shakes hands, has the payload echoed, and says goodbye. */
  play(stage: Stage): Promise<void>;
}

export const serverName = "server.example";
const [port, messageSize] = [4433, 1_000];

const byCertificate = async ({ authority }: Stage): Promise<Ends> => ({
  client: { trust: [authority.certificate] },
  server: { identity: await authority.identity(serverName) },
});

/** The one table of scenes. */
export const scenes: readonly Scene[] = [
  {
    name: "tls13",
    title: "TLS 1.3",
    about: "RFC 9846 over TCP: one round trip until the client may speak",
    label: tlsRecords,
    play: byUrl("tls", "stream", byCertificate, { allowed: ["TLS 1.3"] }),
  },
  {
    name: "tls12",
    title: "TLS 1.2",
    about: "RFC 5246 over TCP: two round trips, and certificates in clear",
    label: tlsRecords,
    play: byUrl("tls", "stream", byCertificate, { allowed: ["TLS 1.2"] }),
  },
  {
    name: "dtls13",
    title: "DTLS 1.3",
    about:
      "RFC 9147: TLS 1.3 over datagrams, with a cookie first; what the handshake loses is sent again, data are not",
    label: dtlsRecords,
    play: byUrl("dtls", "messages", byCertificate, { allowed: ["DTLS 1.3"] }),
  },
  {
    name: "dtls12",
    title: "DTLS 1.2",
    about: "RFC 6347: flights in clear until ChangeCipherSpec",
    label: dtlsRecords,
    play: byUrl("dtls", "messages", byCertificate, { allowed: ["DTLS 1.2"] }),
  },
  {
    name: "quic1",
    title: "QUIC version 1",
    about: "RFC 9000: handshake and transport in one, everything but a few bits encrypted",
    label: quicPackets,
    play: byUrl("quic", "stream", byCertificate, { allowed: ["QUIC v1"], alpn: ["echo"] }),
  },
  {
    name: "quic2",
    title: "QUIC version 2",
    about: "RFC 9369: the same with other numbers, so that nothing on the way gets used to those of version 1",
    label: quicPackets,
    play: byUrl("quic", "stream", byCertificate, { allowed: ["QUIC v2"], alpn: ["echo"] }),
  },
  {
    name: "curvecp",
    title: "CurveCP",
    about:
      "boxes between long-term and short-term keys: the server keeps nothing until the client has shown its cookie",
    label: curvecpPackets,
    play: byUrl("curvecp", "stream", async ({ client, server }) => {
      const newKeyPair = ({ crypto, entropy }: Host) => new Boxes(crypto).newKeyPair(entropy);
      const identity = newKeyPair(server.host);
      return {
        client: { keyPair: newKeyPair(client.host), peerKeys: [identity.publicKey] },
        server: { keyPair: identity },
      };
    }),
  },
  {
    name: "minimalt",
    title: "MinimaLT",
    about: "one round trip for the server's ephemeral key, then data in the first packet of a tunnel",
    label: minimaltPackets,
    play: byUrl("minimalt", "stream", async ({ client, server }) => {
      const identity = hostIdentity(server.host.crypto, server.host.entropy.fill(new Uint8Array(hostSecretSize)));
      const { crypto, entropy } = client.host;
      return {
        client: {
          keyPair: new Boxes(crypto).newKeyPair(entropy),
          peerKeys: [concat(identity.publicKey, identity.box.publicKey)],
        },
        server: { protocolOptions: { MinimaLT: { identity } } },
      };
    }),
  },
  {
    name: "zrtp",
    title: "ZRTP",
    about: "RFC 6189: keys agreed on in the media path; the users compare the words",
    label: mediaPackets,
    play: playZrtp,
  },
  {
    name: "wireguard",
    title: "WireGuard",
    about: "one round trip of Noise IKpsk2, then IP packets; inside, TCP of our own",
    label: wireguardMessages,
    play: playWireGuard,
  },
  {
    name: "openvpn",
    title: "OpenVPN",
    about: "TLS over a reliability layer of its own, then options are pushed; inside, TCP of our own",
    label: openvpnPackets,
    play: playOpenVpn,
  },
];

export const sceneNamed = (name: string): Scene | undefined => scenes.find((each) => each.name === name);

interface Ends {
  readonly client: SecurityInit;
  readonly server: SecurityInit;
}

/** A scene that is one `serve` and one `dial`. */
function byUrl(
  scheme: string,
  unit: "stream" | "messages",
  ends: (stage: Stage) => Promise<Ends>,
  both: SecurityInit = {},
): Scene["play"] {
  return async (stage) => {
    const { client, server } = await ends(stage);
    const handler = async (connection: Connection) => {
      for await (const { data, final } of connection) {
        if (data.length > 0) await connection.send(data);
        if (final === true) await connection.send(new Uint8Array(0), { final: true });
      }
    };
    await using _ = await serve(stage.server.system, `${scheme}://*:${port}`, handler, { ...server, ...both });
    await using connection = await dial(stage.client.system, `${scheme}://${serverName}:${port}`, {
      ...client,
      ...both,
    });
    stage.stands(outcomeOf(connection));
    await (unit === "stream" ? echoStream : echoMessages)(stage, connection);
    await connection.close();
  };
}

async function echoStream({ payload, tell }: Stage, connection: Connection): Promise<void> {
  await connection.send(payload, { final: true });
  let back = 0;
  for await (const { data } of connection) back += data.length;
  tell("echoed", `${back} bytes of ${payload.length}`);
}

/** Messages of a kilobyte; those that are lost are not sent again. */
async function echoMessages({ payload, tell, sleep }: Stage, connection: Connection): Promise<void> {
  let back = 0;
  const counting = (async () => {
    for await (const { data } of connection) back += data.length;
  })();
  for (let at = 0; at < payload.length; at += messageSize) {
    await connection.send(payload.subarray(at, at + messageSize));
    await sleep(1);
  }
  await quiet(() => back, payload.length, sleep);
  tell("echoed", `${back} bytes of ${payload.length}`);
  await connection.close();
  await counting;
}

/** Until all is back, or nothing more has come for a while. */
async function quiet(count: () => number, all: number, sleep: Stage["sleep"]): Promise<void> {
  for (let before = -1; count() < all && count() !== before; ) {
    before = count();
    for (let waited = 0; waited < patienceMs && count() === before; waited += 10) await sleep(10);
  }
}
const patienceMs = 12_000;

function outcomeOf({ stack, security }: Connection): Outcome {
  const outcome: Readonly<Record<string, unknown>> = { ...security?.outcome };
  const words = ["version", "suite", "group", "signatureScheme", "mode", "serverName", "alpn"] as const;
  const told = words.flatMap((name) => {
    const value = outcome[name];
    const text = typeof value === "object" && value !== null && "name" in value ? value.name : value;
    return typeof text === "string" && text !== "" ? [[name, text] as const] : [];
  });
  return [["stack", stack ?? ""], ...told];
}

async function playZrtp({ client, server, payload, stands, tell, sleep }: Stage): Promise<void> {
  const at = { address: addressOf(server.host), port: 5_004 };
  let back = 0;
  const open = (host: SimulatedHost, remote?: typeof at, got?: (bytes: Uint8Array) => void) =>
    bindZrtp(
      host,
      { local: { address: addressOf(host), port: 5_004 }, ...(remote && { remote }) },
      {},
      { datagrams: (bytes) => got?.(bytes), closed: () => undefined },
    );
  const answering = await open(server.host, undefined, (bytes) => void answering.send(bytes));
  const calling = await open(client.host, at, (bytes) => {
    back += bytes.length - rtpHeaderSize;
  });
  await Promise.all([calling.confirmed, answering.confirmed]);
  const { outcome } = calling;
  stands([
    ["agreement", `${outcome?.keyAgreement}, ${outcome?.hash}`],
    ["profile", String(calling.profile)],
    ["words", `${outcome?.words?.text} on both sides`],
  ]);
  let sequence = 0;
  for (let begin = 0; begin < payload.length; begin += messageSize) {
    calling.send(rtp(calling.ssrc, ++sequence, payload.subarray(begin, begin + messageSize)));
    await sleep(1);
  }
  await quiet(() => back, payload.length, sleep);
  tell("echoed", `${back} bytes of ${payload.length}`);
  calling.close();
  await sleep(1_000);
  answering.close();
}

const rtpHeaderSize = 12;

function rtp(ssrc: number, sequence: number, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(rtpHeaderSize + payload.length);
  const view = new DataView(packet.buffer);
  view.setUint16(0, 0x8060);
  view.setUint16(2, sequence);
  view.setUint32(4, sequence * 160);
  view.setUint32(8, ssrc);
  packet.set(payload, rtpHeaderSize);
  return packet;
}

async function playWireGuard(stage: Stage): Promise<void> {
  const { client, server } = stage;
  const [ours, theirs] = [newKeys(client.host), newKeys(server.host)];
  const far = await openWireGuard(
    server.host,
    `[Interface]\nPrivateKey = ${theirs.privateKey}\nAddress = 10.0.0.1/24\nListenPort = 51820
     [Peer]\nPublicKey = ${ours.publicKey}\nAllowedIPs = 10.0.0.2/32`,
  );
  const near = await openWireGuard(
    client.host,
    `[Interface]\nPrivateKey = ${ours.privateKey}\nAddress = 10.0.0.2/24
     [Peer]\nPublicKey = ${theirs.publicKey}\nAllowedIPs = 10.0.0.0/24\nEndpoint = ${addressOf(server.host)}:51820`,
  );
  await echoInside(stage, near.network, far.network, "10.0.0.1", [["server's key", theirs.publicKey]]);
  near.close();
  far.close();
}

async function playOpenVpn(stage: Stage): Promise<void> {
  const { client, server } = stage;
  const ends = new OpenVpnStage(server.host, stage.authority);
  const far = await ends.serve({ local: { address: addressOf(server.host), port: 1_194 } });
  const file = (await ends.file(1_194)).replace("remote 127.0.0.1", `remote ${addressOf(server.host)}`);
  const near = await openOpenVpn(client.host, file);
  const { addresses } = near.inside();
  await echoInside(stage, near.network, far.server.network, serverInside, [
    ["inside", addresses.map(formatPrefix).join(", ")],
  ]);
  near.close();
  far.server.close();
}

/** TCP through a tunnel that both ends have open: the payload goes there and back. */
async function echoInside(stage: Stage, near: Network, far: Network, address: string, outcome: Outcome): Promise<void> {
  const { payload, stands, tell } = stage;
  const at = { address, port: 7 };
  const listener = await far.listenStreams(at, (peer) => ({
    bytes: (bytes) => void peer.write(bytes.slice()),
    ended: () => peer.finish(),
    drained: () => undefined,
    closed: () => undefined,
  }));
  let back = 0;
  await new Promise<void>((over, failed) => {
    const port = near.connectStream(at, {
      opened: () => {
        stands(outcome);
        port.write(payload);
        port.finish();
      },
      bytes: (bytes) => {
        back += bytes.length;
      },
      ended: () => undefined,
      drained: () => undefined,
      closed: (failure) => (failure === undefined ? over() : failed(failure)),
    });
  });
  tell("echoed", `${back} bytes of ${payload.length}`);
  listener.close();
}

const addressOf = (host: SimulatedHost): string => host.addressOn("eth0", 4)!;

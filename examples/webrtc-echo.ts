// A browser sends us its camera and its microphone, and we send them back: DTLS-SRTP over ICE-lite, with one page and one
// request for signalling. `node dist/examples/webrtc-echo.js [PORT]`, then open the page that it names.
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { pathToFileURL } from "node:url";
import { bindIce, type IceEndpoint, nodeHost, parseOffer, writeAnswer } from "../src/adapters/webrtc/index.js";
import {
  answerSetup,
  type DtlsSrtpSession,
  fingerprintOf,
  over,
  roleOf,
  sessionIdentity,
} from "../src/protocols/dtls-srtp/index.js";

export interface EchoOptions {
  /** Port of the page; 0, the default, takes a free one. */
  readonly port?: number;
  /** Address of page and media. Default 127.0.0.1. */
  readonly address?: string;
  /** Our DTLS role when the browser leaves it to us, as browsers do. Default active: we are the client. */
  readonly setup?: "active" | "passive";
  /** Default: 1.3, then 1.2. */
  readonly versions?: readonly ("1.3" | "1.2")[];
  /** Told of every session that has its keys. */
  readonly confirmed?: (session: DtlsSrtpSession) => void;
  /** Told of every session that could not get them. */
  readonly failed?: (failure: unknown) => void;
}

export interface Echo {
  /** Where the page is. */
  readonly url: string;
  close(): void;
}

const host = nodeHost();

/** Serves the page, and echoes the media of everyone who opens it. */
export async function serveEcho(options: EchoOptions = {}): Promise<Echo> {
  const { address = "127.0.0.1", port = 0 } = options;
  const ice = await bindIce(host, { address, port: 0 });
  const server = createServer((request, response) => {
    if (request.method !== "POST") {
      response.setHeader("content-type", "text/html; charset=utf-8").end(page);
      return;
    }
    read(request)
      .then((offer) => response.setHeader("content-type", "application/sdp").end(answer(ice, offer, options)))
      .catch((error: unknown) => response.writeHead(400).end(String(error)));
  });
  await listening(server, port, address);
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${address}:${bound}/`,
    close: () => {
      ice.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The answer to a browser's offer; when the browser has found us, media come and go. */
function answer(ice: IceEndpoint, text: string, options: EchoOptions): string {
  const offer = parseOffer(text);
  const setup = answerSetup(offer.setup, options.setup);
  const identity = sessionIdentity(host.crypto, host.entropy, host.now());
  const dtls = { identity, ...(options.versions && { versions: options.versions }) };
  const flow = ice.expect(offer.ufrag, (port) => {
    const media = over(host, roleOf(setup), { fingerprints: offer.fingerprints, dtls }, ice.local, {
      datagrams: (packet) => echo(media.session, packet),
      closed: () => port.close(),
    });
    media.session.confirmed.then(options.confirmed, options.failed);
    // A DTLS client begins at once, and may be heard when the browser has chosen an address.
    let isAttached = false;
    return {
      datagrams: media.lower.datagrams.bind(media.lower),
      selected: () => {
        if (!isAttached) media.attach(port);
        isAttached = true;
      },
      closed: (failure) => media.lower.closed(failure),
    };
  });
  return writeAnswer({
    offer,
    ufrag: flow.credentials.ufrag,
    password: new TextDecoder().decode(flow.credentials.password.expose()),
    setup,
    fingerprint: fingerprintOf(host.crypto, identity.certificates[0]!),
    candidate: ice.local,
    codecs: { audio: "opus", video: "vp8" },
    sessionId: Math.floor(host.now()),
  });
}

/** Sends a packet back as ours: its source's last bit is another. Of RTCP, who wants a new picture is answered alone. */
function echo(session: DtlsSrtpSession, packet: Uint8Array): void {
  const isRtcp = packet[1]! >= 192 && packet[1]! <= 223;
  if (!isRtcp) {
    packet[11]! ^= 1;
    session.send(packet);
    return;
  }
  // RFC 4585 §6.3.1: a Picture Loss Indication for what we send is one for what the browser sends.
  for (let at = 0; at + 12 <= packet.length; at += 4 + 4 * ((packet[at + 2]! << 8) | packet[at + 3]!)) {
    if (packet[at] !== 0x81 || packet[at + 1] !== 206) continue;
    const indication = packet.slice(at, at + 12);
    indication[11]! ^= 1;
    session.send(indication);
  }
}

async function read(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > 100_000) throw new Error("too long");
  }
  return text;
}

const listening = (server: Server, port: number, address: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject).listen(port, address, resolve);
  });

const page = `<!doctype html><meta charset="utf-8"><title>Echo</title>
<style>
  body { font: 16px system-ui; margin: 2rem; background: #14171c; color: #e8eaee }
  figure { display: inline-block; margin: 0 1rem 0 0 } video { width: 320px; height: 240px; background: #000 }
</style>
<h1>There and back</h1>
<figure><video id="near" autoplay muted playsinline></video><figcaption>sent</figcaption></figure>
<figure><video id="far" autoplay playsinline></video><figcaption>came back through DTLS-SRTP</figcaption></figure>
<pre id="numbers">…</pre>
<script type="module">
  const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 320, height: 240 } });
  document.querySelector("#near").srcObject = stream;
  for (const track of stream.getTracks()) connection.addTrack(track, stream);
  connection.ontrack = ({ streams }) => (document.querySelector("#far").srcObject = streams[0]);
  await connection.setLocalDescription();
  if (connection.iceGatheringState !== "complete") {
    await new Promise((done) => connection.onicegatheringstatechange = () => connection.iceGatheringState === "complete" && done());
  }
  const response = await fetch("/", { method: "POST", body: connection.localDescription.sdp });
  if (!response.ok) throw new Error(await response.text());
  await connection.setRemoteDescription({ type: "answer", sdp: await response.text() });
  window.facts = async () => {
    const all = [...(await connection.getStats()).values()];
    const inbound = (kind) => all.find((each) => each.type === "inbound-rtp" && each.kind === kind) ?? {};
    const { tlsVersion, dtlsRole, dtlsCipher, srtpCipher } = all.find(({ type }) => type === "transport") ?? {};
    return {
      state: connection.connectionState, tlsVersion, dtlsRole, dtlsCipher, srtpCipher,
      framesDecoded: inbound("video").framesDecoded ?? 0,
      audioEnergy: inbound("audio").totalAudioEnergy ?? 0,
      width: document.querySelector("#far").videoWidth,
    };
  };
  setInterval(async () => (document.querySelector("#numbers").textContent = JSON.stringify(await facts(), null, 2)), 500);
</script>`;

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { url } = await serveEcho({ port: Number(process.argv[2] ?? 8080) });
  console.log(`open ${url}`);
}

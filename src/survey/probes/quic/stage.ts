import type { Host } from "../../../contract/index.js";
import {
  connect,
  listen,
  type QuicClientOptions,
  type QuicListener,
  type QuicServerOptions,
} from "../../../protocols/quic/index.js";
import { findOpenssl, type Openssl } from "../../stage/openssl.js";
import { type Cast, openStageOf, type Meeting as StageMeeting, type Stage as StageOf } from "../../stage/stage.js";
import { UdpWire } from "../../udp-wire.js";
import { End } from "./end.js";
import { findNgtcp2, type Ngtcp2 } from "./ngtcp2.js";

interface QuicCast extends Cast {
  readonly client: QuicClientOptions;
  readonly server: QuicServerOptions;
  readonly end: End;
  readonly listener: QuicListener;
  readonly wire: UdpWire;
}

/** What QUIC's probes play on. */
export interface Stage extends StageOf<QuicCast> {
  /** ngtcp2 as the other end, if there is one in PATH. */
  readonly ngtcp2: Ngtcp2 | undefined;
  /** OpenSSL as a client, if there is one in PATH that speaks QUIC. */
  readonly openssl: Openssl | undefined;
}

export type Meeting = StageMeeting<QuicCast>;

/** The stage of a real run, with ngtcp2 and OpenSSL if they are there. */
export async function openStage(host: Host): Promise<Stage> {
  const stage = openStageOf<QuicCast>(host, {
    end: () => new End(),
    connect: (remote, options, end) => connect(host, remote, options, end),
    listen: (local, options, accept) => listen(host, local, options, accept),
    sayEarly: (end, bytes) => end.say(bytes, true),
    wire: (port) => UdpWire.to(port),
  });
  const [ngtcp2, openssl] = await Promise.all([findNgtcp2(stage.authority), findOpenssl(stage.authority)]);
  return { ...stage, ngtcp2, openssl: openssl?.hasQuic === true ? openssl : undefined };
}

import type { Host } from "../../../contract/index.js";
import {
  connect,
  type DtlsClientOptions,
  type DtlsListener,
  type DtlsServerOptions,
  listen,
} from "../../../protocols/dtls/index.js";
import { findOpenssl, type Openssl } from "../../stage/openssl.js";
import { type Cast, openStageOf, type Meeting as StageMeeting, type Stage as StageOf } from "../../stage/stage.js";
import { UdpWire } from "../../udp-wire.js";
import { End } from "./end.js";

interface DtlsCast extends Cast {
  readonly client: DtlsClientOptions;
  readonly server: DtlsServerOptions;
  readonly end: End;
  readonly listener: DtlsListener;
  readonly wire: UdpWire;
}

/** What DTLS's probes play on. */
export interface Stage extends StageOf<DtlsCast> {
  /** OpenSSL as the other end, if there is one in PATH. It speaks 1.2. */
  readonly openssl: Openssl | undefined;
}

export type Meeting = StageMeeting<DtlsCast>;

/** The stage of a real run, with OpenSSL if it is there. */
export async function openStage(host: Host): Promise<Stage> {
  const stage = openStageOf<DtlsCast>(host, {
    end: () => new End(),
    connect: (remote, options, end) => connect(host, remote, options, end),
    listen: (local, options, accept) => listen(host, local, options, accept),
    sayEarly: (end, bytes) => end.session.sendEarly(bytes),
    wire: (port) => UdpWire.to(port),
  });
  return { ...stage, openssl: await findOpenssl(stage.authority) };
}

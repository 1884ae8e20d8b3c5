import type { Host } from "../../../contract/index.js";
import { connect, listen, type TlsClientOptions, type TlsServerOptions } from "../../../protocols/tls/index.js";
import { findOpenssl, type Openssl } from "../../stage/openssl.js";
import { type Cast, openStageOf, type Meeting as StageMeeting, type Stage as StageOf } from "../../stage/stage.js";
import { Wire } from "../../wire.js";
import { End } from "./end.js";

interface TlsCast extends Cast {
  readonly client: TlsClientOptions;
  readonly server: TlsServerOptions;
  readonly end: End;
  readonly listener: Awaited<ReturnType<typeof listen>>;
  readonly wire: Wire;
}

/** What TLS's probes play on. */
export interface Stage extends StageOf<TlsCast> {
  /** OpenSSL as the other end, if there is one in PATH. */
  readonly openssl: Openssl | undefined;
}

export type Meeting = StageMeeting<TlsCast>;

/** The stage of a real run, with OpenSSL if it is there. */
export async function openStage(host: Host): Promise<Stage> {
  const stage = openStageOf<TlsCast>(host, {
    end: () => new End(),
    connect: (remote, options, end) => connect(host, remote, options, end),
    listen: (local, options, accept) => listen(host, local, options, accept),
    sayEarly: (end, bytes) => end.session.writeEarly(bytes),
    wire: (port) => Wire.to(port),
  });
  return { ...stage, openssl: await findOpenssl(stage.authority) };
}

import type { Host } from "../../contract/index.js";
import type { ProtocolProbes } from "../probe.js";

/** The protocols that are built, each imported when its proofs are wanted. */
const built: readonly ((host: Host) => Promise<ProtocolProbes>)[] = [
  async (host) => {
    const [{ openStage }, { tlsProbes }] = await Promise.all([import("./tls/stage.js"), import("./tls/index.js")]);
    return tlsProbes(await openStage(host));
  },
  async (host) => {
    const [{ openStage }, { dtlsProbes }] = await Promise.all([import("./dtls/stage.js"), import("./dtls/index.js")]);
    return dtlsProbes(await openStage(host));
  },
  async (host) => {
    const [{ openStage }, { quicProbes }] = await Promise.all([import("./quic/stage.js"), import("./quic/index.js")]);
    return quicProbes(await openStage(host));
  },
  async (host) => {
    const { openStage, srtpProbes } = await import("./srtp/index.js");
    return srtpProbes(await openStage(host));
  },
  async (host) => {
    const [{ openStage }, { zrtpProbes }] = await Promise.all([import("./zrtp/stage.js"), import("./zrtp/index.js")]);
    return zrtpProbes(openStage(host));
  },
  async (host) => (await import("./tcpcrypt/index.js")).tcpcryptProbes(host),
  async (host) => (await import("./minimalt/index.js")).minimaltProbes(host),
  async (host) => (await import("./gquic/index.js")).gquicProbes(host),
  async (host) => (await import("./curvecp/index.js")).curvecpProbes(host),
  async (host) => (await import("./ikev2/index.js")).ikev2Probes(host),
  async (host) => {
    const [{ openStage }, { espProbes }] = await Promise.all([import("./esp/stage.js"), import("./esp/index.js")]);
    return espProbes(openStage(host));
  },
  async (host) => (await import("./wireguard/index.js")).wireguardProbes(host),
  async (host) => (await import("./openvpn/index.js")).openVpnProbes(host),
];

export const allProbes = (host: Host): Promise<readonly ProtocolProbes[]> =>
  Promise.all(built.map((load) => load(host)));

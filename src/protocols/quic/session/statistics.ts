import type { Instant } from "../../../contract/index.js";
import type { Core } from "../connection/core.js";
import type { QuicStatistics } from "../session.js";

/** What a connection has counted; zero before there is one. */
export function statisticsOf(
  core: Core | undefined,
  openedAt: Instant | undefined,
  confirmedAt: Instant | undefined,
): QuicStatistics {
  const recovery = core?.recovery;
  const ecn = core?.ecn.status ?? "off";
  return {
    bytesSent: core?.bytesSent ?? 0,
    bytesReceived: core?.bytesReceived ?? 0,
    packetsSent: core?.packetsSent ?? 0,
    packetsReceived: core?.packetsReceived ?? 0,
    packetsLost: recovery?.packetsLost ?? 0,
    packetsLostSpuriously: recovery?.packetsLostSpuriously ?? 0,
    packetsDropped: core?.packetsDropped ?? 0,
    rttMs: recovery?.rtt.smoothedMs ?? 0,
    rttVariationMs: recovery?.rtt.variationMs ?? 0,
    rttMinMs: recovery?.rtt.minMs ?? 0,
    congestionWindow: recovery?.controller.window ?? 0,
    bytesInFlight: recovery?.bytesInFlight ?? 0,
    mtu: core?.mtu.current ?? 0,
    keyGeneration: core?.oneRtt.generation ?? 0,
    ecn,
    openedAt,
    confirmedAt,
  };
}

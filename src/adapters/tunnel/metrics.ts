import { createServer, type Server } from "node:http";
import type { Instant } from "../../contract/index.js";
import type { TunnelStatus } from "./status.js";

export const openMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

interface Metric {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  values(status: TunnelStatus): readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];
}

const ofPeers = (pick: (peer: TunnelStatus["peers"][number]) => number | undefined) => (status: TunnelStatus) =>
  status.peers.flatMap((peer) => {
    const value = pick(peer);
    return value === undefined ? [] : [[{ peer: peer.publicKey }, value] as const];
  });

const metrics: readonly Metric[] = [
  {
    name: "sealport_tunnel_up",
    type: "gauge",
    help: "1 while a peer has a session that is young enough to be used",
    values: ({ isUp }) => [[{}, isUp ? 1 : 0]],
  },
  {
    name: "sealport_tunnel_mtu_bytes",
    type: "gauge",
    help: "Largest packet inside",
    values: ({ mtu }) => [[{}, mtu]],
  },
  {
    name: "sealport_tunnel_connections",
    type: "gauge",
    help: "Connections that are open inside",
    values: ({ connections }) => [[{}, connections]],
  },
  {
    name: "sealport_tunnel_rtt_seconds",
    type: "gauge",
    help: "Round trip of the last echo that was answered",
    values: ({ rttMs }) => (rttMs === undefined ? [] : [[{}, rttMs / 1_000]]),
  },
  {
    name: "sealport_tunnel_last_handshake_timestamp_seconds",
    type: "gauge",
    help: "When the newest handshake was done, since the Unix epoch",
    values: ofPeers(({ lastHandshakeAt }) => (lastHandshakeAt === undefined ? undefined : lastHandshakeAt / 1_000)),
  },
  {
    name: "sealport_tunnel_handshakes",
    type: "counter",
    help: "Handshakes that were done",
    values: ofPeers(({ handshakes }) => handshakes),
  },
  {
    name: "sealport_tunnel_sent_bytes",
    type: "counter",
    help: "Bytes sent to a peer",
    values: ofPeers(({ bytesSent }) => bytesSent),
  },
  {
    name: "sealport_tunnel_received_bytes",
    type: "counter",
    help: "Bytes received from a peer",
    values: ofPeers(({ bytesReceived }) => bytesReceived),
  },
  {
    name: "sealport_tunnel_dropped_packets",
    type: "counter",
    help: "Packets that were dropped, by reason",
    values: ({ drops }) => Object.entries(drops).map(([reason, count]) => [{ reason }, count] as const),
  },
];

/** A tunnel's status as OpenMetrics text. */
export function openMetrics(status: TunnelStatus): string {
  const lines = metrics.flatMap(({ name, type, help, values }) => [
    `# TYPE ${name} ${type}`,
    `# HELP ${name} ${help}`,
    ...values(status).map(([labels, value]) => {
      const all = Object.entries({ tunnel: status.name, ...labels }).map(([key, text]) => `${key}="${escaped(text)}"`);
      return `${name}${type === "counter" ? "_total" : ""}{${all.join(",")}} ${value}`;
    }),
  ]);
  return `${lines.join("\n")}\n# EOF\n`;
}

/**
 * An HTTP server with `/metrics`, and `/readyz`, which answers 200 while the tunnel is up and 503 otherwise, with the age
 * of the last handshake in milliseconds.
 */
export function metricsServer(status: () => TunnelStatus, now: () => Instant): Server {
  return createServer((request, response) => {
    const told = status();
    if (request.url === "/metrics") {
      response.writeHead(200, { "content-type": openMetricsType }).end(openMetrics(told));
    } else if (request.url === "/readyz") {
      const { isUp, lastHandshakeAt } = told;
      const handshakeAgeMs = lastHandshakeAt === undefined ? null : Math.round(now() - lastHandshakeAt);
      response.writeHead(isUp ? 200 : 503, { "content-type": "application/json" });
      response.end(`${JSON.stringify({ isUp, handshakeAgeMs })}\n`);
    } else response.writeHead(404).end();
  });
}

const escaped = (text: string): string => text.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n");

import { once } from "node:events";
import { equal } from "../../bytes/index.js";
import type { Host, SocketAddress } from "../../contract/index.js";
import { bind, optionsOf, parseSdes, type SrtpSession } from "../../protocols/srtp/index.js";
import type { CommandContext } from "../command.js";
import { ConfigError, type ExitName, UsageError } from "../exit.js";
import { addressOf, anyPort, counted, framed, sendInput, text, untilQuiet } from "../media.js";
import { readSource } from "../secrets.js";
import { openSessionHost } from "../session-host.js";
import type { SessionValues } from "../session-options.js";
import type { Terminal } from "../terminal.js";

/** What `connect srtp:` and `listen srtp:` take. */
export interface SrtpValues extends SessionValues {
  readonly url: string | undefined;
  readonly echo?: boolean;
}

/**
 * RTP and RTCP from stdin, each packet behind its length (RFC 4571), go to the peer protected; what comes back goes to stdout
 * the same way. Keys are two a=crypto lines, ours and the peer's.
 */
export async function connectSrtp(values: SrtpValues, { terminal, signal }: CommandContext): Promise<ExitName> {
  await using below = await openSessionHost(values, "client", terminal);
  const { host } = below;
  const remote = await addressOf(host, "srtp", values.url ?? "", signal);
  const end = await open(host, values, terminal, { local: anyPort(remote), remote });
  terminal.event("connected", {
    protocol: "SRTP",
    profile: end.profile,
    local: text(end.session.local),
    remote: text(remote),
  });
  terminal.note(`SRTP, ${end.profile}, to ${text(remote)}`);
  const stop = () => end.session.close();
  signal.addEventListener("abort", stop, { once: true });
  await sendInput(end);
  await untilQuiet(end, signal);
  return finish(end, terminal, signal);
}

/** The same on a port that waits: it answers to wherever the last authentic packet came from. Runs until it is interrupted. */
export async function listenSrtp(values: SrtpValues, { terminal, signal }: CommandContext): Promise<ExitName> {
  await using below = await openSessionHost(values, "server", terminal);
  const { host } = below;
  const local = await addressOf(host, "srtp", values.url ?? "", signal);
  const end = await open(host, values, terminal, { local });
  const address = text(end.session.local);
  terminal.event("listening", { address, protocol: "SRTP", profile: end.profile });
  terminal.note(`listening on ${address}`);
  if (values.echo !== true) void sendInput(end);
  if (!signal.aborted) await once(signal, "abort");
  return finish(end, terminal, signal);
}

interface End {
  readonly session: SrtpSession;
  readonly profile: string;
  received: number;
  sent: number;
}

async function open(
  host: Host,
  values: SrtpValues,
  terminal: Terminal,
  addresses: { readonly local: SocketAddress; readonly remote?: SocketAddress },
): Promise<End> {
  const [ours, theirs] = keysOf(values);
  const { key: sendKey, ...options } = optionsOf(ours);
  const { key: receiveKey, windowBits } = optionsOf(theirs);
  const all = { ...options, ...(windowBits !== undefined && { windowBits }), sendKey, receiveKey };
  const end: { -readonly [K in keyof End]: End[K] } = {
    session: undefined!,
    profile: ours.profile,
    received: 0,
    sent: 0,
  };
  end.session = await bind(host, addresses, all, {
    datagrams: (packet) => {
      end.received++;
      if (values.echo === true) end.session.send(packet);
      else if (terminal.json) terminal.event("packet", { base64: Buffer.from(packet).toString("base64") });
      else process.stdout.write(framed(packet));
    },
    closed: () => undefined,
  });
  for (const { key } of [...ours.keys, ...theirs.keys]) key.wipe();
  end.session.onKeyExpiring((why, direction) => {
    terminal.event("key-expiring", { why, direction });
    terminal.note(`a key comes to its end: ${direction}, by ${why}`);
  });
  return end;
}

function keysOf(values: SrtpValues) {
  const source = values["srtp-keys"];
  if (source === undefined)
    throw new UsageError("srtp: needs keys", "--srtp-keys @FILE with two a=crypto lines, ours and the peer's");
  const lines = new TextDecoder()
    .decode(readSource(source, "--srtp-keys", false))
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "");
  const [ours, theirs] = lines.map(parseSdes);
  if (ours === undefined || theirs === undefined || lines.length > 2) {
    throw new ConfigError("--srtp-keys: two lines are wanted, ours and the peer's", "sealport keygen srtp");
  }
  if (ours.profile !== theirs.profile) throw new ConfigError("--srtp-keys: both lines have one suite");
  // RFC 3711 §9.1: with one key in both directions two sources could use one keystream.
  if (equal(ours.keys[0].key.expose(), theirs.keys[0].key.expose()))
    throw new ConfigError("--srtp-keys: each direction has a key of its own");
  return [ours, theirs] as const;
}

function finish(end: End, terminal: Terminal, signal: AbortSignal): ExitName {
  const { sent, received, session } = end;
  terminal.event("closed", {
    sent,
    received,
    sendDrops: counted(session.sendDrops),
    receiveDrops: counted(session.receiveDrops),
  });
  terminal.note(`${sent} packets sent, ${received} received`);
  session.close();
  process.stdin.destroy();
  signal.throwIfAborted();
  return "ok";
}

import { once } from "node:events";
import { FileZrtpCache } from "../../adapters/file-zrtp-cache.js";
import { toHex } from "../../bytes/index.js";
import type { Host, SocketAddress } from "../../contract/index.js";
import {
  bind,
  formatHelloHash,
  parseHelloHash,
  type ZrtpOptions,
  type ZrtpOutcome,
  type ZrtpSession,
} from "../../protocols/zrtp/index.js";
import type { CommandContext } from "../command.js";
import type { ExitName } from "../exit.js";
import { addressOf, anyPort, counted, framed, sendInput, text, untilQuiet } from "../media.js";
import { readKey } from "../secrets.js";
import { openSessionHost } from "../session-host.js";
import type { SessionValues } from "../session-options.js";
import type { Terminal } from "../terminal.js";

/** What `connect zrtp:` and `listen zrtp:` take. */
export interface ZrtpValues extends SessionValues {
  readonly url: string | undefined;
  readonly echo?: boolean;
}

const callMs = 30_000;

/**
 * RTP and RTCP as `connect srtp:` has them, under keys that are agreed on with the peer; the words to compare are printed. With a
 * cache it knows the peer again.
 */
export async function connectZrtp(values: ZrtpValues, { terminal, signal }: CommandContext): Promise<ExitName> {
  await using below = await openSessionHost(values, "client", terminal);
  const { host } = below;
  const remote = await addressOf(host, "zrtp", values.url ?? "", signal);
  const end = await open(host, values, terminal, { local: anyPort(remote), remote });
  const stop = () => end.session.close();
  const giveUp = AbortSignal.timeout(values.timeout ?? callMs);
  signal.addEventListener("abort", stop, { once: true });
  giveUp.addEventListener("abort", () => end.session.outcome === undefined && stop(), { once: true });
  await end.session.confirmed;
  await sendInput(end);
  await untilQuiet(end, signal);
  return finish(end, terminal, signal);
}

/** The same on a port that waits for one peer's Hello, wherever it comes from. Runs until it is interrupted. */
export async function listenZrtp(values: ZrtpValues, { terminal, signal }: CommandContext): Promise<ExitName> {
  await using below = await openSessionHost(values, "server", terminal);
  const { host } = below;
  const local = await addressOf(host, "zrtp", values.url ?? "", signal);
  const end = await open(host, values, terminal, { local });
  const address = text(end.session.local);
  terminal.event("listening", { address, protocol: "ZRTP", zrtpHash: formatHelloHash(end.session.helloHash) });
  terminal.note(`listening on ${address}`);
  terminal.note(formatHelloHash(end.session.helloHash));
  if (values.echo !== true) void end.session.confirmed.then(() => sendInput(end)).catch(() => undefined);
  if (!signal.aborted)
    await Promise.race([once(signal, "abort"), end.session.confirmed.then(() => new Promise(() => {}))]);
  return finish(end, terminal, signal);
}

interface End {
  session: ZrtpSession;
  received: number;
  sent: number;
}

async function open(
  host: Host,
  values: ZrtpValues,
  terminal: Terminal,
  addresses: { readonly local: SocketAddress; readonly remote?: SocketAddress },
): Promise<End> {
  const cache =
    values["zrtp-cache"] === undefined ? undefined : await FileZrtpCache.open(values["zrtp-cache"], host.entropy);
  const options: ZrtpOptions = {
    ...(cache && { cache, zid: cache.zid }),
    ...(values["zrtp-hash"] !== undefined && { signalled: parseHelloHash(values["zrtp-hash"]) }),
    ...(values.psk !== undefined && { auxiliary: readKey(values.psk, "--psk") }),
  };
  const end: End = { session: undefined!, received: 0, sent: 0 };
  end.session = await bind(host, addresses, options, {
    datagrams: (packet) => {
      end.received++;
      if (values.echo === true) end.session.send(packet);
      else if (terminal.json) terminal.event("packet", { base64: Buffer.from(packet).toString("base64") });
      else process.stdout.write(framed(packet));
    },
    confirmed: (session) => {
      terminal.event("connected", {
        protocol: "ZRTP",
        local: text(session.local),
        remote: text(session.remote!),
        ...shown(session.outcome!),
      });
      terminal.note(summary(session.outcome!));
    },
    warning: (warning, message) => {
      terminal.event("warning", { warning, message });
      terminal.note(message);
    },
    closed: () => undefined,
  });
  end.session.onKeyExpiring((why) => {
    terminal.event("key-expiring", { why });
    terminal.note(`a key comes to its end, by ${why}`);
  });
  return end;
}

function shown(outcome: ZrtpOutcome): Record<string, unknown> {
  const { words, profile, role, hash, keyAgreement, verified, continuity, signalled, auxiliary, peerZid, client } =
    outcome;
  return {
    profile,
    role,
    hash,
    keyAgreement,
    words: words?.text,
    verified,
    continuity,
    auxiliary,
    signalled,
    peerZid: toHex(peerZid),
    client,
  };
}

const summary = ({ words, profile, keyAgreement, hash, verified }: ZrtpOutcome): string =>
  `ZRTP, ${keyAgreement}, ${hash}, ${profile}; the words are ${words?.text ?? "those of the call"}${verified ? ", compared before" : ": compare them"}`;

async function finish(end: End, terminal: Terminal, signal: AbortSignal): Promise<ExitName> {
  const { sent, received, session } = end;
  await session.stored;
  terminal.event("closed", {
    sent,
    received,
    sendDrops: counted(session.srtp?.sendDrops),
    receiveDrops: counted(session.srtp?.receiveDrops),
    zrtpDrops: counted(session.drops),
  });
  terminal.note(`${sent} packets sent, ${received} received`);
  session.close();
  process.stdin.destroy();
  signal.throwIfAborted();
  return "ok";
}

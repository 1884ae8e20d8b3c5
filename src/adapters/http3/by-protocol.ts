import type { QuicSession, QuicSink } from "../../protocols/quic/index.js";

/** What takes a session whose application protocol has been agreed on. */
export type AcceptSession = (session: QuicSession) => QuicSink;

/**
 * Several application protocols on one port, told apart by ALPN: the sink of a session whose protocol is not known yet. It
 * hands everything on to the one that was agreed on; a session of none of them is closed.
 */
export function byProtocol(table: Readonly<Record<string, AcceptSession>>): AcceptSession {
  return (session) => {
    let chosen: QuicSink | undefined;
    const choose = (): QuicSink | undefined => {
      const name = session.outcome?.alpn ?? session.alpn;
      if (chosen === undefined && name !== undefined && Object.hasOwn(table, name)) chosen = table[name]!(session);
      return chosen;
    };
    return {
      stream: (stream) => choose()?.stream(stream),
      datagram: (bytes) => choose()?.datagram?.(bytes),
      confirmed: (outcome) => {
        const sink = choose();
        if (sink === undefined) session.close();
        else sink.confirmed?.(outcome, session);
      },
      earlyData: (status) => chosen?.earlyData?.(status),
      ticket: () => chosen?.ticket?.(),
      keyUpdated: (direction, byPeer) => chosen?.keyUpdated?.(direction, byPeer),
      keyExpiring: (why) => chosen?.keyExpiring?.(why),
      moved: (move) => chosen?.moved?.(move),
      softError: (failure) => chosen?.softError?.(failure),
      closed: (failure) => chosen?.closed(failure),
    };
  };
}

import { Failure, type Host } from "../../../contract/index.js";
import { connect, listen, type QuicClientOptions, type QuicServerOptions } from "../../../protocols/quic/index.js";
import { newAuthority } from "../tls/authority.js";
import { End } from "./end.js";
import { findNgtcp2 } from "./ngtcp2.js";
import type { Meeting, Reception, Stage, Visit } from "./stage.js";
import { UdpWire } from "./wire.js";

const loopback = "127.0.0.1";

/** The stage of a real run: our own two ends on the host's loopback, and ngtcp2 if it is there. */
export async function openStage(host: Host): Promise<Stage> {
  const authority = newAuthority(host);
  const ngtcp2 = await findNgtcp2(authority);

  async function receive(options: QuicServerOptions): Promise<Reception> {
    let arrived!: (end: End) => void;
    let failed!: (reason: unknown) => void;
    const server = new Promise<End>((resolve, reject) => {
      arrived = resolve;
      failed = reject;
    });
    server.catch(() => {});
    const ends: End[] = [];
    const listener = await listen(host, { address: loopback, port: 0 }, options, (session) => {
      const end = new End();
      end.session = session;
      ends.push(end);
      session.confirmed.then(() => arrived(end), failed);
      return end;
    });
    return {
      port: listener.local.port,
      listener,
      server,
      [Symbol.asyncDispose]: async () => {
        for (const { session } of ends) session.abort();
        await listener.close();
      },
    };
  }

  /** Starts at once; `end` is there before anything has happened. */
  function start(port: number, options: QuicClientOptions, early?: Uint8Array): End {
    const end = new End();
    end.session = connect(host, { address: loopback, port }, options, end);
    if (early !== undefined) end.say(early, true);
    return end;
  }

  return {
    host,
    authority,
    ngtcp2,
    receive,

    async meet(clientOptions, serverOptions, how = {}): Promise<Meeting> {
      const reception = await receive(serverOptions);
      const wire = await UdpWire.to(reception.port);
      const client = start(wire.port, clientOptions, how.early);
      const end = async () => {
        client.session.abort();
        await reception[Symbol.asyncDispose]();
        await wire[Symbol.asyncDispose]();
      };
      try {
        const [clientOutcome, server] = await Promise.all([client.session.confirmed, reception.server]);
        const outcome = { client: clientOutcome, server: server.session.outcome! };
        return { client, server, wire, outcome, [Symbol.asyncDispose]: end };
      } catch (error) {
        await end();
        throw error;
      }
    },

    async clash(clientOptions, serverOptions) {
      await using reception = await receive(serverOptions);
      const client = start(reception.port, clientOptions);
      // A client may be confirmed before the server has refused it; then it hears of it as its end.
      const end = client.session.confirmed.then(() => client.isOver());
      const both = Promise.allSettled([end, reception.server]);
      const settled = await Promise.race([both, peace(client, reception.server)]);
      client.session.abort();
      if (settled === "peace") throw new Error("not seen: that the two do not come together");
      const [ours, theirs] = settled;
      return { client: failureOf(ours, "client"), server: failureOf(theirs, "server") };
    },

    async visit(port, options): Promise<Visit> {
      const client = start(port, options);
      const outcome = await client.session.confirmed;
      return { client, outcome, [Symbol.asyncDispose]: async () => client.session.close() };
    },
  };
}

/** Answers when a byte has come from the server to the client; never if that cannot be. */
function peace(client: End, server: Promise<End>): Promise<"peace"> {
  return new Promise((resolve) => {
    server
      .then((end) => {
        end.say("!");
        return client.hears(1);
      })
      .then(
        () => resolve("peace"),
        () => {},
      );
  });
}

function failureOf(settled: PromiseSettledResult<unknown>, who: string): Failure {
  const found = settled.status === "rejected" ? settled.reason : settled.value;
  if (found instanceof Failure) return found;
  if (settled.status === "rejected") throw settled.reason;
  throw new Error(`not seen: that the ${who} fails`);
}

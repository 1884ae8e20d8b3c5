import type { Failure, Host, Network, SocketAddress } from "../../contract/index.js";
import { connect, type QuicClientOptions, type QuicSession, type QuicSink } from "../../protocols/quic/index.js";
import type { BodyInit, IncomingBody } from "./body.js";
import { Http3Client } from "./client.js";
import { http3Errors, http3Failure } from "./failure.js";
import { hqGet, hqProtocol } from "./hq.js";

/** What came back; hq-interop has the content alone. */
export interface OriginAnswer {
  readonly status: number | undefined;
  readonly headers: Headers | undefined;
  readonly body: IncomingBody;
}

/**
 * A server of files, asked by whichever of `h3` and `hq-interop` it speaks: for programs that are about QUIC. With one
 * protocol alone offered, what is asked at once may leave as 0-RTT, if the options allow it.
 */
export class Origin implements AsyncDisposable {
  readonly session: QuicSession;
  /** Resolves when the session is over, with why if it ended badly; never rejects. */
  readonly done: Promise<Failure | undefined>;
  /** Resolves when a session came that can be resumed. */
  readonly ticket: Promise<void>;
  readonly #h3: Http3Client;
  readonly #alpn: string | undefined;
  readonly #early: boolean;
  #isAttached = false;

  constructor(
    host: Host,
    remote: SocketAddress,
    authority: string,
    options: QuicClientOptions,
    network: Network = host.network,
  ) {
    const { alpn = [], earlyData = false } = options;
    this.#alpn = alpn.length === 1 ? alpn[0] : undefined;
    this.#early = earlyData;
    const h3 = new Http3Client({ authority });
    this.#h3 = h3;
    let end!: (failure: Failure | undefined) => void;
    this.done = new Promise((resolve) => {
      end = resolve;
    });
    let ticket!: () => void;
    this.ticket = new Promise((resolve) => {
      ticket = resolve;
    });
    const sink: QuicSink = {
      stream: (stream) => h3.stream(stream),
      ticket,
      closed: (failure) => {
        h3.closed(failure);
        end(h3.failure);
      },
    };
    this.session = connect(host, remote, options, sink, { network });
    if (this.#alpn !== undefined && this.#alpn !== hqProtocol) this.#attach();
  }

  /** Asks for a path; with a body it is posted, which only h3 can. Rejects with the Failure of whatever failed. */
  async ask(path: string, body?: BodyInit, signal?: AbortSignal): Promise<OriginAnswer> {
    const alpn = this.#alpn ?? (await this.session.confirmed).alpn;
    if (alpn === hqProtocol) {
      if (body !== undefined) throw http3Failure("misuse", "hq-interop has GET alone", { hint: "--alpn h3" });
      return { status: undefined, headers: undefined, body: hqGet(this.session, path, { early: this.#early }) };
    }
    this.#attach();
    return this.#h3.request({ path, ...(body !== undefined && { body }), ...(signal !== undefined && { signal }) });
  }

  /** Says that all is over, and waits until it is. */
  async close(): Promise<void> {
    this.session.close(this.session.outcome?.alpn === hqProtocol ? 0 : http3Errors.H3_NO_ERROR);
    await this.done;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #attach(): void {
    if (!this.#isAttached) this.#h3.attach(this.session);
    this.#isAttached = true;
  }
}

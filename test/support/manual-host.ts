import type {
  Alarm,
  CryptoProvider,
  DatagramPort,
  DatagramSink,
  Host,
  Instant,
  Network,
  SocketAddress,
  StreamPort,
} from "../../src/contract/index.js";

/** A host for unit tests of what stands on hosts: time moves only by `advance`, and there is no network. */
export class ManualHost implements Host {
  readonly name = "manual";
  readonly entropy = { fill: (into: Uint8Array): Uint8Array => into.fill(7) };
  readonly keyLog = undefined;
  readonly trace = undefined;
  time: Instant = 1_000_000;
  readonly alarms: { at: Instant; call: () => void; isRef: boolean }[] = [];
  /** Alarms made so far. */
  made = 0;

  get crypto(): CryptoProvider {
    throw new TypeError("this host has no crypto");
  }

  get network(): Network {
    throw new TypeError("this host has no network");
  }

  roots(): readonly Uint8Array[] {
    return [];
  }

  now(): Instant {
    return this.time;
  }

  wakeAt(at: Instant, call: () => void): Alarm {
    this.made++;
    const alarm = { at, call, isRef: true };
    this.alarms.push(alarm);
    return {
      cancel: () => {
        const found = this.alarms.indexOf(alarm);
        if (found >= 0) this.alarms.splice(found, 1);
      },
      ref: () => void (alarm.isRef = true),
      unref: () => void (alarm.isRef = false),
    };
  }

  soon(call: () => void): void {
    this.wakeAt(this.time, call);
  }

  /** Lets time pass, calling every alarm at its moment. */
  advance(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const due = this.alarms.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.alarms.splice(this.alarms.indexOf(due), 1);
      this.time = Math.max(this.time, due.at);
      due.call();
    }
    this.time = end;
  }
}

const here: SocketAddress = { address: "192.0.2.1", port: 1 };
const there: SocketAddress = { address: "192.0.2.2", port: 2 };

/** A stream port that keeps what is written; it is full while `mark` bytes or more are not released. */
export class ManualPort implements StreamPort {
  readonly local = here;
  readonly remote = there;
  readonly written: { bytes: Uint8Array; released: (() => void) | undefined }[] = [];
  readonly calls: string[] = [];
  readonly mark: number;
  queued = 0;

  constructor(mark = Number.POSITIVE_INFINITY) {
    this.mark = mark;
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    this.written.push({ bytes, released });
    this.queued += bytes.length;
    return this.queued < this.mark;
  }

  /** Hands all that is queued to an imaginary network: answers copies, and releases the memory. */
  take(): Uint8Array[] {
    const taken = this.written.splice(0);
    const copies = taken.map(({ bytes }) => bytes.slice());
    for (const { bytes, released } of taken) {
      if (released) bytes.fill(0xdd);
      released?.();
    }
    this.queued = 0;
    return copies;
  }

  finish = (): void => void this.calls.push("finish");
  abort = (): void => void this.calls.push("abort");
  pause = (): void => void this.calls.push("pause");
  resume = (): void => void this.calls.push("resume");
  ref = (): void => void this.calls.push("ref");
  unref = (): void => void this.calls.push("unref");
  set = (): boolean => false;
}

/** A network that can only bind; what its ports send is kept. */
export class ManualDatagrams {
  readonly sent: { bytes: Uint8Array; from: SocketAddress; to: SocketAddress | undefined; segmentSize: number }[] = [];
  readonly sinks: DatagramSink[] = [];
  blocked = false;

  readonly network: Network = {
    name: "manual",
    resolve: () => Promise.reject(new TypeError("no names")),
    connectStream: () => {
      throw new TypeError("no streams");
    },
    listenStreams: () => Promise.reject(new TypeError("no streams")),
    interfaces: () => [],
    bindDatagrams: (local, sink) => {
      const { sent, sinks } = this;
      const owner = this;
      sinks.push(sink);
      const port: DatagramPort = {
        local,
        get blocked() {
          return owner.blocked;
        },
        send: (bytes, to, segmentSize = bytes.length) =>
          void sent.push({ bytes: bytes.slice(), from: local, to, segmentSize }),
        set: () => false,
        close: () => void Promise.resolve().then(() => sink.closed()),
        ref: () => {},
        unref: () => {},
      };
      return Promise.resolve(port);
    },
  };
}

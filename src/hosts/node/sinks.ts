import { channel } from "node:diagnostics_channel";
import { createWriteStream, openSync, writeSync } from "node:fs";
import { finished } from "node:stream/promises";
import type { KeyLog, Trace } from "../../contract/index.js";
import { sinkQueueMax } from "./limits.js";

/**
 * Appends lines to a key log as they come, so that a crash loses none. The file is made with mode 0600 when the first
 * line comes. A file that cannot be written must not end a connection: it is given up, and `failed` told once.
 */
export function keyLogFile(path: string, failed: (error: unknown) => void = () => {}): KeyLog {
  let file: number | undefined;
  let isGivenUp = false;
  return (line) => {
    if (isGivenUp) return;
    try {
      file ??= openSync(path, "a", 0o600);
      writeSync(file, `${line}\n`);
    } catch (error) {
      isGivenUp = true;
      failed(error);
    }
  };
}

const traces = channel("sealport:trace");
const publish: Trace = (event) => traces.publish(event);

/** Trace events for whoever subscribed to the diagnostics channel `sealport:trace`; undefined while nobody did. */
export function diagnosticsTrace(): Trace | undefined {
  return traces.hasSubscribers ? publish : undefined;
}

/** Takes blocks of a file, in order. */
export interface FileSink {
  write(bytes: Uint8Array): void;
  /** Pieces dropped because the file was too slow, or closed: ports may outlive a capture. */
  readonly dropped: number;
  /** When all is on its way to the disk; rejects if something could not be written. */
  close(): Promise<void>;
}

/** A file, mode 0600, that takes whole pieces or, when it is too slow, drops them whole. For captures and qlogs. */
export function fileSink(path: string): FileSink {
  const stream = createWriteStream(path, { mode: 0o600 });
  const end = finished(stream);
  // Told by `close`, if anyone calls it.
  end.catch(() => {});
  let dropped = 0;
  return {
    write: (bytes) => {
      const isOver = stream.destroyed || stream.writableEnded;
      if (isOver || stream.writableLength + bytes.length > sinkQueueMax) dropped++;
      else stream.write(bytes);
    },
    get dropped() {
      return dropped;
    },
    close: () => {
      stream.end();
      return end;
    },
  };
}

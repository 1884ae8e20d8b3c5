import type { Connection } from "../taps/index.js";

/** A Connection as WHATWG streams. Closing the writable ends our direction; cancelling or aborting aborts. */
export interface WebStreams {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** Each chunk is a piece of the byte stream, or a Message where the stack or a framer keeps boundaries. */
export function toWebStreams(connection: Connection): WebStreams {
  const messages = connection[Symbol.asyncIterator]();
  return {
    readable: new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const next = await messages.next();
          if (next.done === true) return controller.close();
          const { data, final } = next.value;
          if (data.length > 0 || !final) controller.enqueue(data);
          if (final) controller.close();
        },
        cancel: (reason) => connection.abort(reason),
      },
      { highWaterMark: 0 },
    ),
    writable: new WritableStream<Uint8Array>({
      write: async (chunk) => void (await connection.send(chunk)),
      close: async () => void (await connection.send(new Uint8Array(), { final: true })),
      abort: (reason) => connection.abort(reason),
    }),
  };
}

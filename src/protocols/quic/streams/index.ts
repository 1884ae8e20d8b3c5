export type { Released } from "../../../mechanisms/streams/send-buffer.js";
export { type OpenOptions, type StreamEvent, Streams, type StreamsOptions } from "./streams.js";
export type { StreamLimits } from "./table.js";

export * from "./address.js";
export * from "./bytes.js";
export * from "./codec.js";
export * from "./crc32c.js";
export * from "./prefix.js";
export * from "./reader.js";
export * from "./varint.js";
export * from "./writer.js";

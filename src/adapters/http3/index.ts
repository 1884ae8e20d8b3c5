export { type BodyInit, IncomingBody } from "./body.js";
export { type AcceptSession, byProtocol } from "./by-protocol.js";
export {
  Http3Client,
  type Http3ClientOptions,
  type Http3Request,
  Http3Response,
  http3,
} from "./client.js";
export { Http3Connection, type Http3Options } from "./connection.js";
export {
  connectHttp3,
  type Http3ConnectOptions,
  type Http3ListenOptions,
  type Http3Server,
  http3Protocol,
  listenHttp3,
} from "./door.js";
export {
  type Http3ErrorName,
  type Http3Failure,
  type Http3Reason,
  http3ErrorName,
  http3Errors,
  http3Failure,
  http3Reasons,
} from "./failure.js";
export { fileHandlers } from "./files.js";
export { type HqHandler, hqGet, hqProtocol, hqServer } from "./hq.js";
export { http3Limits } from "./limits.js";
export type { RequestHead, ResponseHead } from "./message.js";
export { Origin, type OriginAnswer } from "./origin.js";
export {
  type Answer,
  type Http3Handler,
  Http3ServerConnection,
  type Http3ServerOptions,
  http3Server,
  type IncomingRequest,
} from "./server.js";
export type { Settings } from "./settings.js";

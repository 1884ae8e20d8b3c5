export { nodeHost } from "../../hosts/node/index.js";
export { bindIce, type IceCredentials, type IceEndpoint, type IceSession, type IceSink } from "./ice.js";
export { type AnswerOptions, type Offer, type OfferedMedia, parseOffer, payloadTypeOf, writeAnswer } from "./sdp.js";
export * from "./stun.js";

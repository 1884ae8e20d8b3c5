/** Connection ids that we let a peer hold at a time, however many it would take. */
export const issuedMax = 8;
/** Retirements that the peer has not acknowledged, a connection id each, as a multiple of our limit (RFC 9000 §5.1.2). */
export const retirementsFactor = 4;
/** RFC 9000 §17.2. */
export const cidSizeMax = 20;

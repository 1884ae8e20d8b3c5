/** ContentType, RFC 9846 §5.1. */
export const contentType = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23 } as const;

/** Bytes of type, legacy_record_version, length. */
export const recordHeaderSize = 5;

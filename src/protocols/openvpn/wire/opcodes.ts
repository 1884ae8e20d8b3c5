/** Opcodes, the high five bits of the first byte (wire document §6.1). V1 of the hard resets is obsolete and unknown here. */
export const Opcode = {
  softResetV1: 3,
  controlV1: 4,
  ackV1: 5,
  dataV1: 6,
  hardResetClientV2: 7,
  hardResetServerV2: 8,
  dataV2: 9,
  hardResetClientV3: 10,
  controlWkcV1: 11,
} as const;

export type OpcodeNumber = (typeof Opcode)[keyof typeof Opcode];

export const opcodeOf = (first: number): number => first >> 3;
export const keyIdOf = (first: number): number => first & 7;
export const firstByte = (opcode: number, keyId: number): number => (opcode << 3) | keyId;

export const isControl = (opcode: number): boolean =>
  (opcode >= Opcode.softResetV1 && opcode <= Opcode.ackV1) ||
  opcode === Opcode.hardResetClientV2 ||
  opcode === Opcode.hardResetServerV2 ||
  opcode === Opcode.hardResetClientV3 ||
  opcode === Opcode.controlWkcV1;

export const isData = (opcode: number): boolean => opcode === Opcode.dataV1 || opcode === Opcode.dataV2;

/** Bytes of a session ID, and of opcode, key ID and session ID together: in clear on every control packet. */
export const sessionIdSize = 8;
export const controlHeaderSize = 1 + sessionIdSize;

/** The first session has key ID 0; renewals count 1 … 7 and begin again at 1 (§6.2.1.3). */
export const nextKeyId = (keyId: number): number => (keyId === 7 ? 1 : keyId + 1);

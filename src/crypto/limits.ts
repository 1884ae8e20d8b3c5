/** Bits of an RSA modulus. Beyond it one signature check costs a server more than a handshake is worth. */
export const rsaModulusBitsMax = 8192;
export const rsaModulusBitsMin = 1024;

/** Bytes of an RSA public exponent: all that is in use is 65537 or less; long ones are a way to burn our time. */
export const rsaExponentSizeMax = 8;

/** Bytes that one call of a cipher may transform; no record or packet of any protocol comes near it. */
export const rangeSizeMax = 2 ** 30;

/** Blocks of an HKDF expansion, RFC 5869 §2.3. */
export const hkdfBlocksMax = 255;

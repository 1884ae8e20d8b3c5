/** A tag's four bytes as a little-endian number, by which messages are sorted; short tags end with zeros. */
export const tagOf = (text: string): number =>
  (text.charCodeAt(0) |
    (text.charCodeAt(1) << 8) |
    ((text.length > 2 ? text.charCodeAt(2) : 0) << 16) |
    ((text.length > 3 ? text.charCodeAt(3) : 0) << 24)) >>>
  0;

/** The tags that are read or written here (QUIC Crypto, "Handshake messages"; names are the document's). */
export const Tag = {
  CHLO: tagOf("CHLO"),
  REJ: tagOf("REJ"),
  SHLO: tagOf("SHLO"),
  SCUP: tagOf("SCUP"),
  PRST: tagOf("PRST"),
  SCFG: tagOf("SCFG"),
  PAD: tagOf("PAD"),
  SNI: tagOf("SNI"),
  STK: tagOf("STK"),
  SNO: tagOf("SNO"),
  VER: tagOf("VER"),
  CCS: tagOf("CCS"),
  CCRT: tagOf("CCRT"),
  NONC: tagOf("NONC"),
  AEAD: tagOf("AEAD"),
  KEXS: tagOf("KEXS"),
  SCID: tagOf("SCID"),
  PUBS: tagOf("PUBS"),
  PDMD: tagOf("PDMD"),
  XLCT: tagOf("XLCT"),
  ICSL: tagOf("ICSL"),
  MIDS: tagOf("MIDS"),
  CFCW: tagOf("CFCW"),
  SFCW: tagOf("SFCW"),
  TCID: tagOf("TCID"),
  SRST: tagOf("SRST"),
  OBIT: tagOf("OBIT"),
  EXPY: tagOf("EXPY"),
  STTL: tagOf("STTL"),
  RREJ: tagOf("RREJ"),
  PROF: tagOf("PROF"),
  CERT: tagOf("CRT\u00ff"),
  RNON: tagOf("RNON"),
  AESG: tagOf("AESG"),
  C255: tagOf("C255"),
  X509: tagOf("X509"),
} as const;

/** The text of a tag, for people. */
export function tagText(tag: number): string {
  let text = "";
  for (let i = 0; i < 4; i++) {
    const byte = (tag >>> (8 * i)) & 255;
    if (byte === 0 && i > 0) break;
    text += byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return text;
}

/**
 * An option of TCP that a layer above negotiates: TCP-ENO (RFC 8547), which makes a connection an `eno-stream`. One is
 * made for each connection, before its first segment.
 */
export interface TcpExtension {
  /**
   * Options for a segment that goes out, each with its kind and size and without padding; nothing for none. Segments
   * that go out again ask again.
   */
  write(syn: boolean): Uint8Array | undefined;
  /** An option of a kind that the stack does not know, on an acceptable segment. The bytes are lent. */
  read(kind: number, content: Uint8Array, syn: boolean): void;
}

/**
 * What a layer gives to the layer above (RFC 8922 §4 says what each protocol needs). Literal types, so that a stack
 * that does not fit does not compile:
 * - `byte-stream`: reliable, ordered bytes
 * - `framed-stream`: reliable, ordered messages
 * - `eno-stream`: a TCP that lets the layer above negotiate the TCP-ENO option (RFC 8547)
 * - `datagram`: messages that may be lost, repeated and reordered
 * - `multi-stream`: many byte streams, and perhaps datagrams, in one session
 * - `ip-packet`: IPv4 and IPv6 packets
 * - `ethernet-frame`: Ethernet frames
 * - `keys`: nothing but keys for a record protocol
 */
export type Service =
  | "byte-stream"
  | "framed-stream"
  | "eno-stream"
  | "datagram"
  | "multi-stream"
  | "ip-packet"
  | "ethernet-frame"
  | "keys";

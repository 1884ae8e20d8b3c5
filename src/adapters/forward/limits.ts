/** How long a client may take to say where it wants to go, in milliseconds. */
export const handshakeMs = 10_000;
/** Bytes of one SOCKS message; the longest that is allowed has 513. */
export const socksMessageMax = 1_024;
/** Connections through one proxy or forward at a time; more are closed at once. */
export const connectionsMax = 4_096;
/** UDP ASSOCIATE sessions of one proxy. */
export const associationsMax = 256;
/** Datagrams of one association or flow whose destination is still looked up; more are dropped. */
export const lookupsMax = 64;
/** Senders of one UDP forward, and how long each is remembered after its last datagram, in milliseconds. */
export const flowsMax = 1_024;
export const flowIdleMs = 60_000;

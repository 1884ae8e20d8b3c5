/** The protocol's times in milliseconds (openvpn(8)), and this room's own bounds. */

/** From the first packet of a negotiation to its keys: `--hand-window`. */
export const handshakeWindowMs = 60_000;
/** How long keys that were renewed still receive: `--tran-window`. */
export const transitionWindowMs = 3_600_000;
/** Keys are renewed at this age: `--reneg-sec`. */
export const renegotiateAfterMs = 3_600_000;
/** A control packet is sent again after so long, then after twice as long and so on: `--tls-timeout`. */
export const retransmitMs = 2_000;
export const retransmitMaxMs = 60_000;
/** So many acknowledgements of later packets say that one was lost. */
export const acksBeforeRetransmit = 3;
/** A server uses new keys for sending once the client does so, or after this long. */
export const keySwitchMs = 1_000;
/** PUSH_REQUEST goes out again after so long, and a server that pushes nothing is given up later. */
export const pushRequestMs = 5_000;
export const pushWindowMs = 15_000;
/** A server that says that it restarts answers for two seconds more and is then away for one. */
export const restartPauseMs = 4_000;

/** Control packets on their way at once, and those that are kept while an earlier one is missing. */
export const sendWindow = 6;
export const receiveWindow = 12;
/** Acknowledgements in a packet: in P_ACK_V1, and in any other. */
export const acksAloneMax = 8;
export const acksMax = 4;
/** Bytes of a control packet, as a datagram: `--max-packet-size` is 1,250 by default. */
export const controlPacketMax = 1_250;
/** Bytes of a control packet that is read at all. */
export const controlPacketReadMax = 4_096;
/** Bytes of TLS that wait for the reliability layer. */
export const controlChunk = 1_024;
/** Bytes of the key exchange message, strings and all. */
export const keyExchangeMax = 8_192;
/** Bytes of one text message, and of one string in the key exchange. */
export const messageMax = 65_535;
export const stringMax = 4_096;
/** Parts of a PUSH_REPLY, and its options. */
export const pushPartsMax = 64;
export const pushOptionsMax = 1_024;
/** Text messages of ours that wait for the control channel. */
export const outgoingMessagesMax = 32;
/** Packet IDs of tls-auth and tls-crypt that are remembered, in bits; of the data channel too. */
export const controlReplayWindow = 128;
export const dataReplayWindow = 4_096;
/** The most that `--replay-window` may ask for, in packets. */
export const replayWindowMax = 65_536;
/** A wrapped client key (tls-crypt-v2). */
export const wrappedKeyMax = 1_024;

/** Packet IDs from here on are not used: keys are renewed before (the document's §7.2 and openvpn's own margin). */
export const packetIdMax = 0xffff_ffff;
export const packetIdRenegotiate = 0xff00_0000;
/** Packets and blocks of 16 bytes under one AES-GCM key (§7.2.1: 2^36); renewed at seven eighths. */
export const gcmBlocksMax = 2 ** 36;
/** Bytes under one key of a cipher with blocks of 64 bits would be less; AES has none. */

/** Largest packet inside, unless the file says otherwise: `--tun-mtu`. */
export const tunMtuDefault = 1_500;
/** Data packets that one `transmit` batches, and their bytes. */
export const batchPacketsMax = 64;
export const batchSizeMax = 65_000;
/** Packets that wait for the first keys; the oldest goes first. */
export const stagedPacketsMax = 64;

/** Packets from one client to another that wait to be sealed; what comes then is dropped. */
export const forwardedPacketsMax = 256;

/** Pause before a remote is tried again, doubled up to the greatest: `--connect-retry`. */
export const retryMs = 1_000;
export const retryMaxMs = 300_000;
/** A remote that does not answer is given up after so long, and the next tried: `--server-poll-timeout`. */
export const serverPollMs = 120_000;

/** Lines of a configuration file, `remote` lines in it, and bytes of an inline block. */
export const fileLinesMax = 20_000;
export const remotesMax = 64;

/** A server's clients say that they live so often, and begin anew after so long a silence: pushed. */
export const serverPingMs = 10_000;
export const serverPingRestartMs = 60_000;

/** Clients of one server, and those among them that are not authenticated yet. */
export const clientsMax = 4_096;
export const clientsHalfOpenMax = 256;
/** Peer IDs have 24 bits; the last says that there is none. */
export const peerIdNone = 0xff_ffff;

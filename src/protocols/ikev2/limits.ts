/** Bounds of one message: what more there is of is refused as malformed. */
export const payloadsMax = 64;
export const proposalsMax = 64;
export const transformsMax = 128;
export const selectorsMax = 64;
export const spisMax = 64;
export const attributesMax = 64;
/** Certificates of a peer's chain that are looked at. */
export const certificatesMax = 16;
/** Bytes of a message, put together from fragments or whole. */
export const messageSizeMax = 65_535;

/** IKE SAs of one machine; what would be one more is refused. */
export const ikeSasMax = 4_096;
/** IKE SAs whose peer has not proved who it is. */
export const halfOpenMax = 1_024;
/** From so many on, strangers must return a cookie first (RFC 7296 §2.6). */
export const cookieThreshold = 32;
/** Those of one address; more are not answered. */
export const halfOpenPerAddressMax = 8;
/** Child SAs of one IKE SA. */
export const childrenMax = 64;
/** Requests of one IKE SA that wait for the window. */
export const requestsMax = 64;
/** Datagrams that wait to be sent while the port takes none; more are dropped. */
export const outgoingMax = 1_024;
/** Questions that wait for their answers. */
export const questionsMax = 1_024;

/** A half-open IKE SA is forgotten after so long. */
export const halfOpenMs = 30_000;
/** Secrets behind cookies: a new one is drawn after so long, and the one before is good for as long again (RFC 7296 §2.6). */
export const cookieSecretMs = 60_000;
/** Cookies and other groups that an initiator takes in a row before it gives up (RFC 7296 §2.6.1). */
export const initRetriesMax = 5;
/** Gateways in a row to which an initiator lets itself be redirected (RFC 5685 §3). */
export const redirectsMax = 5;
/** Rounds of an EAP conversation. */
export const eapRoundsMax = 64;

/** A request is sent again after this long, then twice as long each time up to the maximum, so often, and then given up (§2.1, §2.4). */
export const retransmitFirstMs = 1_000;
export const retransmitWaitMaxMs = 16_000;
export const retransmitsMax = 7;
/** A request refused for the moment (TEMPORARY_FAILURE) is made again after this long, and a random part of as long again (§2.25). */
export const temporaryFailureMs = 2_000;
export const temporaryFailuresMax = 5;
/** A redundant SA whose peer does not delete it, and an IKE SA that was replaced, are deleted by us after so long (§2.8). */
export const replacedMs = 10_000;

/** Bytes of an IKE message's datagram above which it is fragmented (RFC 7383 §2.5.1: what IPv6's least MTU holds). */
export const fragmentSizeDefault = 1_232;
/** Fragments of one message. */
export const fragmentsMax = 64;
/** An IKE SA lives so long before it is rekeyed, and a child. */
export const ikeLifetimeSecondsDefault = 4 * 3_600;
export const childLifetimeSecondsDefault = 3_600;
/** NAT keepalives (RFC 3948 §4). */
export const keepaliveMsDefault = 20_000;
/** Bytes of our nonces: half the key size of the largest PRF (RFC 7296 §2.10). */
export const nonceSize = 32;
/** Addresses of a pool that may be leased. */
export const leasesMax = 65_536;

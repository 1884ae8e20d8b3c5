// Numbers of the registry "Internet Key Exchange Version 2 (IKEv2) Parameters", as far as this room knows them.

/** Exchange types (RFC 7296 §3.1, RFC 9242 §3). */
export const Exchange = {
  IKE_SA_INIT: 34,
  IKE_AUTH: 35,
  CREATE_CHILD_SA: 36,
  INFORMATIONAL: 37,
  IKE_INTERMEDIATE: 43,
} as const;

export const exchangeName = (exchange: number): string => nameOf(Exchange, exchange);

/** Payload types (RFC 7296 §3.2, RFC 7383 §2.5). */
export const PayloadType = {
  none: 0,
  SA: 33,
  KE: 34,
  IDi: 35,
  IDr: 36,
  CERT: 37,
  CERTREQ: 38,
  AUTH: 39,
  Nonce: 40,
  N: 41,
  D: 42,
  V: 43,
  TSi: 44,
  TSr: 45,
  SK: 46,
  CP: 47,
  EAP: 48,
  SKF: 53,
} as const;

/** Security protocol identifiers (RFC 7296 §3.3.1). */
export const Protocol = { none: 0, IKE: 1, AH: 2, ESP: 3 } as const;

/** Transform types (RFC 7296 §3.3.2; additional key exchanges 1 to 7: RFC 9370 §2.1). */
export const Transform = { ENCR: 1, PRF: 2, INTEG: 3, KE: 4, ESN: 5, ADDKE1: 6, ADDKE7: 12 } as const;

/** Identification types (RFC 7296 §3.5). */
export const IdType = {
  ID_IPV4_ADDR: 1,
  ID_FQDN: 2,
  ID_RFC822_ADDR: 3,
  ID_IPV6_ADDR: 5,
  ID_DER_ASN1_DN: 9,
  ID_KEY_ID: 11,
} as const;

/** Certificate encodings (RFC 7296 §3.6). */
export const CertEncoding = { x509Signature: 4 } as const;

/** Authentication methods (RFC 7296 §3.8, RFC 7427 §3). */
export const AuthMethod = { RSA: 1, sharedKey: 2, digitalSignature: 14 } as const;

/** Configuration types and attributes (RFC 7296 §3.15). */
export const CfgType = { request: 1, reply: 2, set: 3, ack: 4 } as const;
export const CfgAttribute = {
  INTERNAL_IP4_ADDRESS: 1,
  INTERNAL_IP4_NETMASK: 2,
  INTERNAL_IP4_DNS: 3,
  INTERNAL_IP6_ADDRESS: 8,
  INTERNAL_IP6_DNS: 10,
  INTERNAL_DNS_DOMAIN: 25,
} as const;

/** Types of Notify messages (RFC 7296 §3.10.1 and the specifications that the README names). Below 16384 they are errors. */
export const Notify = {
  UNSUPPORTED_CRITICAL_PAYLOAD: 1,
  INVALID_IKE_SPI: 4,
  INVALID_MAJOR_VERSION: 5,
  INVALID_SYNTAX: 7,
  INVALID_MESSAGE_ID: 9,
  INVALID_SPI: 11,
  NO_PROPOSAL_CHOSEN: 14,
  INVALID_KE_PAYLOAD: 17,
  AUTHENTICATION_FAILED: 24,
  SINGLE_PAIR_REQUIRED: 34,
  NO_ADDITIONAL_SAS: 35,
  INTERNAL_ADDRESS_FAILURE: 36,
  FAILED_CP_REQUIRED: 37,
  TS_UNACCEPTABLE: 38,
  INVALID_SELECTORS: 39,
  UNACCEPTABLE_ADDRESSES: 40,
  UNEXPECTED_NAT_DETECTED: 41,
  TEMPORARY_FAILURE: 43,
  CHILD_SA_NOT_FOUND: 44,
  INITIAL_CONTACT: 16384,
  SET_WINDOW_SIZE: 16385,
  ADDITIONAL_TS_POSSIBLE: 16386,
  NAT_DETECTION_SOURCE_IP: 16388,
  NAT_DETECTION_DESTINATION_IP: 16389,
  COOKIE: 16390,
  USE_TRANSPORT_MODE: 16391,
  REKEY_SA: 16393,
  ESP_TFC_PADDING_NOT_SUPPORTED: 16394,
  MOBIKE_SUPPORTED: 16396,
  ADDITIONAL_IP4_ADDRESS: 16397,
  ADDITIONAL_IP6_ADDRESS: 16398,
  NO_ADDITIONAL_ADDRESSES: 16399,
  UPDATE_SA_ADDRESSES: 16400,
  COOKIE2: 16401,
  NO_NATS_ALLOWED: 16402,
  REDIRECT_SUPPORTED: 16406,
  REDIRECT: 16407,
  REDIRECTED_FROM: 16408,
  EAP_ONLY_AUTHENTICATION: 16417,
  CHILDLESS_IKEV2_SUPPORTED: 16418,
  IKEV2_FRAGMENTATION_SUPPORTED: 16430,
  SIGNATURE_HASH_ALGORITHMS: 16431,
  USE_PPK: 16435,
  PPK_IDENTITY: 16436,
  NO_PPK_AUTH: 16437,
  INTERMEDIATE_EXCHANGE_SUPPORTED: 16438,
  ADDITIONAL_KEY_EXCHANGE: 16441,
} as const;

/** The first type that is no error. */
export const firstStatus = 16384;

export const notifyName = (type: number): string => nameOf(Notify, type);

/** Hash algorithms of signatures (RFC 7427 §7, RFC 8420 §2). */
export const SignatureHash = { "SHA-256": 2, "SHA-384": 3, "SHA-512": 4, identity: 5 } as const;

const nameOf = (numbers: Readonly<Record<string, number>>, wanted: number): string =>
  Object.keys(numbers).find((name) => numbers[name] === wanted) ?? String(wanted);

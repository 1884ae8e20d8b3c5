import type { Parameters, Values } from "./command.js";

/** Options that `connect` and `listen` share. */
export const sessionOptions = {
  identity: {
    kind: "list",
    metavar: "FILE",
    about:
      "Who we are: PEM with the chain and the key; or X for X.crt and X.key; curvecp: a key directory; minimalt: a key file",
  },
  key: { kind: "text", metavar: "SOURCE", about: "The key, if it is not in the identity's file: @FILE, env:NAME or -" },
  trust: { kind: "list", metavar: "FILE", about: "PEM with authorities to trust instead of the system's" },
  pin: {
    kind: "list",
    metavar: "FILE",
    about: "PEM with a certificate or public key; one of these must be in the peer's chain",
  },
  "trust-anyone": { kind: "flag", about: "Take any peer for the right one; only for finding out who is there" },
  psk: {
    kind: "text",
    metavar: "SOURCE",
    about: "A pre-shared key in hexadecimal: @FILE, env:NAME or - (sealport help secrets)",
  },
  "psk-identity": {
    kind: "text",
    metavar: "NAME",
    about: "The name of the pre-shared key; Client_identity if left out",
  },
  "peer-key": {
    kind: "list",
    metavar: "KEY",
    about:
      "curvecp: a peer's public key, 64 hexadecimal digits or its key directory; minimalt: 128, or a file of them; when listening, who may come",
  },
  "srtp-keys": {
    kind: "text",
    metavar: "SOURCE",
    about: "srtp: two a=crypto lines of SDP, ours and the peer's: @FILE, env:NAME or -",
  },
  "zrtp-cache": {
    kind: "text",
    metavar: "FILE",
    about: "zrtp: keep our ZID and the secrets of calls in this file, and know peers again",
  },
  "zrtp-hash": {
    kind: "text",
    metavar: "TEXT",
    about: "zrtp: the peer's zrtp-hash from signalling, '1.10 HEX'; nobody else is let in",
  },
  alpn: { kind: "list", metavar: "NAME", about: "Application protocols, most wanted first" },
  versions: { kind: "list", metavar: "VERSION", about: "Versions that may be used: 1.3, 1.2; of QUIC 1, 2" },
  suites: { kind: "list", metavar: "NAME", about: "Cipher suites that may be used, by their IANA names" },
  groups: { kind: "list", metavar: "NAME", about: "Groups that may be used, by their IANA names" },
  signatures: { kind: "list", metavar: "NAME", about: "Signature schemes that may be used, by their IANA names" },
  "key-log": { kind: "text", metavar: "FILE", about: "Append session secrets for Wireshark (also SSLKEYLOGFILE)" },
  pcapng: {
    kind: "text",
    metavar: "FILE",
    about: "Write what passes, with its secrets, as a capture that Wireshark decrypts",
  },
  qlog: { kind: "text", metavar: "FILE", about: "Write what QUIC does as a qlog (.sqlog)" },
  tunnel: {
    kind: "text",
    metavar: "FILE",
    about: "Go through this tunnel, a wg-quick file or an OpenVPN client's; listen waits inside it",
  },
  "tunnel-key": { kind: "text", metavar: "SOURCE", about: "The tunnel's private key, as tunnel --key" },
  "tunnel-login": { kind: "text", metavar: "SOURCE", about: "The tunnel's user and password, as tunnel --login" },
  timeout: {
    kind: "number",
    metavar: "MS",
    min: 1,
    about: "Milliseconds until a session must stand; 30,000 if left out",
  },
  json: { kind: "flag", about: "Write events as JSON, one a line; data as base64" },
} as const satisfies Parameters;

export type SessionValues = Values<typeof sessionOptions>;

/** Options of every command that opens a tunnel. */
export const tunnelOptions = {
  key: { kind: "text", metavar: "SOURCE", about: "The private key, in base64, where the file has none" },
  login: { kind: "text", metavar: "SOURCE", about: "User and password for an OpenVPN server, on two lines" },
  json: { kind: "flag", about: "Write events as JSON, one a line" },
} as const;

/** `a=setup` of SDP (RFC 4145 §4, RFC 5763 §5): who begins the DTLS handshake. */
export type Setup = "actpass" | "active" | "passive";

/** What an answerer says to an offer: active unless the offerer wants that itself, or the application would rather wait. */
export function answerSetup(offered: Setup, preferred: "active" | "passive" = "active"): "active" | "passive" {
  if (offered === "actpass") return preferred;
  return offered === "active" ? "passive" : "active";
}

/** Who is active is the DTLS client (RFC 5763 §5). */
export const roleOf = (setup: "active" | "passive"): "client" | "server" => (setup === "active" ? "client" : "server");

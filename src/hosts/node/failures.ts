import { Failure, type NetworkReason, networkFailure } from "../../contract/index.js";

/** libuv's and c-ares' names for what the contract calls by its own. */
const reasons: Readonly<Record<string, NetworkReason>> = {
  ECONNREFUSED: "refused-connection",
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  EPIPE: "reset",
  ERR_SOCKET_CLOSED: "reset",
  ERR_STREAM_DESTROYED: "reset",
  ETIMEDOUT: "timed-out",
  EHOSTUNREACH: "no-route",
  ENETUNREACH: "no-route",
  EHOSTDOWN: "no-route",
  ENETDOWN: "no-route",
  ENOTFOUND: "name-not-found",
  ENODATA: "name-not-found",
  EBADNAME: "name-not-found",
  EAI_AGAIN: "name-server-failed",
  EAI_FAIL: "name-server-failed",
  ESERVFAIL: "name-server-failed",
  EFORMERR: "name-server-failed",
  EREFUSED: "name-server-failed",
  ENOTIMP: "name-server-failed",
  EBADRESP: "name-server-failed",
  ETIMEOUT: "name-server-failed",
  ENONAME: "name-not-found",
  EMSGSIZE: "message-too-big",
  EADDRINUSE: "address-in-use",
  EADDRNOTAVAIL: "address-not-available",
  EAFNOSUPPORT: "address-not-available",
  ERR_SOCKET_BAD_PORT: "not-an-address",
  EINVAL: "not-supported",
  EOPNOTSUPP: "not-supported",
  ENOTSUP: "not-supported",
  EACCES: "not-permitted",
  EPERM: "not-permitted",
  EMFILE: "no-resources",
  ENFILE: "no-resources",
  ENOBUFS: "no-resources",
  ENOMEM: "no-resources",
  ECANCELLED: "aborted",
  ABORT_ERR: "aborted",
};

/** A system error in the contract's words. Failures of our own pass. */
export function toFailure(error: unknown, at?: string): Failure<NetworkReason> {
  if (error instanceof Failure) return error as Failure<NetworkReason>;
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  const message = error instanceof Error ? error.message : String(error);
  return networkFailure(reasons[code] ?? "network-failed", message, {
    cause: error,
    ...(at === undefined ? {} : { at }),
  });
}

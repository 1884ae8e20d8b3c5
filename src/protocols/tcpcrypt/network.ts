import type { Network } from "../../contract/index.js";

/** Why a network cannot carry tcpcrypt; undefined if it can. */
export const unfitNetwork = ({ name, enoStreams }: Network): string | undefined =>
  enoStreams === undefined ? `the TCP of ${name} is not ours, so TCP-ENO cannot be negotiated on it` : undefined;

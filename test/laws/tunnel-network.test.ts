import type { LinkOptions } from "../../src/hosts/simulator/index.js";
import { insideWireGuard } from "../support/inside-wireguard.js";
import { datagramLaws, streamLaws } from "./port.js";

const four = ["10.0.0.1", "10.0.0.2"] as const;
const six = ["fd00::1", "fd00::2"] as const;
const rough: LinkOptions = { loss: { in: 1, of: 50 }, duplication: { in: 1, of: 50 }, reordering: { in: 1, of: 20 } };

streamLaws("inside WireGuard, IPv4", insideWireGuard({}, four));
streamLaws("inside WireGuard, IPv6", insideWireGuard({ delayMs: 5 }, six));
streamLaws("inside WireGuard, lossy", insideWireGuard({ ...rough, corruption: { in: 1, of: 100 } }, four));
datagramLaws("inside WireGuard, IPv4", insideWireGuard({}, four));
datagramLaws("inside WireGuard, IPv6", insideWireGuard({ jitterMs: 5 }, six));

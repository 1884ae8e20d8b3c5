import type { Host, Network } from "../contract/index.js";
import { policyFile } from "../hosts/node/index.js";
import { protocolStacks, readSystemPolicy, type SystemInit, TransportServices } from "../taps/index.js";

/**
 * A Transport Services system with every stack, under the policy of /etc/sealport/policy.json or of the file that
 * `SEALPORT_POLICY` names. Throws if that file cannot be read or makes no sense.
 */
export function systemServices(
  init: Pick<SystemInit, "policy" | "trace"> & { readonly host: Host; readonly network?: Network },
): TransportServices {
  const json = init.policy === undefined ? policyFile() : undefined;
  return new TransportServices({
    stacks: protocolStacks,
    ...(json !== undefined && { policy: readSystemPolicy(json) }),
    ...init,
  });
}

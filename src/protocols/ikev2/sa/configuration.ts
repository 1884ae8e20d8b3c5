import { formatAddress, fromUtf8, type Prefix, parseAddress, utf8 } from "../../../bytes/index.js";
import { find } from "../wire/find.js";
import { CfgAttribute, CfgType } from "../wire/numbers.js";
import type { CfgValue, Payload } from "../wire/payloads.js";
import type { IkeSa } from "./ike-sa.js";

const nothing = new Uint8Array(0);

/** What an initiator asks for: an address of each family, and name servers (RFC 7296 §2.19). */
export function configurationRequest(families: readonly (4 | 6)[]): readonly Payload[] {
  if (families.length === 0) return [];
  const attributes = families.flatMap((family) =>
    (family === 4
      ? [CfgAttribute.INTERNAL_IP4_ADDRESS, CfgAttribute.INTERNAL_IP4_DNS]
      : [CfgAttribute.INTERNAL_IP6_ADDRESS, CfgAttribute.INTERNAL_IP6_DNS]
    ).map((type) => ({ type, value: nothing })),
  );
  return [{ kind: "CP", type: CfgType.request, attributes }];
}

/** What a responder's answer gave us. Attributes of other sizes than theirs are passed over. */
export function readConfiguration(
  payloads: readonly Payload[],
):
  | { readonly addresses: readonly Prefix[]; readonly dns: readonly string[]; readonly domains: readonly string[] }
  | undefined {
  const reply = find(payloads, "CP");
  if (reply === undefined || reply.type !== CfgType.reply) return undefined;
  const addresses: Prefix[] = [];
  const dns: string[] = [];
  const domains: string[] = [];
  for (const { type, value } of reply.attributes) {
    switch (type) {
      case CfgAttribute.INTERNAL_IP4_ADDRESS:
        if (value.length === 4) addresses.push({ address: value.slice(), length: 32 });
        break;
      case CfgAttribute.INTERNAL_IP6_ADDRESS:
        if (value.length === 17 && value[16]! <= 128)
          addresses.push({ address: value.slice(0, 16), length: value[16]! });
        break;
      case CfgAttribute.INTERNAL_IP4_DNS:
        if (value.length === 4) dns.push(formatAddress(value));
        break;
      case CfgAttribute.INTERNAL_IP6_DNS:
        if (value.length === 16) dns.push(formatAddress(value));
        break;
      case CfgAttribute.INTERNAL_DNS_DOMAIN: {
        const name = fromUtf8(value);
        if (name !== undefined) domains.push(name);
        break;
      }
    }
  }
  return { addresses, dns, domains };
}

/**
 * A responder's answer to a peer's wish for addresses: undefined if it has none, `no-address` if it wants some and we have none
 * left (RFC 7296 §3.15.4).
 */
export function answerConfiguration(sa: IkeSa, payloads: readonly Payload[]): Payload | "no-address" | undefined {
  const request = find(payloads, "CP");
  if (request === undefined || request.type !== CfgType.request) return undefined;
  const { pools = [], dns = [], domains = [] } = sa.connection ?? {};
  const values: CfgValue[] = [];
  const given: Uint8Array[] = [];
  for (const [family, type] of [
    [4, CfgAttribute.INTERNAL_IP4_ADDRESS],
    [6, CfgAttribute.INTERNAL_IP6_ADDRESS],
  ] as const) {
    const asked = request.attributes.find((each) => each.type === type);
    if (asked === undefined) continue;
    const size = family === 4 ? 4 : 16;
    const wanted = asked.value.length >= size ? asked.value.slice(0, size) : undefined;
    const isAny = wanted === undefined || wanted.every((byte) => byte === 0);
    const address = sa.station.leases.lease(pools, family, sa.handle, isAny ? undefined : wanted);
    if (address === undefined) continue;
    given.push(address);
    values.push({ type, value: family === 4 ? address : Uint8Array.of(...address, 128) });
  }
  const wantsAddress = request.attributes.some(
    ({ type }) => type === CfgAttribute.INTERNAL_IP4_ADDRESS || type === CfgAttribute.INTERNAL_IP6_ADDRESS,
  );
  if (wantsAddress && given.length === 0) return "no-address";
  for (const each of dns) {
    const value = parseAddress(each);
    const type = value?.length === 4 ? CfgAttribute.INTERNAL_IP4_DNS : CfgAttribute.INTERNAL_IP6_DNS;
    if (value !== undefined) values.push({ type, value });
  }
  for (const name of domains) values.push({ type: CfgAttribute.INTERNAL_DNS_DOMAIN, value: utf8(name) });
  sa.addresses = given;
  return { kind: "CP", type: CfgType.reply, attributes: values };
}

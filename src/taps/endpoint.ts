import { addressFamily, formatAddress, parseAddress } from "../bytes/index.js";
import { misuse, nearest } from "./failure.js";
import { servicePorts } from "./services.js";

/**
 * Where a Connection goes to or comes from (RFC 9622 §6.1): plain values, one identifier of each type. What is given
 * is what is meant: an address is never looked up, a protocol-specific endpoint serves that protocol alone.
 */
export interface EndpointInit {
  /** A name to be resolved when an action is called, never before. An address in text form is taken as `address`. */
  readonly host?: string;
  /** 0 … 65535; on a local endpoint 0 or absent lets the host choose. */
  readonly port?: number;
  /**
   * In place of a port: an IANA service name (`https`), or of a remote host name an SRV name (`_imaps._tcp`), which is
   * looked up when an action is called.
   */
  readonly service?: string;
  /** Text (`192.0.2.1`, `fe80::1%eth0`) or 4 or 16 bytes. No look-up is made where it is set. */
  readonly address?: string | Uint8Array;
  /** Scope zone of a remote address; binding of a local endpoint (§6.1.2). */
  readonly interface?: string;
  /** Only this protocol uses the endpoint: an alternative port for QUIC, say (§6.1.3). */
  readonly protocol?: string;
}

export interface RemoteEndpointInit extends EndpointInit {
  /** `WithMulticastGroupIP` and `WithHopLimit`: send to a group without joining it (§6.1.1). */
  readonly multicast?: { readonly group: string; readonly hopLimit?: number };
}

export interface LocalEndpointInit extends EndpointInit {
  /** Any-source or, with a source, single-source group to receive from (§6.1.1). */
  readonly multicast?: { readonly group: string; readonly source?: string };
  /** `WithStunServer` (§6.1.4): learns the server-reflexive address. */
  readonly stun?: {
    readonly address: string;
    readonly port: number;
    readonly credentials?: { readonly username: string; readonly password: string };
  };
}

interface Common {
  readonly host?: string;
  readonly port?: number;
  readonly address?: string;
  readonly interface?: string;
  readonly protocol?: string;
}
/** An endpoint that has been checked: canonical address, service turned into a port, frozen. */
export interface RemoteEndpoint extends Common {
  /** An SRV name that is still to be looked up. */
  readonly service?: string;
  /** The domain whose SRV record led here: who the peer must prove to be (RFC 9525 §6.2). */
  readonly domain?: string;
  readonly multicast?: NonNullable<RemoteEndpointInit["multicast"]>;
}
export interface LocalEndpoint extends Common {
  readonly multicast?: NonNullable<LocalEndpointInit["multicast"]>;
  readonly stun?: NonNullable<LocalEndpointInit["stun"]>;
}

/** Checks and freezes a remote endpoint; throws `invalid-configuration`. */
export function remoteEndpoint(init: RemoteEndpointInit): RemoteEndpoint {
  const { multicast } = init;
  if (init.service?.startsWith("_") === true) return srvEndpoint(init, init.service);
  const common = checked(multicast === undefined ? init : { ...init, address: init.address ?? multicast.group });
  if (common.host === undefined && common.address === undefined) {
    throw misuse("a remote endpoint needs a host name or an address", "Remote Endpoint");
  }
  if (multicast === undefined) return Object.freeze(common);
  if (common.host !== undefined || common.address !== requireGroup(multicast.group)) {
    throw misuse("a multicast endpoint has its group for an address", "WithMulticastGroupIP");
  }
  const { hopLimit } = multicast;
  if (hopLimit !== undefined && !(Number.isInteger(hopLimit) && hopLimit >= 0 && hopLimit <= 255)) {
    throw misuse("a hop limit is 0 … 255", "WithHopLimit");
  }
  return Object.freeze({ ...common, multicast: Object.freeze({ ...multicast, group: common.address }) });
}

function srvEndpoint({ service: _, ...init }: RemoteEndpointInit, service: string): RemoteEndpoint {
  // RFC 2782: _service._proto, below the domain.
  if (!/^_[a-z0-9-]+\._[a-z0-9-]+$/i.test(service))
    throw misuse(`${service} is no SRV name`, "WithService", "_name._tcp");
  if (init.port !== undefined) throw misuse("give a port or a service, not both", "WithService");
  const common = checked(init);
  if (common.host === undefined) throw misuse("an SRV name needs a host name", "WithService");
  return Object.freeze({ ...common, service });
}

/** Checks and freezes a local endpoint; throws `invalid-configuration`. */
export function localEndpoint(init: LocalEndpointInit): LocalEndpoint {
  const { multicast, stun } = init;
  return Object.freeze({
    ...checked(init),
    ...(multicast && { multicast: Object.freeze({ ...multicast, group: requireGroup(multicast.group) }) }),
    ...(stun && { stun: Object.freeze({ ...stun }) }),
  });
}

/** RFC 9622 §7.5: a known endpoint is ignored, so endpoints compare by value. */
export function sameEndpoint(a: RemoteEndpoint | LocalEndpoint, b: RemoteEndpoint | LocalEndpoint): boolean {
  return endpointKey(a) === endpointKey(b);
}

/** An endpoint as people write it. */
export function endpointText(endpoint: Common & Pick<RemoteEndpoint, "service">): string {
  const { host, address, port, interface: zone, protocol, service } = endpoint;
  const where = service === undefined ? (host ?? address ?? "*") : `${service}.${host}`;
  const bracketed = where.includes(":") ? `[${where}${zone === undefined ? "" : `%${zone}`}]` : where;
  return `${bracketed}${port === undefined ? "" : `:${port}`}${protocol === undefined ? "" : ` (${protocol})`}`;
}

function endpointKey(endpoint: RemoteEndpoint | LocalEndpoint): string {
  const { host, address, port, interface: zone, protocol, multicast } = endpoint;
  const service = "service" in endpoint ? endpoint.service?.toLowerCase() : undefined;
  return JSON.stringify([host?.toLowerCase(), address, port, service, zone, protocol?.toLowerCase(), multicast?.group]);
}

function checked(init: EndpointInit): Common {
  const scoped = init.address ?? (init.host !== undefined && isAddress(init.host) ? init.host : undefined);
  const { address, zone } = scoped === undefined ? {} : canonical(scoped);
  const host = init.host === undefined || isAddress(init.host) ? undefined : requireName(init.host);
  // RFC 9622 §6.1.2: a scoped address and an address with an interface are two ways to say one thing.
  if (zone !== undefined && init.interface !== undefined && zone !== init.interface) {
    throw misuse(`the zone %${zone} contradicts the interface ${init.interface}`, "WithInterface");
  }
  const interfaceName = init.interface ?? zone;
  const port = portOf(init);
  return {
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(address !== undefined && { address }),
    ...(interfaceName !== undefined && { interface: interfaceName }),
    ...(init.protocol !== undefined && { protocol: init.protocol }),
  };
}

const isAddress = (text: string): boolean => addressFamily(text.split("%", 1)[0]!) !== undefined;

function canonical(address: string | Uint8Array): { address: string; zone?: string } {
  if (typeof address !== "string") {
    if (address.length !== 4 && address.length !== 16) throw misuse("an address has 4 or 16 bytes", "WithIPAddress");
    return { address: formatAddress(address) };
  }
  const [text, zone] = address.split("%", 2);
  const bytes = parseAddress(text!);
  if (bytes === undefined) throw misuse(`${address} is not an IP address`, "WithIPAddress");
  return { address: formatAddress(bytes), ...(zone === undefined ? {} : { zone }) };
}

function requireName(host: string): string {
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  if (name.length === 0 || name.length > 253 || !/^[\p{L}\p{N}_-]([\p{L}\p{N}_.-]*[\p{L}\p{N}_-])?$/u.test(name)) {
    throw misuse(`"${host}" is not a host name`, "WithHostName");
  }
  return host;
}

function portOf({ port, service }: EndpointInit): number | undefined {
  if (port !== undefined && service !== undefined) throw misuse("give a port or a service, not both", "WithService");
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw misuse(`${port} is not a port`, "WithPort");
  }
  if (service === undefined) return port;
  const known = Object.hasOwn(servicePorts, service.toLowerCase()) ? servicePorts[service.toLowerCase()] : undefined;
  if (known !== undefined) return known;
  const like = nearest(service, Object.keys(servicePorts));
  throw misuse(`${service} is not a service with a known port`, "WithService", like && `did you mean ${like}?`);
}

function requireGroup(group: string): string {
  const bytes = parseAddress(group);
  const multicast = bytes && (bytes.length === 4 ? bytes[0]! >> 4 === 0xe : bytes[0] === 0xff);
  if (!multicast) throw misuse(`${group} is not a multicast address`, "WithMulticastGroupIP");
  return formatAddress(bytes!);
}

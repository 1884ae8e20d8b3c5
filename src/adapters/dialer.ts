import {
  type ActionOptions,
  type Connection,
  disabled,
  type SecurityInit,
  type SecurityMode,
  secure,
  type TransportProperties,
  type TransportServices,
} from "../taps/index.js";

/** Where a library wants to go. */
export interface Destination {
  readonly host: string;
  readonly port: number;
  /** Through a security protocol, or in cleartext because the library's own URL said so (`http:`). */
  readonly isSecure: boolean;
  /** ALPN names that the library speaks, best first. */
  readonly alpn?: readonly string[];
  readonly serverName?: string;
}

/** Makes Connections for a library that knows hosts and ports alone. */
export type Dialer = (to: Destination, options?: ActionOptions) => Promise<Connection>;

export interface DialerOptions {
  /** For secure destinations. */
  readonly security?: SecurityInit;
  readonly transport?: TransportProperties;
}

/** A dialer by way of a Transport Services system: this host's, or one on a tunnel's network. */
export function dialer(system: TransportServices, { security, transport }: DialerOptions = {}): Dialer {
  return ({ host, port, isSecure, alpn, serverName }, options) =>
    system
      .preconnection<SecurityMode>({
        remote: { host, port },
        security: isSecure
          ? secure({ ...(alpn && { alpn }), ...(serverName && { serverName }), ...security })
          : disabled(),
        ...(transport !== undefined && { transport }),
      })
      .connect(options);
}

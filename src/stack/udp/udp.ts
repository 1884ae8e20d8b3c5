import { equal } from "../../bytes/index.js";
import { type Failure, networkFailure } from "../../contract/index.js";
import type { IpHeader } from "../ip/header.js";
import type { IpHost } from "../ip/host.js";
import { udpSocketsMax } from "../limits.js";
import { readUdp, type UdpSocket, writeUdp } from "./socket.js";

/** The sockets of a stack, by port. */
export class Udp {
  readonly #host: IpHost;
  readonly #sockets = new Map<number, UdpSocket[]>();
  #socketCount = 0;

  constructor(host: IpHost) {
    this.#host = host;
  }

  bind(port: number, address?: Uint8Array, remote?: UdpSocket["remote"]): UdpSocket {
    const chosen = port || this.#host.freePort((each) => this.#sockets.has(each));
    const others = this.#sockets.get(chosen) ?? [];
    const clash = others.some(
      (other) => (!other.address || !address || equal(other.address, address)) && (!other.remote || !remote),
    );
    if (clash) throw networkFailure("address-in-use", `port ${chosen} is in use`);
    if (this.#socketCount >= udpSocketsMax) throw networkFailure("no-resources", `${udpSocketsMax} sockets`);
    const socket: UdpSocket = { address, port: chosen, remote };
    // Those with a peer are asked first.
    this.#sockets.set(chosen, remote ? [socket, ...others] : [...others, socket]);
    this.#socketCount++;
    return socket;
  }

  unbind(socket: UdpSocket): void {
    const left = (this.#sockets.get(socket.port) ?? []).filter((each) => each !== socket);
    if (left.length > 0) this.#sockets.set(socket.port, left);
    else this.#sockets.delete(socket.port);
    this.#socketCount--;
  }

  /** Queues a datagram; false if it was dropped, which is counted. */
  send(
    socket: UdpSocket,
    payload: Uint8Array,
    destination: Uint8Array,
    port: number,
    ecn: number,
    dscp: number,
  ): boolean {
    const source = socket.address ?? this.#host.sourceFor(destination);
    if (source === undefined) return this.#host.drop("not-ours");
    if (payload.length > 65_507) return this.#host.drop("too-big");
    return this.#host.queue(writeUdp(source, socket.port, destination, port, payload, ecn, dscp), destination);
  }

  /** A packet with a datagram. False if there is no socket for it. */
  packet({ payload, end, sourceAt, destinationAt, addressSize, ecn }: IpHeader, bytes: Uint8Array): boolean {
    const source = bytes.slice(sourceAt, sourceAt + addressSize);
    const destination = bytes.slice(destinationAt, destinationAt + addressSize);
    const datagram = readUdp(bytes, payload, end, source, destination);
    if (datagram === undefined) {
      this.#host.drop("bad-checksum");
      return true;
    }
    const socket = this.#sockets
      .get(datagram.destinationPort)
      ?.find(
        ({ address, remote }) =>
          (address === undefined || equal(address, destination)) &&
          (remote === undefined || (remote.port === datagram.sourcePort && equal(remote.address, source))),
      );
    if (socket === undefined) return this.#host.drop("no-socket");
    const { payload: content, sourcePort } = datagram;
    this.#host.events.push({ kind: "datagram", socket, bytes: content, source, sourcePort, destination, ecn });
    return true;
  }

  /** ICMP says that a datagram did not arrive. */
  unreachable(localPort: number, remote: Uint8Array, remotePort: number, failure: Failure): void {
    const socket = this.#sockets
      .get(localPort)
      ?.find((each) => !each.remote || (each.remote.port === remotePort && equal(each.remote.address, remote)));
    if (socket !== undefined) this.#host.events.push({ kind: "soft-error", of: socket, failure });
  }
}

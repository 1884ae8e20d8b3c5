import { parsePrefix } from "../../bytes/index.js";
import { type Host, type Network, networkFailure } from "../../contract/index.js";
import { configureDevice } from "../../hosts/node/device.js";
import { openTun } from "../../hosts/node/tun.js";
import { DeviceNetwork } from "../../tunnels/index.js";

export interface DeviceNetworkOptions {
  /** What the device is called: up to 15 letters and digits. */
  readonly device: string;
  /** Ours behind the device, as `address/length`. */
  readonly addresses: readonly string[];
  /** The kernel's on its side of it, as `address/length`. */
  readonly kernelAddresses: readonly string[];
  /** Bytes of the largest packet. Default 1420. */
  readonly mtu?: number;
}

/** A network of our own stack on a device of the operating system. */
export interface OpenDeviceNetwork extends AsyncDisposable {
  /** Its TCP is ours: it offers `enoStreams`, which tcpcrypt stands on. */
  readonly network: Network;
  /** Ends everything on it, and takes the device away. */
  close(): Promise<void>;
}

const mtuDefault = 1_420;

/**
 * Opens a TUN device with our stack behind it: a host of its own next to the kernel, which reaches it directly and routes for it if
 * told to. Needs root, Linux, and iproute2. Rejects with `not-permitted`, `not-supported`, `address-in-use` (the name) and
 * `not-an-address`.
 */
export async function openDeviceNetwork(host: Host, options: DeviceNetworkOptions): Promise<OpenDeviceNetwork> {
  const { device, kernelAddresses, mtu = mtuDefault } = options;
  const addresses = options.addresses.map((text) => {
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw networkFailure("not-an-address", `${text} is no address with a length`);
    return prefix;
  });
  const behind = await DeviceNetwork.open(host, (sink) => openTun(device, mtu, sink), { name: device, addresses });
  try {
    const configured = await configureDevice({
      name: device,
      mtu,
      addresses: kernelAddresses,
      routes: [],
      outside: [],
      overhead: 0,
    });
    const close = async (): Promise<void> => {
      behind.close();
      await configured.takeBack();
    };
    return { network: behind.network, close, [Symbol.asyncDispose]: close };
  } catch (failure) {
    behind.close();
    throw failure;
  }
}

import { createRequire } from "node:module";
import { getSystemErrorName } from "node:util";
import { Memory } from "./memory.js";

/** The C library's sockets, with numbers alone, as `libcrypto.ts` has OpenSSL. */
export interface Libc {
  readonly call: { readonly [Name in keyof typeof declarations]: (...numbers: number[]) => number };
  readonly memory: Memory;
  /** The error number of the call just made that answered -1. */
  errno(): number;
  /** The index of an interface; zero if there is none of that name. */
  interfaceIndex(name: string): number;
  /** A descriptor, or -1. */
  open(path: string, flags: number): number;
}

const declarations = {
  socket: "int socket(int family, int type, int protocol)",
  bind: "int bind(int socket, uintptr_t name, uint32_t size)",
  connect: "int connect(int socket, uintptr_t name, uint32_t size)",
  getsockname: "int getsockname(int socket, uintptr_t name, uintptr_t size)",
  setsockopt: "int setsockopt(int socket, int level, int option, uintptr_t value, uint32_t size)",
  sendmsg: "long sendmsg(int socket, uintptr_t message, int flags)",
  recvmsg: "long recvmsg(int socket, uintptr_t message, int flags)",
  ioctl: "int ioctl(int descriptor, unsigned long request, uintptr_t value)",
  read: "long read(int descriptor, uintptr_t into, size_t size)",
  writev: "long writev(int descriptor, uintptr_t pieces, int count)",
  close: "int close(int descriptor)",
} as const;

/** Linux's numbers, which are these on x64 and arm64. */
export const linux = {
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_DGRAM: 2,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_SNDBUF: 7,
  SO_RCVBUF: 8,
  IPPROTO_IP: 0,
  IP_TOS: 1,
  IP_TTL: 2,
  IP_MTU_DISCOVER: 10,
  IP_RECVERR: 11,
  IP_RECVTOS: 13,
  IPPROTO_IPV6: 41,
  IPV6_UNICAST_HOPS: 16,
  IPV6_MTU_DISCOVER: 23,
  IPV6_RECVERR: 25,
  IPV6_V6ONLY: 26,
  IPV6_RECVTCLASS: 66,
  IPV6_TCLASS: 67,
  /** Fragment where the path wants it; set DF and let senders probe (IP_PMTUDISC_WANT, _PROBE). */
  PMTUDISC_WANT: 1,
  PMTUDISC_PROBE: 3,
  SOL_UDP: 17,
  UDP_SEGMENT: 103,
  UDP_GRO: 104,
  MSG_ERRQUEUE: 0x2000,
  O_RDWR: 2,
  O_NONBLOCK: 0o4000,
  O_CLOEXEC: 0o2000000,
  TUNSETIFF: 0x4004_54ca,
  TUNSETOFFLOAD: 0x4004_54d0,
  IFF_TUN: 0x0001,
  IFF_NO_PI: 0x1000,
  IFF_VNET_HDR: 0x4000,
  /** The kernel may leave to us: checksums, TCP over IPv4 and IPv6 (with ECN), UDP over either (Linux 6.2). */
  TUN_F_CSUM: 0x01,
  TUN_F_TSO4: 0x02,
  TUN_F_TSO6: 0x04,
  TUN_F_TSO_ECN: 0x08,
  TUN_F_USO4: 0x20,
  TUN_F_USO6: 0x40,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EAGAIN: 11,
  EBUSY: 16,
  EINVAL: 22,
  EMSGSIZE: 90,
} as const;

/** Opens it; throws with the reason if its structures are not the ones known here. */
export function openLibc(): Libc {
  if (process.platform !== "linux" || (process.arch !== "x64" && process.arch !== "arm64")) {
    throw new Error(`the socket structures of ${process.platform} on ${process.arch} are not known`);
  }
  const koffi: typeof import("koffi") = createRequire(import.meta.url)("koffi");
  const program = koffi.load(null);
  const call = Object.fromEntries(
    Object.entries(declarations).map(([name, declaration]) => [name, program.func(declaration)]),
  ) as unknown as Libc["call"];
  return {
    call,
    memory: new Memory((buffer) => Number(koffi.address(new Uint8Array(buffer)))),
    errno: () => koffi.errno(),
    interfaceIndex: program.func("unsigned int if_nametoindex(const char *name)"),
    open: program.func("int open(const char *path, int flags)"),
  };
}

/** As Node's own errors are: with a `code`. */
export function systemError(errno: number, call: string): Error & { readonly code: string } {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${call} ${code}`), { code });
}

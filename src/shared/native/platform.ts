import { arch, platform } from 'node:os';

/**
 * Numbers of the Linux ABI that the wrappers use, with the kernel header each one is from. They are the kernel's
 * `asm-generic` values, which x86-64 and arm64 share; architectures that have their own (mips, sparc, parisc, alpha)
 * are refused by `linuxAbi` rather than served wrong numbers.
 */
export interface LinuxAbi {
  readonly sockaddrInBytes: 16;
  readonly sockaddrIn6Bytes: 28;
  readonly sockaddrLlBytes: 20;
  /** `struct epoll_event` in 32-bit words, and the word its `data` begins at: x86-64 alone packs it (eventpoll.h). */
  readonly epollEventWords: 3 | 4;
  readonly epollDataWord: 1 | 2;
}

const LP64 = {
  sockaddrInBytes: 16,
  sockaddrIn6Bytes: 28,
  sockaddrLlBytes: 20,
} as const;

const ABI_BY_ARCH: ReadonlyMap<string, LinuxAbi> = new Map([
  ['x64', { ...LP64, epollEventWords: 3, epollDataWord: 1 }],
  ['arm64', { ...LP64, epollEventWords: 4, epollDataWord: 2 }],
]);

/** Throws when this process runs on a platform whose numbers are not in the table. */
export function linuxAbi(os: string = platform(), cpu: string = arch()): LinuxAbi {
  const abi = os === 'linux' ? ABI_BY_ARCH.get(cpu) : undefined;
  if (abi === undefined) {
    throw new Error(`traffic capture needs Linux on x64 or arm64; this is ${os} on ${cpu}`);
  }
  return abi;
}

/** include/linux/socket.h */
export const AddressFamily = { inet: 2, inet6: 10, netlink: 16, packet: 17 } as const;

/** include/linux/net.h: types and the flags that may be or-ed to them */
export const SocketType = { stream: 1, dgram: 2, raw: 3, cloexec: 0o2000000, nonblock: 0o4000 } as const;

/** include/uapi/linux/{in,in6,netfilter_ipv4}.h, asm-generic/socket.h: [level, option] */
export const SocketOption = {
  reuseAddress: [1, 2],
  error: [1, 4],
  receiveBuffer: [1, 8],
  keepAlive: [1, 9],
  linger: [1, 13],
  reusePort: [1, 15],
  mark: [1, 36],
  /** Beyond what the kernel lets others have. */
  receiveBufferForced: [1, 33],
  domain: [1, 39],
  attachReusePortFilter: [1, 51],
  detachReusePortFilter: [1, 68],
  tcpNoDelay: [6, 1],
  tcpKeepIdle: [6, 4],
  tcpKeepInterval: [6, 5],
  tcpKeepCount: [6, 6],
  tcpInfo: [6, 11],
  tcpCongestion: [6, 13],
  ipFreebind: [0, 15],
  ipTransparent: [0, 19],
  /** Leaves the choice of the port to connect(2), so that a source address is good for 28k connections per destination. */
  ipBindAddressNoPort: [0, 24],
  originalDestination: [0, 80],
  ipv6Only: [41, 26],
  ipv6Transparent: [41, 75],
  ipv6Freebind: [41, 78],
  originalDestination6: [41, 80],
  packetIgnoreOutgoing: [263, 23],
} as const satisfies Record<string, readonly [number, number]>;

/** include/uapi/asm-generic/fcntl.h */
export const FcntlCommand = { dupfdCloexec: 1030, setPipeSize: 1031 } as const;

/** include/uapi/asm-generic/fcntl.h: O_CLOEXEC, O_NONBLOCK */
export const PIPE_FLAGS = 0o2000000 | 0o4000;

/** include/linux/splice.h: SPLICE_F_MOVE, SPLICE_F_NONBLOCK */
export const SPLICE_FLAGS = 1 | 2;

/** include/linux/socket.h */
export const MSG_DONTWAIT = 0x40;

/** include/linux/net.h (shutdown(2)) */
export const SHUT_WR = 1;

/** include/uapi/linux/eventpoll.h */
export const EpollOp = { add: 1, del: 2 } as const;
export const EpollFlag = {
  in: 0x001,
  out: 0x004,
  err: 0x008,
  hup: 0x010,
  rdhup: 0x2000,
  edge: 0x80000000,
} as const;
/** include/uapi/asm-generic/fcntl.h */
export const EPOLL_CLOEXEC = 0o2000000;

/** include/uapi/linux/sched.h */
export const CLONE_NEWNET = 0x40000000;

/** include/uapi/linux/magic.h: f_type of statfs(2) */
export const FilesystemMagic = { nsfs: 0x6e736673, tmpfs: 0x01021994, ramfs: 0x858458f6 } as const;

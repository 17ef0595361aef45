import type { SocketEndpoint } from '../engine/channel.ts';
import { getRawPointer } from 'node:ffi';
import { callMemory } from './call-memory.ts';
import { libc } from './libc.ts';
import { NativeMemory } from './native-memory.ts';
import { SHUT_WR, SocketOption, SocketType } from './platform.ts';
import { decodeSocketAddress, writeSocketAddress } from './socket-address.ts';

/** include/net/tcp.h: TCP_CA_NAME_MAX */
const MAX_ALGORITHM_BYTES = 16;

/*
 * Calls of the data path on connected sockets. They return -1 for an error, whose number is `errnoNow()`, instead of
 * throwing: most of them are EAGAIN.
 */

/** read(2). Up to `length` bytes to `address`, which must be that long. @returns bytes, 0 at the end of the stream, or -1 */
export function receive(fd: number, address: bigint, length: number): number {
  return libc().read(fd, address, length);
}

/** write(2); the runtime ignores SIGPIPE. @returns bytes taken, or -1 */
export function send(fd: number, address: bigint, length: number): number {
  return libc().write(fd, address, length);
}

/** As `send`, of memory that is not ours to keep: it is read during the call, in which nothing can move it. */
export function sendSlice(fd: number, slice: Uint8Array): number {
  return libc().write(fd, getRawPointer(slice), slice.length);
}

/** shutdown(2): FIN after what was sent. */
export function shutdownWrites(fd: number): number {
  return libc().shutdown(fd, SHUT_WR);
}

/** accept4(2): non-blocking, close-on-exec. @returns the descriptor, or -1; the peer is `acceptedPeer()` until the next call */
export function accept(fd: number): number {
  const { value, length } = callMemory();
  return libc().accept4(fd, value.address, length.address, SocketType.nonblock | SocketType.cloexec);
}

/** Who was accepted last. Throws when the kernel's answer is no IP address. */
export function acceptedPeer(): SocketEndpoint {
  return decodeSocketAddress(callMemory().value.bytes);
}

/** connect(2). @returns 0, or -1 (EINPROGRESS while it is under way) */
export function startConnect(fd: number, remote: SocketEndpoint): number {
  const { value } = callMemory();
  const length = writeSocketAddress(value.bytes, remote);
  return libc().connect(fd, value.address, length);
}

/** getsockname(2); undefined when it cannot be told (the socket is gone). */
export function localEndpoint(fd: number): SocketEndpoint | undefined {
  const { value, length } = callMemory();
  if (libc().getsockname(fd, value.address, length.address) < 0) return undefined;
  return decodeSocketAddress(value.bytes);
}

/** The error a connect or a reset left behind, and clears it: 0 is none. socket(7) SO_ERROR */
export function pendingError(fd: number): number {
  const [level, option] = SocketOption.error;
  const { value, length } = callMemory(4);
  if (libc().getsockopt(fd, level, option, value.address, length.address) < 0) return 0;
  return value.bytes.readInt32LE(0);
}

/** The next close sends RST and drops what is queued. socket(7) SO_LINGER */
export function resetOnClose(fd: number): void {
  const [level, option] = SocketOption.linger;
  const { value } = callMemory();
  value.bytes.writeInt32LE(1, 0);
  value.bytes.writeInt32LE(0, 4);
  libc().setsockopt(fd, level, option, value.address, 8);
}

/** setsockopt(2) of a C int. @returns 0, or -1, which does not matter to those whose socket may be gone already */
export function setOption(fd: number, name: keyof typeof SocketOption, value: number): number {
  const [level, option] = SocketOption[name];
  const { value: cell } = callMemory();
  cell.bytes.writeInt32LE(value, 0);
  return libc().setsockopt(fd, level, option, cell.address, 4);
}

/**
 * tcp(7) TCP_CONGESTION. A listener's is inherited by what it accepts.
 * @param algorithm a name of at most 16 bytes, as in net.ipv4.tcp_available_congestion_control
 * @returns 0, or -1: the kernel does not have it, or not for this process
 */
export function setCongestionControl(fd: number, algorithm: string): number {
  const [level, option] = SocketOption.tcpCongestion;
  const { value } = callMemory();
  const length = value.bytes.write(algorithm, 0, MAX_ALGORITHM_BYTES, 'latin1');
  return libc().setsockopt(fd, level, option, value.address, length);
}

/** Of the connections of this socket; '' when it cannot be told. */
export function congestionControl(fd: number): string {
  const [level, option] = SocketOption.tcpCongestion;
  const { value, length } = callMemory(MAX_ALGORITHM_BYTES);
  if (libc().getsockopt(fd, level, option, value.address, length.address) < 0) return '';
  return value.bytes.toString('latin1', 0, length.bytes.readUInt32LE(0)).replace(/\0.*$/s, '');
}

/** include/uapi/linux/tcp.h: `tcpi_rtt` of `struct tcp_info`, microseconds. */
const RTT_AT = 68;
let info: NativeMemory | undefined;

/** Smoothed, of a connection; 0 when it is not known. tcp(7) TCP_INFO */
export function roundTripUs(fd: number): number {
  const [level, option] = SocketOption.tcpInfo;
  info ??= new NativeMemory(RTT_AT + 4);
  const { length } = callMemory(info.size);
  if (libc().getsockopt(fd, level, option, info.address, length.address) < 0) return 0;
  return length.bytes.readUInt32LE(0) < info.size ? 0 : info.bytes.readUInt32LE(RTT_AT);
}

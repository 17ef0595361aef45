import type { SocketEndpoint } from '../engine/channel.ts';
import { callMemory, MAX_ADDRESS_BYTES } from './call-memory.ts';
import { checked, failed, libc } from './libc.ts';
import type { NativeMemory } from './native-memory.ts';
import { AddressFamily, FcntlCommand, SocketOption, SocketType } from './platform.ts';
import { decodeSocketAddress, type IpFamily, writeSocketAddress } from './socket-address.ts';
import { setOption } from './stream-socket.ts';

type OptionName = keyof typeof SocketOption;

/** A TCP socket in the calling thread's network namespace: non-blocking, close-on-exec. socket(2) */
export function openTcpSocket(family: IpFamily): number {
  const domain = family === 4 ? AddressFamily.inet : AddressFamily.inet6;
  const type = SocketType.stream | SocketType.nonblock | SocketType.cloexec;
  return checked(libc().socket(domain, type, 0), 'socket', `open an IPv${family} TCP socket`);
}

/** bind(2) */
export function bindSocket(fd: number, address: SocketEndpoint): void {
  const { value } = callMemory();
  const length = writeSocketAddress(value.bytes, address);
  if (libc().bind(fd, value.address, length) < 0) failed('bind', `bind ${address.ip} port ${address.port}`);
}

/** listen(2) */
export function listenSocket(fd: number, backlog: number): void {
  checked(libc().listen(fd, backlog), 'listen', 'listen');
}

/** close(2). EINTR counts as closed: on Linux the descriptor is gone either way. */
export function closeFd(fd: number): void {
  libc().close(fd);
}

/** A second descriptor of the same open socket, close-on-exec. fcntl(2) F_DUPFD_CLOEXEC */
export function dupFd(fd: number): number {
  return checked(libc().fcntl(fd, FcntlCommand.dupfdCloexec, 0n), 'fcntl', `duplicate descriptor ${fd}`);
}

/** Sets an option whose value is a C int. setsockopt(2), socket(7), ip(7), ipv6(7) */
export function setIntOption(fd: number, name: OptionName, value: number): void {
  if (setOption(fd, name, value) < 0) failed('setsockopt', `set ${name} on descriptor ${fd}`);
}

/** getsockopt(2) of an option whose value is a C int. */
export function getIntOption(fd: number, name: OptionName): number {
  const bytes = readOption(fd, name, 4);
  if (bytes.length !== 4) throw new Error(`option ${name} answered ${bytes.length} bytes, not 4`);
  return bytes.readInt32LE(0);
}

/**
 * Where a redirected connection was going before the redirection (connection tracking's record), or, for one that was
 * not redirected, the local address. Throws ENOENT when connection tracking does not know the connection.
 */
export function originalDestinationOf(fd: number, family: IpFamily): SocketEndpoint {
  const name = family === 4 ? 'originalDestination' : 'originalDestination6';
  return decodeSocketAddress(readOption(fd, name, MAX_ADDRESS_BYTES));
}

/** Valid until the next call on a socket. */
function readOption(fd: number, name: OptionName, maxBytes: number): Buffer {
  const [level, option] = SocketOption[name];
  const { value, length } = callMemory(maxBytes);
  if (libc().getsockopt(fd, level, option, value.address, length.address) < 0)
    failed('getsockopt', `read ${name} of descriptor ${fd}`);
  return answered(value, length);
}

/** What the kernel wrote. */
function answered(value: NativeMemory, length: NativeMemory): Buffer {
  return value.bytes.subarray(0, Math.min(value.size, length.bytes.readUInt32LE(0)));
}

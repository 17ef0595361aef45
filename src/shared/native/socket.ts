import type { SocketEndpoint } from '../engine/channel.ts';
import { checked, libc } from './libc.ts';
import { AddressFamily, FcntlCommand, SocketOption, SocketType } from './platform.ts';
import { decodeSocketAddress, encodeSocketAddress, type IpFamily } from './socket-address.ts';

type OptionName = keyof typeof SocketOption;

/** A TCP socket in the calling thread's network namespace: non-blocking, close-on-exec. socket(2) */
export function openTcpSocket(family: IpFamily): number {
  const domain = family === 4 ? AddressFamily.inet : AddressFamily.inet6;
  const type = SocketType.stream | SocketType.nonblock | SocketType.cloexec;
  return checked(libc().socket(domain, type, 0), 'socket', `open an IPv${family} TCP socket`);
}

/** bind(2) */
export function bindSocket(fd: number, address: SocketEndpoint): void {
  const bytes = encodeSocketAddress(address);
  checked(libc().bind(fd, bytes, bytes.length), 'bind', `bind ${address.ip} port ${address.port}`);
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

/** Address the socket is bound to. getsockname(2) */
export function localAddress(fd: number): SocketEndpoint {
  const bytes = Buffer.alloc(MAX_ADDRESS_BYTES);
  const length = lengthCell(bytes.length);
  checked(libc().getsockname(fd, bytes, length), 'getsockname', `read the address of descriptor ${fd}`);
  return decodeSocketAddress(bytes.subarray(0, Math.min(bytes.length, length.readUInt32LE(0))));
}

/** Sets an option whose value is a C int. setsockopt(2), socket(7), ip(7), ipv6(7) */
export function setIntOption(fd: number, name: OptionName, value: number): void {
  const [level, option] = SocketOption[name];
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  checked(
    libc().setsockopt(fd, level, option, bytes, bytes.length),
    'setsockopt',
    `set ${name} on descriptor ${fd}`,
  );
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

/** Family of a socket, whatever made it. socket(7) SO_DOMAIN */
export function socketFamily(fd: number): IpFamily {
  const domain = getIntOption(fd, 'domain');
  if (domain === AddressFamily.inet) return 4;
  if (domain === AddressFamily.inet6) return 6;
  throw new Error(`descriptor ${fd} is not an IP socket (address family ${domain})`);
}

/** `struct sockaddr_in6` is the longest address an IP socket has. */
const MAX_ADDRESS_BYTES = 28;

function readOption(fd: number, name: OptionName, maxBytes: number): Buffer {
  const [level, option] = SocketOption[name];
  const bytes = Buffer.alloc(maxBytes);
  const length = lengthCell(maxBytes);
  checked(
    libc().getsockopt(fd, level, option, bytes, length),
    'getsockopt',
    `read ${name} of descriptor ${fd}`,
  );
  return bytes.subarray(0, Math.min(maxBytes, length.readUInt32LE(0)));
}

/** A `socklen_t` that the kernel updates in place. */
function lengthCell(bytes: number): Buffer {
  const cell = Buffer.alloc(4);
  cell.writeUInt32LE(bytes);
  return cell;
}

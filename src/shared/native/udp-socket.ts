import { checked, libc } from './libc.ts';
import { runInNetns } from './netns.ts';
import { AddressFamily, SocketType } from './platform.ts';
import { shareWithOlderListener } from './reuse-port-group.ts';
import { PROXY_MARK } from './socket-factory.ts';
import { bindSocket, closeFd, listenSocket, openTcpSocket, setIntOption } from './socket.ts';
import { familyOf, type IpFamily } from './socket-address.ts';
import { SystemCallError } from './system-error.ts';

/** Of this host, by family. */
export const LOOPBACK = { 4: '127.0.0.1', 6: '::1' } as const;
const LISTEN_BACKLOG = 256;
/** A thousand queries: what comes while the thread that reads them is busy with something else is not lost. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;
/** What the kernel answers where IPv6 is built out, or disabled for the namespace. */
const NO_IPV6: ReadonlySet<string> = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL']);

/** A socket of one family; the caller owns the descriptor. */
export interface FamilySocket {
  readonly fd: number;
  readonly family: IpFamily;
}

/**
 * UDP and TCP sockets on `port` of the loopback addresses in a namespace, where nobody outside of it reaches them: IPv4, and
 * IPv6 where there is any. SO_REUSEPORT lets the next ztunnel listen before this one stops. UDP sockets have no mark: one on
 * their answers would be put on the client's connection by the capture rules.
 * Throws `SystemCallError`, `EADDRINUSE` when the pod itself uses the port; nothing stays open then.
 */
export function listenOnLoopback(
  netnsFd: number,
  port: number,
): { readonly udp: readonly FamilySocket[]; readonly tcp: readonly FamilySocket[] } {
  return runInNetns(netnsFd, () => {
    const udp: FamilySocket[] = [];
    const tcp: FamilySocket[] = [];
    try {
      for (const family of [4, 6] as const) {
        udp.push(...unlessMissing(family, openUdpSocket, fd => bindShared(fd, family, port)));
        tcp.push(...unlessMissing(family, openTcpSocket, fd => listenShared(fd, family, port)));
      }
      return { udp, tcp };
    } catch (cause) {
      for (const { fd } of [...udp, ...tcp]) closeFd(fd);
      throw cause;
    }
  });
}

/** A UDP socket in the namespace, marked as the proxy's, of the family of `remoteIp`. The caller owns it. */
export function openOutgoingUdpSocket(netnsFd: number, remoteIp: string): FamilySocket {
  const family = familyOf(remoteIp);
  return runInNetns(netnsFd, () => {
    const fd = openUdpSocket(family);
    try {
      setIntOption(fd, 'mark', PROXY_MARK);
      return { fd, family };
    } catch (cause) {
      closeFd(fd);
      throw cause;
    }
  });
}

/** Non-blocking, close-on-exec. socket(2) */
function openUdpSocket(family: IpFamily): number {
  const domain = family === 4 ? AddressFamily.inet : AddressFamily.inet6;
  const type = SocketType.dgram | SocketType.nonblock | SocketType.cloexec;
  return checked(libc().socket(domain, type, 0), 'socket', `open an IPv${family} UDP socket`);
}

function unlessMissing(
  family: IpFamily,
  open: (family: IpFamily) => number,
  prepare: (fd: number) => void,
): FamilySocket[] {
  let fd = -1;
  try {
    fd = open(family);
    prepare(fd);
    return [{ fd, family }];
  } catch (cause) {
    if (fd >= 0) closeFd(fd);
    if (family === 6 && cause instanceof SystemCallError && NO_IPV6.has(cause.code)) return [];
    throw cause;
  }
}

function bindShared(fd: number, family: IpFamily, port: number): void {
  setIntOption(fd, 'receiveBufferForced', RECEIVE_BUFFER_BYTES);
  setIntOption(fd, 'reusePort', 1);
  bindSocket(fd, { ip: LOOPBACK[family], port });
  shareWithOlderListener(fd);
}

function listenShared(fd: number, family: IpFamily, port: number): void {
  setIntOption(fd, 'reuseAddress', 1);
  setIntOption(fd, 'reusePort', 1);
  setIntOption(fd, 'mark', PROXY_MARK);
  bindSocket(fd, { ip: LOOPBACK[family], port });
  listenSocket(fd, LISTEN_BACKLOG);
  shareWithOlderListener(fd);
}

import type { SocketEndpoint } from '../engine/channel.ts';
import { runInNetns } from './netns.ts';
import { bindSocket, closeFd, listenSocket, openTcpSocket, setIntOption } from './socket.ts';
import { shareWithOlderListener } from './reuse-port-group.ts';
import { setCongestionControl } from './stream-socket.ts';
import { familyOf, type IpFamily } from './socket-address.ts';
import { SystemCallError } from './system-error.ts';

/** Mark of every packet the proxy itself sends: capture rules let it pass (docs: ports and marks). */
export const PROXY_MARK = 0x539;
/**
 * Mark of both directions of what the proxy dials inside a pod, by which answers to a client's address are routed back to the
 * proxy instead of out of the pod (docs: ports and marks).
 */
export const APPLICATION_MARK = 0x111;
/** The upper bits of marks belong to other software (CNI plugins, kube-proxy). */
export const MARK_MASK = 0xfff;

/**
 * Congestion control of connections that never leave a network namespace. The kernel hands such bytes over in memory: there is
 * nothing to congest, and pacing (as `bbr` does) would only set a timer for every 64 KiB. Every kernel has it, for everybody.
 */
export const WITHIN_NAMESPACE = 'reno';

/** Connections that are waiting for `accept`; above it the kernel lets clients retry, which hides a short stall. */
const LISTEN_BACKLOG = 1024;

export interface OutgoingOptions {
  /** Namespace to connect from; undefined: the process's own. */
  readonly netnsFd?: number | undefined;
  /** Decides the socket's family. */
  readonly remoteIp: string;
  /** Address the peer shall see, though it may not be one of this namespace's (IP_TRANSPARENT). */
  readonly source?: SocketEndpoint | undefined;
  /** It stays within the namespace, whose application is dialled. */
  readonly toApplication?: boolean;
  /** Undefined: what the node uses. */
  readonly congestionControl?: string | undefined;
}

/**
 * Listening sockets on `port` of all addresses in the namespace, marked as the proxy's: one for IPv4 and one for
 * IPv6 (left out when the kernel has no IPv6). SO_REUSEPORT lets the next ztunnel listen before this one stops.
 * The caller owns the descriptors. Throws `SystemCallError`, `EADDRINUSE` when the pod itself uses the port.
 */
export function listenInNetns(netnsFd: number, port: number, congestionControl?: string): number[] {
  return runInNetns(netnsFd, () => {
    const fds: number[] = [];
    try {
      for (const family of [4, 6] as const) {
        const fd = openUnlessMissing(family);
        if (fd === undefined) continue;
        fds.push(fd);
        prepareListener(fd, family, port);
        if (congestionControl !== undefined) setCongestionControl(fd, congestionControl);
      }
      return fds;
    } catch (cause) {
      fds.forEach(closeFd);
      throw cause;
    }
  });
}

/**
 * A socket that is ready for `connect`, marked as the proxy's. The caller owns the descriptor; pass it as
 * `ConnectTarget.fd`. Throws `SystemCallError`.
 */
export function openOutgoingSocket(options: OutgoingOptions): number {
  const { netnsFd } = options;
  return netnsFd === undefined ? makeOutgoing(options) : runInNetns(netnsFd, () => makeOutgoing(options));
}

function makeOutgoing(options: OutgoingOptions): number {
  const { remoteIp, source, toApplication, congestionControl } = options;
  const family = familyOf(remoteIp);
  const fd = openTcpSocket(family);
  try {
    setIntOption(fd, 'mark', toApplication === true ? APPLICATION_MARK : PROXY_MARK);
    if (source !== undefined) bindSource(fd, family, source);
    if (congestionControl !== undefined) setCongestionControl(fd, congestionControl);
    return fd;
  } catch (cause) {
    closeFd(fd);
    throw cause;
  }
}

function bindSource(fd: number, family: IpFamily, source: SocketEndpoint): void {
  if (familyOf(source.ip) !== family) {
    throw new Error(`source ${source.ip} is of another address family than the destination`);
  }
  setIntOption(fd, family === 4 ? 'ipTransparent' : 'ipv6Transparent', 1);
  setIntOption(fd, 'reuseAddress', 1);
  if (source.port === 0) setIntOption(fd, 'ipBindAddressNoPort', 1);
  bindSocket(fd, source);
}

function openUnlessMissing(family: IpFamily): number | undefined {
  try {
    return openTcpSocket(family);
  } catch (cause) {
    if (family === 6 && cause instanceof SystemCallError && cause.code === 'EAFNOSUPPORT') return undefined;
    throw cause;
  }
}

function prepareListener(fd: number, family: IpFamily, port: number): void {
  setIntOption(fd, 'reuseAddress', 1);
  setIntOption(fd, 'reusePort', 1);
  setIntOption(fd, 'mark', PROXY_MARK);
  if (family === 6) setIntOption(fd, 'ipv6Only', 1);
  bindSocket(fd, { ip: family === 4 ? '0.0.0.0' : '::', port });
  listenSocket(fd, LISTEN_BACKLOG);
  shareWithOlderListener(fd);
}

import { readFileSync } from 'node:fs';
import { closeFd, openTcpSocket } from '../../native/socket.ts';
import { roundTripUs, setCongestionControl } from '../../native/stream-socket.ts';
import { type CongestionControls, type CongestionPolicy, isLongPath } from '../congestion-policy.ts';

const USUAL = '/proc/sys/net/ipv4/tcp_congestion_control';
const AVAILABLE = '/proc/sys/net/ipv4/tcp_available_congestion_control';

/** What this kernel has for this process. */
export const kernelCongestionControls: CongestionControls = {
  get usual(): string {
    return textOf(USUAL);
  },
  get available(): string {
    return textOf(AVAILABLE);
  },
  has(algorithm) {
    const fd = openTcpSocket(4);
    try {
      // The kernel loads a module for it where it can.
      return setCongestionControl(fd, algorithm) === 0;
    } finally {
      closeFd(fd);
    }
  },
};

/** '' where there is no such file: a process without /proc starts as well. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

/** Of a socket that is to connect, or that listens: what it accepts has the same. */
export function beginCongestionControl(fd: number, policy: CongestionPolicy | undefined): void {
  if (policy !== undefined) setCongestionControl(fd, policy.algorithm);
}

/**
 * Of a connection that is there now. The other way round it would not do: a connection that has once had `bbr` paces for
 * the rest of its life.
 */
export function reviewCongestionControl(fd: number, policy: CongestionPolicy | undefined): void {
  if (policy?.onLongPath !== undefined && isLongPath(roundTripUs(fd)))
    setCongestionControl(fd, policy.onLongPath);
}

import { readFileSync } from 'node:fs';
import { closeFd, openTcpSocket } from '#shared/native/socket.ts';
import { setCongestionControl } from '#shared/native/stream-socket.ts';

const AVAILABLE = '/proc/sys/net/ipv4/tcp_available_congestion_control';

/**
 * Whether sockets of this process can use it; the kernel loads its module where it can.
 * @throws Error naming what there is
 */
export function requireCongestionControl(name: string): void {
  const fd = openTcpSocket(4);
  try {
    if (setCongestionControl(fd, name) === 0) return;
  } finally {
    closeFd(fd);
  }
  const available = readFileSync(AVAILABLE, 'utf8').trim();
  throw new Error(
    `CONGESTION_CONTROL: this kernel has no ${name}, but ${available}; choose one of these or load the module tcp_${name}`,
  );
}

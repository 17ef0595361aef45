import type { Address } from '#shared/config/address.ts';
import { isListenedOn } from '#shared/native/listening.ts';
import { bindSocket, closeFd, listenSocket, openTcpSocket, setIntOption } from '#shared/native/socket.ts';
import { isIpv6 } from '#shared/workload/ip.ts';
import type { DedicatedConfig } from '../config/workload-config.ts';
import { Succession, type SuccessionOptions } from '../node/succession.ts';
import { HBONE_PORT } from '../ports.ts';
import type { WorkloadAssignment } from '../workers/messages.ts';

const LISTEN_BACKLOG = 1024;

/** A process that listens for the workload already goes on alone until this one is able to, or it is gone. */
export async function untilMayListen(config: DedicatedConfig, options: SuccessionOptions): Promise<void> {
  const at = { ip: config.ip, port: HBONE_PORT };
  await new Succession(options).mayListen(
    config,
    () => isListenedOn(at),
    () => true,
  );
}

/**
 * The one workload of `PROXY_MODE=dedicated`, with sockets that all worker threads share. The caller owns them.
 * Throws `SystemCallError` naming the address that cannot be listened on.
 */
export function dedicatedWorkload(config: DedicatedConfig): {
  assignment: WorkloadAssignment;
  close: () => void;
} {
  const fds: number[] = [];
  const listen = (address: Address): { fd: number } => {
    const fd = listenOn(address);
    fds.push(fd);
    return { fd };
  };
  const close = (): void => fds.splice(0).forEach(closeFd);
  try {
    const { namespace, name, serviceAccount, ip, socks5 } = config;
    const inboundHbone = [listen({ ip, port: HBONE_PORT })];
    return {
      assignment: {
        info: { uid: `dedicated/${namespace}/${name}`, name, namespace, serviceAccount, ips: [ip] },
        netnsFd: undefined,
        listeners: {
          outbound: [],
          inboundPlaintext: [],
          inboundHbone,
          socks5: socks5 === undefined ? [] : [listen(socks5)],
        },
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function listenOn(address: Address): number {
  const fd = openTcpSocket(isIpv6(address.ip) ? 6 : 4);
  try {
    setIntOption(fd, 'reuseAddress', 1);
    // The next process listens before this one stops.
    setIntOption(fd, 'reusePort', 1);
    bindSocket(fd, address);
    listenSocket(fd, LISTEN_BACKLOG);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

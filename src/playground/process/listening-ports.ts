import { parseListening } from '#shared/native/proc-net-tcp.ts';
import { readIfThere } from '#shared/state/read-if-there.ts';
import type { PodNetwork } from '../network/mesh-network.ts';

/**
 * TCP ports that listen in a pod, without a connection being made: in its network namespace, which is that of the process,
 * or on its address where it has none of its own. Empty when the process is gone.
 */
export function listeningPorts(pid: number, network: PodNetwork): Set<number> {
  const only = network.netnsFd === undefined ? network.ips[0] : undefined;
  const files = ['tcp', 'tcp6'].map(file => readIfThere(`/proc/${pid}/net/${file}`) ?? '');
  return new Set(files.flatMap(text => parseListening(text, only)));
}

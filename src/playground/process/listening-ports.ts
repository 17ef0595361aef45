import { readFileSync } from 'node:fs';
import type { PodNetwork } from '../network/mesh-network.ts';

const STATE_LISTEN = '0A';

/**
 * TCP ports that listen in a pod, without a connection being made: in its network namespace, which is that of the process,
 * or on its address where it has none of its own. Empty when the process is gone.
 */
export function listeningPorts(pid: number, network: PodNetwork): Set<number> {
  const only = network.netnsFd === undefined ? network.ips[0] : undefined;
  const files = ['tcp', 'tcp6'].map(file => readOrEmpty(`/proc/${pid}/net/${file}`));
  return new Set(files.flatMap(text => parseListening(text, only)));
}

/** Of the text of `/proc/net/tcp`: `sl local_address rem_address st …`, the address as `hex-ip:hex-port`. */
export function parseListening(text: string, onlyIpv4: string | undefined): number[] {
  const only = onlyIpv4 === undefined ? undefined : procAddress(onlyIpv4);
  return text.split('\n').flatMap(line => {
    const [, local = '', , state] = line.trim().split(/\s+/, 4);
    const [address, hexPort = ''] = local.split(':');
    const port = Number.parseInt(hexPort, 16);
    return state === STATE_LISTEN && !Number.isNaN(port) && (only ?? address) === address ? [port] : [];
  });
}

/** The address as one 32-bit number of a little-endian machine. */
function procAddress(ipv4: string): string {
  const bytes = ipv4.split('.').map(Number).toReversed();
  return Buffer.from(bytes).toString('hex').toUpperCase();
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

import { readFileSync } from 'node:fs';

const STATE_LISTEN = '0A';

/** TCP ports that listen in the network namespace of a process, without a connection being made. Empty when it is gone. */
export function listeningPorts(pid: number): Set<number> {
  const ports = new Set<number>();
  for (const file of ['tcp', 'tcp6']) {
    for (const port of parseListening(readOrEmpty(`/proc/${pid}/net/${file}`))) ports.add(port);
  }
  return ports;
}

/** Of the text of `/proc/net/tcp`: `sl local_address rem_address st …`, the address as `hex-ip:hex-port`. */
export function parseListening(text: string): number[] {
  return text.split('\n').flatMap(line => {
    const [, local, , state] = line.trim().split(/\s+/, 4);
    const port = Number.parseInt(local?.split(':')[1] ?? '', 16);
    return state === STATE_LISTEN && !Number.isNaN(port) ? [port] : [];
  });
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

import type { RequestHead } from './exchange.ts';

type Asked = Pick<RequestHead, 'method' | 'upgrade'>;

/** CONNECT as of RFC 9110 §9.3.6: for an authority, without scheme and path. With a protocol (RFC 8441) it is an upgrade. */
export function isConnect({ method, upgrade }: Asked): boolean {
  return method === 'CONNECT' && upgrade === undefined;
}

/** What follows the head is no body: it belongs to a tunnel, once that is open, and to nobody if it never is. */
export function asksForTunnel({ method, upgrade }: Asked): boolean {
  return upgrade !== undefined || method === 'CONNECT';
}

/** Whether a response makes bytes of what follows it: 101 to an upgrade, in whatever version it came, and 2xx to a CONNECT. */
export function opensTunnel(asked: Asked, status: number): boolean {
  if (asked.upgrade !== undefined) return status === 101;
  return isConnect(asked) && status >= 200 && status < 300;
}

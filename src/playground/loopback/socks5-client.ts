import { isIPv4, isIPv6 } from 'node:net';
import { parseIp } from '#shared/workload/ip.ts';

/**
 * The client's side of SOCKS5 (RFC 1928) without waiting: greeting and request are sent at once, and the data of the
 * application right behind them, so that the program sees a connection at the same moment as with capture in the kernel.
 */
const VERSION = 5;
const NO_AUTHENTICATION = 0;
const CONNECT = 1;
const [TYPE_IPV4, TYPE_NAME, TYPE_IPV6] = [1, 3, 4];
const GREETING = [VERSION, 1, NO_AUTHENTICATION];
const METHOD_REPLY_BYTES = 2;
/** With an IPv4 address, which is the only kind that our ztunnel answers with. */
const REQUEST_REPLY_BYTES = 10;
export const REPLY_BYTES = METHOD_REPLY_BYTES + REQUEST_REPLY_BYTES;

/** Throws when the name is longer than SOCKS5 can say. */
export function socks5Opening(host: string, port: number): Buffer {
  return Buffer.from([...GREETING, VERSION, CONNECT, 0, ...address(host), port >> 8, port & 0xff]);
}

function address(host: string): number[] {
  const bytes = isIPv4(host) || isIPv6(host) ? parseIp(host) : undefined;
  if (bytes !== undefined) return [bytes.length === 4 ? TYPE_IPV4 : TYPE_IPV6, ...bytes];
  const name = Buffer.from(host, 'utf8');
  if (name.length > 255) throw new Error(`the name ${host.slice(0, 40)}… is longer than 255 bytes`);
  return [TYPE_NAME, name.length, ...name];
}

/** Code → what a program sees when the kernel captures its connections: refused by policy is a reset. */
const ERROR_OF: Readonly<Record<number, string>> = {
  3: 'ENETUNREACH',
  4: 'EHOSTUNREACH',
  5: 'ECONNREFUSED',
  6: 'ETIMEDOUT',
};

/** What the first `REPLY_BYTES` say, or undefined when the connection has been made. */
export function socks5Failure(
  reply: Uint8Array,
): { readonly code: string; readonly message: string } | undefined {
  const [version, method, version2, status = -1, , addressType] = reply;
  if (version !== VERSION || method !== NO_AUTHENTICATION || version2 !== VERSION) {
    return { code: 'EPROTO', message: 'the SOCKS5 proxy of the pod answered with something else' };
  }
  if (status !== 0) return { code: ERROR_OF[status] ?? 'ECONNRESET', message: `SOCKS5 reply ${status}` };
  if (addressType !== TYPE_IPV4) return { code: 'EPROTO', message: 'SOCKS5 reply without an IPv4 address' };
  return undefined;
}

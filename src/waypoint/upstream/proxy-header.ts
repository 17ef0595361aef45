import type { SocketEndpoint } from '#shared/engine/channel.ts';
import type { ProxyProtocol } from '#shared/route/traffic-policy.ts';
import { type IpBytes, ipFromBytes, parseIp } from '#shared/workload/ip.ts';

/** The two ends of a client's connection: what it came from, and what it dialled. */
export interface ClientEnds {
  readonly source: SocketEndpoint;
  /** Without an address where that is not known. */
  readonly destination: SocketEndpoint;
}

/** Both of one family. */
interface Ends {
  readonly source: IpBytes;
  readonly sourcePort: number;
  readonly destination: IpBytes;
  readonly destinationPort: number;
}

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** Version 2 in the upper half, the command in the lower one. */
const PROXY = 0x21;
const LOCAL = 0x20;
const TCP4 = 0x11;
const TCP6 = 0x21;

/**
 * The first bytes of a connection by which a server learns whose it is (the PROXY protocol of HAProxy, sections 2.1 and 2.2).
 * Of two families IPv4 is written as IPv6 (RFC 4291 §2.5.5.2), and a destination that is not known as the unspecified address.
 *
 * @param client undefined: the connection is the proxy's own, and the server goes by the address it sees
 */
export function proxyHeader(version: ProxyProtocol, client: ClientEnds | undefined): Buffer {
  const ends = client === undefined ? undefined : endsOf(client);
  return version === 'v1' ? textHeader(ends) : binaryHeader(ends);
}

function textHeader(ends: Ends | undefined): Buffer {
  if (ends === undefined) return Buffer.from('PROXY UNKNOWN\r\n', 'latin1');
  const { destination, destinationPort, source, sourcePort } = ends;
  const family = source.length === 4 ? 'TCP4' : 'TCP6';
  const fields = ['PROXY', family, ipText(source), ipText(destination), sourcePort, destinationPort];
  return Buffer.from(`${fields.join(' ')}\r\n`, 'latin1');
}

function binaryHeader(ends: Ends | undefined): Buffer {
  if (ends === undefined) return Buffer.concat([SIGNATURE, Uint8Array.of(LOCAL, 0, 0, 0)]);
  const { destination, destinationPort, source, sourcePort } = ends;
  const rest = Buffer.alloc(4 + 2 * source.length + 4);
  rest[0] = PROXY;
  rest[1] = source.length === 4 ? TCP4 : TCP6;
  rest.writeUInt16BE(rest.length - 4, 2);
  rest.set(source, 4);
  rest.set(destination, 4 + source.length);
  rest.writeUInt16BE(sourcePort, rest.length - 4);
  rest.writeUInt16BE(destinationPort, rest.length - 2);
  return Buffer.concat([SIGNATURE, rest]);
}

function endsOf({ destination: to, source: from }: ClientEnds): Ends | undefined {
  const source = parseIp(from.ip);
  if (source === undefined) return undefined;
  const destination = parseIp(to.ip) ?? new Uint8Array(source.length);
  const ports = { sourcePort: from.port, destinationPort: to.port };
  return source.length === destination.length
    ? { ...ports, source, destination }
    : { ...ports, source: asIpv6(source), destination: asIpv6(destination) };
}

function asIpv6(ip: IpBytes): IpBytes {
  return ip.length === 16 ? ip : Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...ip);
}

/** Hexadecimal throughout in IPv6, also what holds an IPv4 address: the protocol takes no other form. */
function ipText(ip: IpBytes): string {
  const text = ipFromBytes(ip) ?? '';
  if (ip.length === 4 || text.includes(':')) return text;
  const group = (at: number): string => (((ip[at] ?? 0) << 8) | (ip[at + 1] ?? 0)).toString(16);
  return `::ffff:${group(12)}:${group(14)}`;
}

import type { SocketEndpoint } from '../engine/channel.ts';
import { ipFromBytes, ipv4At, isIpv4, parseIp, writeIpv4 } from '../workload/ip.ts';
import { AddressFamily, linuxAbi } from './platform.ts';

export type IpFamily = 4 | 6;

/** Family of an address as text; IPv4-mapped IPv6 counts as IPv4. Throws when `ip` is not an address. */
export function familyOf(ip: string): IpFamily {
  return isIpv4(ip) || addressBytes(ip).length === 4 ? 4 : 6;
}

/**
 * `struct sockaddr_in` (ip(7)) or `struct sockaddr_in6` (ipv6(7)), for which there must be room. The family is in host
 * order, the port in network order. @returns its length. Throws when it is not an address and a port.
 */
export function writeSocketAddress(target: Buffer, { ip, port }: SocketEndpoint): number {
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`not a port: ${port}`);
  // Nothing is made of an IPv4 address on its way: a connection writes several.
  const address = isIpv4(ip) ? undefined : addressBytes(ip);
  const v4 = address === undefined || address.length === 4;
  const abi = linuxAbi();
  const length = v4 ? abi.sockaddrInBytes : abi.sockaddrIn6Bytes;
  target.fill(0, 0, length);
  target.writeUInt16LE(v4 ? AddressFamily.inet : AddressFamily.inet6, 0);
  target.writeUInt16BE(port, 2);
  if (address === undefined) writeIpv4(ip, target, 4);
  else target.set(address, v4 ? 4 : 8);
  return length;
}

/** Throws when the kernel's answer is too short for its family, or of another family. */
export function decodeSocketAddress(bytes: Buffer): SocketEndpoint {
  const family = bytes.length >= 2 ? bytes.readUInt16LE(0) : -1;
  const abi = linuxAbi();
  if (family === AddressFamily.inet && bytes.length >= abi.sockaddrInBytes) {
    return { ip: ipv4At(bytes, 4), port: bytes.readUInt16BE(2) };
  }
  if (family === AddressFamily.inet6 && bytes.length >= abi.sockaddrIn6Bytes) {
    return { ip: ipFromBytes(bytes.subarray(8, 24)) ?? '', port: bytes.readUInt16BE(2) };
  }
  throw new Error(`not an IP socket address: family ${family}, ${bytes.length} bytes`);
}

function addressBytes(ip: string): Uint8Array {
  const bytes = parseIp(ip);
  if (bytes === undefined) throw new Error(`not an IP address: ${JSON.stringify(ip)}`);
  return bytes;
}

import { ipFromBytes, parseIp, type IpBytes } from './ip.ts';

/** A range of addresses, ready for matching: `bytes` has no bit set beyond `prefixLength`. */
export interface Cidr {
  readonly bytes: IpBytes;
  readonly prefixLength: number;
}

/**
 * A range from its address (any host bits are dropped) and prefix length. An IPv4-mapped range longer than /96 becomes
 * the IPv4 range it stands for. Undefined when `ip` is no address or the length does not fit its family.
 */
export function makeCidr(ip: string, prefixLength: number): Cidr | undefined {
  const bytes = parseIp(ip);
  if (bytes === undefined || !Number.isInteger(prefixLength) || prefixLength < 0) return undefined;
  const wasMapped = bytes.length === 4 && ip.includes(':');
  const length = wasMapped ? prefixLength - 96 : prefixLength;
  if (length < 0 || length > bytes.length * 8) return undefined;
  return { bytes: maskBytes(bytes, length), prefixLength: length };
}

/** `10.0.0.0/8`, `fd00::/64`, or a single address, which is its own range. Undefined when it does not parse. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) {
    const bytes = parseIp(text);
    return bytes === undefined ? undefined : { bytes, prefixLength: bytes.length * 8 };
  }
  const length = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
  return makeCidr(text.slice(0, slash), Number(length));
}

/** Canonical `<ip>/<length>`. */
export function formatCidr(cidr: Cidr): string {
  return `${ipFromBytes(cidr.bytes)}/${cidr.prefixLength}`;
}

/** Families never match each other: `0.0.0.0/0` holds no IPv6 address. */
export function cidrContains(cidr: Cidr, address: IpBytes): boolean {
  const { bytes, prefixLength } = cidr;
  if (bytes.length !== address.length) return false;
  const whole = prefixLength >> 3;
  for (let i = 0; i < whole; i++) if (bytes[i] !== address[i]) return false;
  const rest = prefixLength & 7;
  if (rest === 0) return true;
  return (((bytes[whole] ?? 0) ^ (address[whole] ?? 0)) & (0xff00 >> rest) & 0xff) === 0;
}

/** Whether some range holds an address that is known. */
export function inRanges(ranges: readonly Cidr[], address: IpBytes | undefined): boolean {
  if (address === undefined) return false;
  for (const range of ranges) if (cidrContains(range, address)) return true;
  return false;
}

/** A copy with every bit after the first `prefixLength` cleared. */
export function maskBytes(bytes: Uint8Array, prefixLength: number): Uint8Array {
  const masked = new Uint8Array(bytes.length);
  const whole = prefixLength >> 3;
  masked.set(bytes.subarray(0, whole));
  const rest = prefixLength & 7;
  if (rest !== 0) masked[whole] = (bytes[whole] ?? 0) & (0xff00 >> rest);
  return masked;
}

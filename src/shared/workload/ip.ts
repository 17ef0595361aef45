import { Remembered } from '../lifecycle/remembered.ts';

/**
 * IP addresses as canonical text: dotted decimal without leading zeros, or RFC 5952. An IPv4-mapped IPv6 address
 * (`::ffff:0:0/96`) is the IPv4 address it stands for, so that one peer has one name whatever socket family saw it.
 * Zones are not addresses of the mesh and do not parse.
 */

/** Longer than any textual IP address (`ffff:…:255.255.255.255` is 45). */
const MAX_TEXT_LENGTH = 45;

/** For addresses that are only looked at. */
const SCRATCH = new Uint8Array(4);

/** 4 bytes, or 16 that are not IPv4-mapped. */
export type IpBytes = Uint8Array;

/** The canonical form, or undefined when `text` is no IP address. */
export function canonicalIp(text: string): string | undefined {
  // Dotted decimal has one form alone.
  if (isIpv4(text)) return text;
  const bytes = parseIp(text);
  return bytes === undefined ? undefined : ipFromBytes(bytes);
}

/** Bytes in network order: 4 for IPv4 and IPv4-mapped, else 16. Undefined when `text` is no IP address. */
export function parseIp(text: string): IpBytes | undefined {
  if (text.length > MAX_TEXT_LENGTH) return undefined;
  if (text.includes(':')) {
    const bytes = parseIpv6(text);
    return bytes === undefined ? undefined : unmapped(bytes);
  }
  const bytes = new Uint8Array(4);
  return parseIpv4Into(text, 0, bytes, 0) ? bytes : undefined;
}

/** Whether it is dotted decimal without leading zeros. */
export function isIpv4(text: string): boolean {
  return parseIpv4Into(text, 0, SCRATCH, 0);
}

/** Writes dotted decimal as four bytes at `at`. @returns false, and may have written some, where it is none */
export function writeIpv4(text: string, target: Uint8Array, at: number): boolean {
  return parseIpv4Into(text, 0, target, at);
}

/** Canonical text of 4 or 16 bytes (network order); undefined for any other length. */
export function ipFromBytes(bytes: Uint8Array): string | undefined {
  if (bytes.length === 4) return ipv4At(bytes, 0);
  if (bytes.length !== 16) return undefined;
  const plain = unmapped(bytes);
  return plain.length === 4 ? ipv4At(plain, 0) : formatIpv6(bytes);
}

/** For canonical text only. */
export function isIpv6(ip: string): boolean {
  return ip.includes(':');
}

/** 127.0.0.0/8 or ::1, for canonical text. */
export function isLoopback(ip: string): boolean {
  return ip.startsWith('127.') || ip === '::1';
}

/**
 * Whether an address, canonical, is another thing to each who dials it: loopback, or none at all, which the kernel takes for
 * loopback. Nobody may write it down as an endpoint, and have a proxy dial itself.
 * @param ownIps of who dials. Where it has a loopback address itself, so has the whole mesh, on one machine.
 */
export function leadsToSelf(ip: string, ownIps: readonly string[]): boolean {
  const isSelf = isLoopback(ip) || ip.startsWith('0.') || ip === '::';
  return isSelf && !ownIps.some(isLoopback);
}

/** `ip:port`, IPv6 in brackets: the form of an HTTP authority and of access logs. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Splits `host:port` or `[ipv6]:port`. The host is not checked further; an unbracketed host with a colon does not parse.
 * @returns undefined unless the port is decimal, without sign or leading zero, in 1..65535.
 */
export function parseHostPort(text: string): { host: string; port: number } | undefined {
  const colon = text.lastIndexOf(':');
  if (colon <= 0) return undefined;
  const port = parsePort(text, colon + 1);
  if (port === undefined) return undefined;
  if (text.startsWith('[')) {
    if (text.charCodeAt(colon - 1) !== 0x5d) return undefined;
    const host = text.slice(1, colon - 1);
    return host.includes(':') ? { host, port } : undefined;
  }
  const host = text.slice(0, colon);
  return host.includes(':') || host.includes(']') ? undefined : { host, port };
}

function parsePort(text: string, from: number): number | undefined {
  const digits = text.length - from;
  if (digits < 1 || digits > 5 || text.charCodeAt(from) === 0x30) return undefined;
  let port = 0;
  for (let i = from; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    port = port * 10 + digit;
  }
  return port <= 65535 ? port : undefined;
}

function parseIpv4Into(text: string, from: number, out: Uint8Array, at: number): boolean {
  let octet = -1;
  let index = 0;
  for (let i = from; i <= text.length; i++) {
    const code = i === text.length ? 0x2e : text.charCodeAt(i);
    if (code === 0x2e) {
      if (octet < 0 || index === 4) return false;
      out[at + index++] = octet;
      octet = -1;
      continue;
    }
    const digit = code - 0x30;
    // `01` is octal to some parsers and decimal to others: no address at all here.
    if (digit < 0 || digit > 9 || octet === 0) return false;
    octet = octet < 0 ? digit : octet * 10 + digit;
    if (octet > 255) return false;
  }
  return index === 4;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(16);
  let at = 0;
  let gap = -1;
  let i = 0;
  if (text.startsWith('::')) {
    gap = 0;
    i = 2;
  }
  while (i < text.length) {
    if (at === 16) return undefined;
    const end = groupEnd(text, i);
    if (text.charCodeAt(end) === 0x2e) {
      // Dotted decimal may only be the last 32 bits.
      if (at > 12 || !parseIpv4Into(text, i, bytes, at)) return undefined;
      at += 4;
      break;
    }
    if (end === i || end - i > 4) return undefined;
    const group = Number.parseInt(text.slice(i, end), 16);
    bytes[at++] = group >> 8;
    bytes[at++] = group & 0xff;
    if (end === text.length) break;
    if (text.charCodeAt(end) !== 0x3a) return undefined;
    i = end + 1;
    if (text.charCodeAt(i) === 0x3a) {
      if (gap >= 0) return undefined;
      gap = at;
      i++;
    } else if (i === text.length) return undefined;
  }
  return expandGap(bytes, at, gap);
}

function groupEnd(text: string, from: number): number {
  let end = from;
  while (end < text.length && isHexDigit(text.charCodeAt(end))) end++;
  return end;
}

function isHexDigit(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66);
}

function expandGap(bytes: Uint8Array, length: number, gap: number): Uint8Array | undefined {
  if (gap < 0) return length === 16 ? bytes : undefined;
  if (length === 16) return undefined;
  const tail = length - gap;
  bytes.copyWithin(16 - tail, gap, length);
  bytes.fill(0, gap, 16 - tail);
  return bytes;
}

function unmapped(bytes: Uint8Array): Uint8Array {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return bytes;
  return bytes[10] === 0xff && bytes[11] === 0xff ? bytes.subarray(12) : bytes;
}

/** IPv4 addresses whose text is kept: each connection brings several, and nearly all have been seen before. */
const MAX_KNOWN = 1024;
const texts = new Remembered(MAX_KNOWN, ipv4Text);

/** Of four bytes from `at`. */
export function ipv4At(bytes: Uint8Array, at: number): string {
  return texts.of((groupAtByte(bytes, at) << 16) | groupAtByte(bytes, at + 2));
}

function ipv4Text(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 0xff}.${(address >>> 8) & 0xff}.${address & 0xff}`;
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. */
function formatIpv6(bytes: Uint8Array): string {
  let runStart = -1;
  let runLength = 1;
  for (let g = 0; g < 8; g++) {
    let end = g;
    while (end < 8 && groupAt(bytes, end) === 0) end++;
    if (end - g > runLength) {
      runStart = g;
      runLength = end - g;
    }
    if (end > g) g = end;
  }
  let text = '';
  for (let g = 0; g < 8; g++) {
    if (g === runStart) {
      text += '::';
      g += runLength - 1;
      continue;
    }
    if (text !== '' && !text.endsWith(':')) text += ':';
    text += groupAt(bytes, g).toString(16);
  }
  return text;
}

function groupAt(bytes: Uint8Array, group: number): number {
  return groupAtByte(bytes, group * 2);
}

function groupAtByte(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

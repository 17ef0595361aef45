import type { SocketEndpoint } from '../engine/channel.ts';
import { canonicalIp, formatHostPort, isIpv6, parseHostPort } from '../workload/ip.ts';

/** RFC 7239, first element only. */
export interface Forwarded {
  /** Address of the original source; undefined when it is obfuscated (`_hidden`, `unknown`) or has no address form. */
  readonly source: SocketEndpoint | undefined;
  /** The destination's name where the client knew it; empty otherwise. */
  readonly host: string;
}

const MAX_BYTES = 1024;
const HOST = /^[A-Za-z0-9._:[\]-]{1,260}$/;
/** A pair with a quoted or a plain value. Plain values may hold `:` and brackets, which peers send unquoted. */
const PAIR = /[ \t]*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))[ \t]*(?:([;,])|$)/y;

/** Undefined when it does not parse. A port of 0 stands for an address without port. */
export function parseForwarded(text: string): Forwarded | undefined {
  if (text.length > MAX_BYTES || text === '') return undefined;
  let source: SocketEndpoint | undefined;
  let host = '';
  PAIR.lastIndex = 0;
  for (;;) {
    const pair = PAIR.exec(text);
    if (pair === null) return undefined;
    const [, name = '', quoted, plain = '', separator] = pair;
    const value = quoted === undefined ? plain : quoted.replace(/\\(.)/g, '$1');
    const parameter = name.toLowerCase();
    if (parameter === 'for') source ??= parseNode(value);
    else if (parameter === 'host' && host === '' && HOST.test(value)) host = value;
    if (separator !== ';') return { source, host };
  }
}

/** `for=10.0.0.1:40000`; IPv6 and names with a port are quoted, as the RFC asks. */
export function formatForwarded(forwarded: Forwarded): string {
  const node = forwarded.source === undefined ? '' : formatNode(forwarded.source);
  const host = HOST.test(forwarded.host) ? formatHost(forwarded.host) : '';
  return node !== '' && host !== '' ? `${node};${host}` : node + host;
}

function formatNode({ ip, port }: SocketEndpoint): string {
  const node = formatHostPort(ip, port);
  return isIpv6(ip) ? `for="${node}"` : `for=${node}`;
}

function formatHost(host: string): string {
  return host.includes(':') ? `host="${host}"` : `host=${host}`;
}

function parseNode(text: string): SocketEndpoint | undefined {
  const parts = parseHostPort(text);
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  const ip = canonicalIp(parts?.host ?? bare);
  return ip === undefined ? undefined : { ip, port: parts?.port ?? 0 };
}

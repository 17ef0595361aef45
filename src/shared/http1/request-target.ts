import { BadMessage } from './bad-message.ts';

export interface RequestTarget {
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
}

/**
 * Joins request target and Host into what the request is for (RFC 9112 §3.2, §3.3). `target` is visible ASCII without `#`.
 * @param host value of Host; undefined only for HTTP/1.0
 * @throws BadMessage when a form does not fit the method, or target and Host do not agree
 */
export function resolveTarget(
  method: string,
  target: string,
  host: string | undefined,
  scheme: string,
): RequestTarget {
  if (host !== undefined && !isAuthority(host)) throw new BadMessage(400, 'malformed Host');
  if (method === 'CONNECT') return connectTarget(target, host);
  if (target.charCodeAt(0) === 0x2f) return { scheme, authority: host ?? '', path: target };
  if (target === '*' && method === 'OPTIONS') return { scheme, authority: host ?? '', path: '*' };
  return absoluteTarget(method, target, host);
}

/**
 * RFC 9112 §3.2.3. Host, when sent, says the same (a client must do so, RFC 9110 §7.2), perhaps without the port, as many a
 * client library has it.
 */
function connectTarget(target: string, host: string | undefined): RequestTarget {
  if (!isConnectTarget(target)) throw new BadMessage(400, 'malformed CONNECT target');
  if (host !== undefined && !sameAuthority(host, target) && !sameAuthority(host, hostOf(target)))
    throw new BadMessage(400, 'Host is not the CONNECT target');
  return { scheme: '', authority: target, path: '' };
}

function absoluteTarget(method: string, target: string, host: string | undefined): RequestTarget {
  const colon = target.indexOf('://');
  const scheme = target.slice(0, Math.max(0, colon)).toLowerCase();
  if (scheme !== 'http' && scheme !== 'https') throw new BadMessage(400, 'malformed request target');
  const start = colon + 3;
  let stop = start;
  while (stop < target.length && target[stop] !== '/' && target[stop] !== '?') stop++;
  const authority = target.slice(start, stop);
  if (!isAuthority(authority)) throw new BadMessage(400, 'malformed host in the request target');
  // RFC 9112 §3.2.2 lets the target win. Two hosts in one request is how caches and policies are fooled, and no honest
  // client sends them.
  if (host !== undefined && !sameAuthority(host, authority)) {
    throw new BadMessage(400, 'Host is not the host of the request target');
  }
  const rest = target.slice(stop);
  if (rest === '' && method === 'OPTIONS') return { scheme, authority, path: '*' };
  return { scheme, authority, path: rest.startsWith('/') ? rest : `/${rest}` };
}

function sameAuthority(a: string, b: string): boolean {
  return a === b || a.toLowerCase() === b.toLowerCase();
}

/**
 * `host [":" port]` with a host of letters, digits and `-._~%`, or an address in brackets. Stricter than RFC 3986: user
 * information, sub-delims (a comma would pass for two hosts) and an empty port are refused.
 */
export function isAuthority(text: string): boolean {
  if (text.length === 0 || text.length > 260) return false;
  if (text.charCodeAt(0) === 0x5b) return isBracketed(text);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x3a) return i > 0 && isPort(text, i + 1);
    if (!isHostOctet(code)) return false;
  }
  return true;
}

function isBracketed(text: string): boolean {
  const close = text.indexOf(']');
  if (close < 3) return false;
  for (let i = 1; i < close; i++) {
    const code = text.charCodeAt(i) | 0x20;
    const hex = (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66);
    if (!hex && text[i] !== ':' && text[i] !== '.') return false;
  }
  return close + 1 === text.length || (text.charCodeAt(close + 1) === 0x3a && isPort(text, close + 2));
}

function isHostOctet(code: number): boolean {
  if (code >= 0x30 && code <= 0x39) return true;
  const lower = code | 0x20;
  if (lower >= 0x61 && lower <= 0x7a && code < 0x7f) return true;
  return code === 0x2d || code === 0x2e || code === 0x5f || code === 0x7e || code === 0x25;
}

function isPort(text: string, from: number): boolean {
  if (from === text.length || text.length - from > 5) return false;
  let port = 0;
  for (let i = from; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= 65535;
}

/**
 * `host:port` of a CONNECT (RFC 9110 §9.3.6), in the one way it can be written: a policy compares the text, and what the next
 * proxy makes of a percent-encoded host or a port with zeros in front is its own affair.
 */
export function isConnectTarget(authority: string): boolean {
  return isAuthority(authority) && !authority.includes('%') && /:[1-9][0-9]{0,4}$/.test(authority);
}

function hostOf(target: string): string {
  return target.slice(0, target.lastIndexOf(':'));
}

import type { RequestHead } from '#shared/http/exchange.ts';
import { getHeader } from '#shared/http/headers.ts';
import type { HashCookie, HashSource } from '#shared/route/traffic-policy.ts';
import { NO_HASH } from './choice.ts';
import { readCookie } from '#shared/http/cookie.ts';
import { hashText } from './text-hash.ts';

/** A cookie that the client is to be given, so that its next requests go where this one goes. */
export interface NewCookie {
  readonly cookie: HashCookie;
  readonly value: string;
}

/** `hash`: 32 bits, or `NO_HASH`. */
export interface RequestHash {
  readonly hash: number;
  readonly newCookie: NewCookie | undefined;
}

const NOTHING: RequestHash = Object.freeze({ hash: NO_HASH, newCookie: undefined });

/**
 * What a request is balanced by: the hashes of all its sources that are there, combined; after a terminal one the rest is
 * not looked at. Pure.
 *
 * @param sourceAddress `ip:port` of the client
 * @param random in [0, 1), for a cookie that is to be made
 */
export function hashRequest(
  sources: readonly HashSource[],
  request: Pick<RequestHead, 'headers' | 'path' | 'authority' | 'method'>,
  sourceAddress: string,
  random: number,
): RequestHash {
  let hash = NO_HASH;
  let newCookie: NewCookie | undefined;
  for (const source of sources) {
    let value = valueOf(source, request, sourceAddress);
    if (value === undefined && source.kind === 'cookie' && source.cookie.ttlMs !== undefined) {
      value = makeCookieValue(sourceAddress, random);
      newCookie = { cookie: source.cookie, value };
    }
    if (value === undefined) continue;
    const own = hashText(value);
    hash = hash === NO_HASH ? own : (((hash << 1) | (hash >>> 31)) ^ own) >>> 0;
    if (source.terminal) break;
  }
  return hash === NO_HASH ? NOTHING : { hash, newCookie };
}

function valueOf(
  source: HashSource,
  { authority, headers, method, path }: Parameters<typeof hashRequest>[1],
  sourceAddress: string,
): string | undefined {
  switch (source.kind) {
    case 'header':
      if (source.name === ':authority' || source.name === 'host') return authority;
      if (source.name === ':path') return path;
      return source.name === ':method' ? method : getHeader(headers, source.name);
    case 'cookie':
      return readCookie(headers, source.cookie.name);
    case 'query':
      return (
        new URLSearchParams(path.slice(path.indexOf('?') + 1 || path.length)).get(source.name) ?? undefined
      );
    case 'source_ip':
      return sourceAddress.slice(0, sourceAddress.lastIndexOf(':'));
  }
}

/** Nobody can tell from it where the client is, and two clients hardly get the same. */
function makeCookieValue(sourceAddress: string, random: number): string {
  const upper = Math.floor(random * 2 ** 32);
  const lower = hashText(sourceAddress, upper);
  return upper.toString(16).padStart(8, '0') + lower.toString(16).padStart(8, '0');
}

/** The field `set-cookie` of a cookie made here. A lifetime of 0 is that of the browser's session. */
export function formatNewCookie({ cookie, value }: NewCookie): string {
  const seconds = Math.ceil((cookie.ttlMs ?? 0) / 1_000);
  const parts = [`${cookie.name}="${value}"`];
  if (seconds > 0) parts.push(`Max-Age=${seconds}`);
  if (cookie.path !== undefined) parts.push(`Path=${cookie.path}`);
  for (const { name, value: text } of cookie.attributes) parts.push(text === '' ? name : `${name}=${text}`);
  if (!cookie.attributes.some(({ name }) => name.toLowerCase() === 'httponly')) parts.push('HttpOnly');
  return parts.join('; ');
}

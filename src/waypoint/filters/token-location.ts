import type { RequestHead } from '#shared/http/exchange.ts';
import { removeHeader } from '#shared/http/headers.ts';
import { queryValue, withoutQueryValue } from '#shared/route/query.ts';
import type { TokenLocation } from '#shared/route/token-issuer.ts';
import { readCookie, withoutCookie } from '#shared/http/cookie.ts';

type TokenRequest = Pick<RequestHead, 'headers' | 'path'>;

/** The text at one place a token may be; undefined when there is none. */
export function tokenAt(location: TokenLocation, request: TokenRequest): string | undefined {
  switch (location.kind) {
    case 'header':
      return headerToken(location.name, location.prefix, request.headers);
    case 'query':
      return nonEmpty(queryValue(request.path, location.name));
    case 'cookie':
      return nonEmpty(readCookie(request.headers, location.name));
  }
}

/** Takes it away, so that the upstream does not get to see it. */
export function removeToken(location: TokenLocation, request: TokenRequest): void {
  switch (location.kind) {
    case 'header':
      removeHeader(request.headers, location.name);
      return;
    case 'query':
      request.path = withoutQueryValue(request.path, location.name);
      return;
    case 'cookie':
      withoutCookie(request.headers, location.name);
      return;
  }
}

/** The scheme of `Authorization` is compared without case (RFC 9110 §11.1); a value without the prefix is no token. */
function headerToken(name: string, prefix: string, headers: readonly string[]): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== name) continue;
    const value = headers[i + 1] ?? '';
    if (value.slice(0, prefix.length).toLowerCase() !== prefix.toLowerCase()) continue;
    const token = nonEmpty(value.slice(prefix.length).trim());
    if (token !== undefined) return token;
  }
  return undefined;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

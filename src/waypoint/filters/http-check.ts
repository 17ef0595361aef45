import type { RequestHead } from '#shared/http/exchange.ts';
import { getHeader, type HeaderList, setHeader } from '#shared/http/headers.ts';
import type { ExternalAuthorizer } from '#shared/route/external-authorizer.ts';
import type { HeaderValue } from '#shared/route/route-filter.ts';
import type { CalloutOutcome } from '../callout/callout.ts';
import type { AuthorizerVerdict } from './authorizer-verdict.ts';
import { isSettable, matchesName } from './header-names.ts';

/** The head that an authorizer of protocol `http` gets: the client's, as far as it is to be seen. */
export function checkHead(
  request: RequestHead,
  { addedHeaders, pathPrefix, requestHeaders }: ExternalAuthorizer,
  bodyBytes: number,
): RequestHead {
  const headers: HeaderList = [];
  for (let i = 0; i < request.headers.length; i += 2) {
    const name = request.headers[i] ?? '';
    if (name === 'authorization' || matchesName(requestHeaders, name))
      headers.push(name, request.headers[i + 1] ?? '');
  }
  for (const { name, value } of addedHeaders) setHeader(headers, name, value);
  return {
    // An extended CONNECT is judged as the GET it would be over HTTP/1.1, as everywhere.
    method: request.method === 'CONNECT' ? 'GET' : request.method,
    scheme: request.scheme === '' ? 'http' : request.scheme,
    authority: request.authority,
    path: pathPrefix + request.path,
    headers,
    protocol: 'HTTP/1.1',
    upgrade: undefined,
    contentLength: bodyBytes,
    expectContinue: false,
  };
}

/** 200 allows; an error of the server is no answer; anything else refuses, in the authorizer's own words. */
export function readCheckResponse(
  outcome: CalloutOutcome,
  authorizer: ExternalAuthorizer,
): AuthorizerVerdict {
  if (!outcome.ok) return { kind: 'error', reason: outcome.reason };
  const { body, headers, status } = outcome;
  if (status >= 500) return { kind: 'error', reason: `it answered ${status}` };
  if (status !== 200) return { kind: 'deny', status, headers: deniedHeaders(headers, authorizer), body };
  const upstream = matching(headers, name => matchesName(authorizer.headersToUpstream, name));
  const remove = (getHeader(headers, TO_REMOVE) ?? '').split(',').map(name => name.trim().toLowerCase());
  const downstream = matching(headers, name => matchesName(authorizer.headersToDownstreamOnAllow, name));
  return {
    kind: 'allow',
    request: {
      set: upstream,
      add: [],
      remove: remove.filter(name => name !== '' && name !== 'host' && !name.startsWith(':')),
    },
    response: { set: [], add: downstream, remove: [] },
  };
}

const TO_REMOVE = 'x-envoy-auth-headers-to-remove';

/** A client could not do without these, whatever is listed. */
const ALWAYS_ON_DENY: ReadonlySet<string> = new Set(['location', 'www-authenticate', 'content-type']);

function deniedHeaders(
  headers: readonly string[],
  { headersToDownstreamOnDeny }: ExternalAuthorizer,
): readonly HeaderValue[] {
  const all = headersToDownstreamOnDeny.length === 0;
  return matching(
    headers,
    name => all || ALWAYS_ON_DENY.has(name) || matchesName(headersToDownstreamOnDeny, name),
  );
}

function matching(headers: readonly string[], isMeant: (name: string) => boolean): HeaderValue[] {
  const found: HeaderValue[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    if (isMeant(name) && isSettable(name, value)) found.push({ name, value });
  }
  return found;
}

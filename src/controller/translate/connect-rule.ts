import { holdsWithoutPath, namesConnect } from '#shared/route/connect-match.ts';
import type { RouteMatch } from '#shared/route/model.ts';
import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from './decode.ts';

/**
 * What a rule that names CONNECT asks for in vain: it has neither path nor query, where its tunnel leads has been judged before
 * the rule is followed, and what the tunnel carries is no request. All of it holds for the other requests of the rule.
 */

/** @param keys the fields of the match where they stand */
export function sayOfConnectMatch(
  fields: Fields,
  { method, path, query }: Pick<RouteMatch, 'method' | 'path' | 'query'>,
  keys: { readonly path: string; readonly query: string },
): void {
  if (method !== 'CONNECT') return;
  const fix = 'remove it, or CONNECT';
  if (path !== undefined && !holdsWithoutPath(path))
    fields.ignore(keys.path, 'is asked of a CONNECT, which has no path: the match takes none', fix);
  if (query.length > 0)
    fields.ignore(keys.query, 'is asked of a CONNECT, which has no query: the match takes none', fix);
}

/** A filter by the field it is set in. */
export interface AskedFilter {
  readonly key: string;
  readonly filter: RouteFilter | { readonly kind: 'mirror' };
}

export function sayOfConnectFilters(
  fields: Fields,
  matches: readonly RouteMatch[],
  asked: readonly AskedFilter[],
): void {
  if (!matches.some(namesConnect)) return;
  const said = new Set<string>();
  for (const { filter, key } of asked) {
    const reason = inVain(filter);
    if (reason === undefined || said.has(reason)) continue;
    said.add(reason);
    fields.ignore(key, reason, 'give CONNECT a rule of its own, without it');
  }
}

function inVain(filter: AskedFilter['filter']): string | undefined {
  switch (filter.kind) {
    case 'mirror':
      return 'copies no CONNECT: its tunnel has one other end';
    case 'rewrite':
      return 'does not change a CONNECT: policies have judged where its tunnel leads';
    case 'request_headers':
      return changesHost(filter.change)
        ? 'does not change the host of a CONNECT: policies have judged where its tunnel leads'
        : undefined;
    case 'redirect':
      return 'answers a CONNECT as well, and no client looks for its tunnel elsewhere';
    case 'direct_response':
      return promisesTunnel(filter.status) ? PROMISES : undefined;
    case 'fault':
      return filter.fault.abort?.with.kind === 'http_status' && promisesTunnel(filter.fault.abort.with.status)
        ? PROMISES
        : undefined;
    case 'external_authorization':
      return filter.authorizer.protocol === 'http'
        ? 'cannot ask over HTTP about a CONNECT, which is answered with 403'
        : undefined;
    case 'response_headers':
    case 'cors':
    case 'local_rate_limit':
    case 'global_rate_limit':
      return undefined;
  }
}

const PROMISES = 'would promise a CONNECT a tunnel: it is answered with 403';

function promisesTunnel(status: number): boolean {
  return status >= 200 && status < 300;
}

function changesHost({ add, set }: Extract<RouteFilter, { kind: 'request_headers' }>['change']): boolean {
  return [...add, ...set].some(({ name }) => name === 'host' || name === ':authority');
}

import {
  ANY_REQUEST,
  NO_TIMEOUTS,
  PLAIN_RULE,
  type RouteBackend,
  type RouteMatch,
  type RouteTimeouts,
  type SessionPersistence,
} from '#shared/route/model.ts';
import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { RankedRule } from '#shared/route/precedence.ts';
import { sayOfConnectFilters } from '../connect-rule.ts';
import type { Fields } from '../decode.ts';
import { readBackendRef, sayIfNowhere } from '../gateway-route/backend-ref.ts';
import type { RouteContext } from '../gateway-route/route-context.ts';
import { ranked, ruleName } from '../gateway-route/route-fields.ts';
import { readSession, sessionName } from '../gateway-route/session-persistence.ts';
import { refusedRule, withBackendFilters } from '../gateway-route/unresolved-filter.ts';
import { readBackendFilters, readFilters } from './filter.ts';
import { readMatch } from './match.ts';
import { readRetry } from './retry.ts';

export function readRule(fields: Fields, index: number, context: RouteContext): RankedRule {
  const name = ruleName(fields, index, context);
  const matches = fields.objects('matches', readMatch);
  const { filters, unresolved } = readFilters(fields, matches, context);
  sayOfConnectFilters(
    fields,
    matches,
    filters.map(filter => ({ key: 'filters', filter })),
  );
  const backends = fields.objects('backendRefs', backend => {
    const read = readBackendFilters(backend, context);
    return withBackendFilters(readBackendRef(backend, context, read.filters), read);
  });
  checkRedirect(fields, filters, backends);
  if (!unresolved && !filters.some(({ kind }) => kind === 'redirect'))
    sayIfNowhere(fields, backends, context);
  const rule = {
    ...PLAIN_RULE,
    name,
    // Gateway API: no match at all is a match of the prefix "/".
    matches: matches.length > 0 ? matches : [{ ...ANY_REQUEST, path: ROOT }],
    filters,
    backends,
    timeouts: readTimeouts(fields),
    retry: fields.object('retry', readRetry),
    session: fields.object('sessionPersistence', of => withPath(readSession(of, sessionName(name)), matches)),
  };
  return ranked(unresolved ? refusedRule(rule) : rule, index, context);
}

/** The cookie of a rule for one path is sent with requests for that path alone: other rules have sessions of their own. */
function withPath(session: SessionPersistence, matches: readonly RouteMatch[]): SessionPersistence {
  const [only] = matches;
  const path = matches.length === 1 ? only?.path : undefined;
  return path?.kind === 'exact' || path?.kind === 'prefix' ? { ...session, path: path.value } : session;
}

const ROOT = { kind: 'prefix', value: '/', ignoreCase: false } as const;

function checkRedirect(
  fields: Fields,
  filters: readonly RouteFilter[],
  backends: readonly RouteBackend[],
): void {
  if (backends.length > 0 && filters.some(filter => filter.kind === 'redirect')) {
    fields.reject('backendRefs', 'cannot be together with a RequestRedirect', 'remove one of the two');
  }
}

function readTimeouts(rule: Fields): RouteTimeouts {
  const timeouts = rule.object('timeouts', fields => {
    const requestMs = orNone(fields.durationMs('request', '10s'));
    const backendRequestMs = orNone(fields.durationMs('backendRequest', '2s'));
    if (requestMs !== undefined && (backendRequestMs ?? 0) > requestMs) {
      fields.reject(
        'backendRequest',
        'is longer than request',
        'make it at most as long: it is the time of one try',
      );
    }
    return { ...NO_TIMEOUTS, requestMs, backendRequestMs };
  });
  return timeouts ?? NO_TIMEOUTS;
}

/** Gateway API: a timeout of 0 is none. */
function orNone(ms: number | undefined): number | undefined {
  return ms === 0 ? undefined : ms;
}

import {
  ANY_REQUEST,
  NO_TIMEOUTS,
  PLAIN_RULE,
  type RouteBackend,
  type RouteTimeouts,
} from '#shared/route/model.ts';
import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { RankedRule } from '#shared/route/precedence.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import type { Fields } from '../decode.ts';
import type { ServiceLookup } from '../service-lookup.ts';
import { readBackendRef } from './backend-ref.ts';
import { readFilters } from './filter.ts';
import { readMatch } from './match.ts';
import { readRetry } from './retry.ts';

export interface RuleContext {
  readonly route: KubeObject;
  readonly services: ServiceLookup;
  /** Backends that could not be resolved. */
  readonly unresolved: string[];
}

export function readRule(fields: Fields, index: number, context: RuleContext): RankedRule {
  const { route } = context;
  const { name, namespace, creationTimestamp } = route.metadata;
  const label = fields.string('name') ?? String(index);
  const matches = fields.objects('matches', readMatch);
  const filters = readFilters(fields, matches);
  const backends = fields.objects('backendRefs', backend => readBackendRef(backend, context));
  checkRedirect(fields, filters, backends);
  fields.unsupported('sessionPersistence', 'remove it; requests of one session may reach any endpoint');
  const rule = {
    ...PLAIN_RULE,
    name: `HTTPRoute/${namespace}/${name}/${label}`,
    // Gateway API: no match at all is a match of the prefix "/".
    matches: matches.length > 0 ? matches : [{ ...ANY_REQUEST, path: ROOT }],
    filters,
    backends,
    timeouts: readTimeouts(fields),
    retry: fields.object('retry', readRetry),
  };
  return { rule, creationTimestamp, namespace, name, ruleIndex: index };
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

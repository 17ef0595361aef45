import type { RouteMatch } from '#shared/route/model.ts';
import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';
import { readFilterType, readHeaderFilter } from '../gateway-route/common-filter.ts';
import { readRedirectFilter } from '../http-route/filter.ts';

const HEADERS = ['RequestHeaderModifier', 'ResponseHeaderModifier'] as const;
/** What a server can do to a request that came in, and to its answer. Where else it could go is not the server's to say. */
const APPLIED = [...HEADERS, 'RequestRedirect'] as const;

export interface InboundFilterContext {
  /** Of the rule. */
  readonly matches: readonly RouteMatch[];
  readonly isGrpc: boolean;
  readonly isForServersAlone: boolean;
}

/**
 * Filters of a rule, as Servers apply them. Others reject a route that is for Servers alone, as with Linkerd; where a parent of another
 * kind may have them, it is said that Servers do not.
 */
export function readInboundFilters(rule: Fields, context: InboundFilterContext): readonly RouteFilter[] {
  const seen = new Set<string>();
  return rule
    .objects('filters', fields => readFilter(fields, seen, context))
    .filter(filter => filter !== undefined);
}

function readFilter(
  fields: Fields,
  seen: Set<string>,
  { isForServersAlone, isGrpc, matches }: InboundFilterContext,
): RouteFilter | undefined {
  const applied = isGrpc ? HEADERS : APPLIED;
  const written = fields.raw('type');
  if (typeof written === 'string' && !applied.some(type => type === written)) {
    const message = 'is no filter that a Server applies';
    const fix = `use one of ${applied.join(', ')}, or attach a route with it to the Service`;
    if (isForServersAlone) fields.reject('type', message, fix);
    else fields.ignore('type', message, fix);
    fields.leave();
    return undefined;
  }
  const type = readFilterType(fields, APPLIED, seen);
  switch (type) {
    case undefined:
      return undefined;
    case 'RequestHeaderModifier':
    case 'ResponseHeaderModifier':
      return readHeaderFilter(type, fields);
    case 'RequestRedirect':
      return readRedirectFilter(fields, matches);
  }
}

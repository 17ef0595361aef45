import type { RouteRule } from '#shared/route/model.ts';
import type { KubeObject } from '../source/kube-object.ts';
import { type Diagnostic, Diagnostics } from './diagnostic.ts';
import { HEDGE } from './mesh-labels.ts';

const ON_TRY_TIMEOUT = 'on-try-timeout';
const FIELD = `metadata.annotations.${HEDGE}`;

export interface HedgedRules<T> {
  readonly rules: readonly T[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * The rules of a route, or of a Service, with what its annotation says of hedging. A rule of which none can come is said: hedging needs a
 * timeout of one try, a longer one of the request, and retries.
 *
 * @param ruleOf the rule in an item; @param withRule the item with another one
 */
export function withHedging<T>(
  object: KubeObject,
  items: readonly T[],
  ruleOf: (item: T) => RouteRule,
  withRule: (item: T, rule: RouteRule) => T,
): HedgedRules<T> {
  const value = object.metadata.annotations[HEDGE];
  if (value === undefined) return { rules: items, diagnostics: [] };
  const said = new Diagnostics(object);
  if (value !== ON_TRY_TIMEOUT) {
    said.ignore(FIELD, value, 'is no way to hedge', `write ${ON_TRY_TIMEOUT}, or remove it`);
    return { rules: items, diagnostics: said.found };
  }
  const why = new Set<string>();
  const rules = items.map(item => {
    const rule = ruleOf(item);
    const missing = missingFor(rule);
    if (missing === undefined) return withRule(item, { ...rule, hedge: 'on_try_timeout' });
    why.add(`has no effect on rule ${rule.name}: ${missing}`);
    return item;
  });
  for (const message of why)
    said.ignore(
      FIELD,
      value,
      message,
      'give the rule a timeout of one try, a longer one of the request, and retries',
    );
  return { rules, diagnostics: said.found };
}

/** Said of the annotation on a Service whose requests follow routes: these say for themselves whether they are hedged. */
export function hedgingWithRoutes(service: KubeObject): readonly Diagnostic[] {
  const value = service.metadata.annotations[HEDGE];
  if (value === undefined) return [];
  const said = new Diagnostics(service);
  said.ignore(
    FIELD,
    value,
    'has no effect: the service has routes',
    'annotate its HTTPRoute, GRPCRoute or VirtualService; a ServiceProfile has no timeout of one try to hedge by',
  );
  return said.found;
}

function missingFor({ retry, timeouts }: RouteRule): string | undefined {
  const tryMs = timeouts.backendRequestMs ?? retry?.perTryTimeoutMs ?? 0;
  const requestMs = timeouts.requestMs ?? timeouts.responseMs ?? 0;
  if (retry?.attempts === 0) return 'it has no retries';
  if (tryMs === 0) return 'one try has no timeout';
  if (requestMs === 0) return 'the request has no timeout';
  return tryMs >= requestMs ? 'one try may take as long as the request' : undefined;
}

import type { RouteRule } from '#shared/route/model.ts';
import type { KubeObject } from '../source/kube-object.ts';
import { type Diagnostic, Diagnostics } from './diagnostic.ts';
import { HEDGE } from './mesh-labels.ts';

const ON_TRY_TIMEOUT = 'on-try-timeout';
const FIELD = `metadata.annotations.${HEDGE}`;

export interface HedgedRules {
  readonly rules: readonly RouteRule[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * The rules of a route, or of a Service, in their order, with what its annotation says of hedging. A rule of which none can come is
 * said: hedging needs a timeout of one try, a longer one of the request, and retries.
 */
export function withHedging(object: KubeObject, rules: readonly RouteRule[]): HedgedRules {
  const value = object.metadata.annotations[HEDGE];
  if (value === undefined) return { rules, diagnostics: [] };
  const said = new Diagnostics(object);
  if (value !== ON_TRY_TIMEOUT) {
    said.ignore(FIELD, value, 'is no way to hedge', `write ${ON_TRY_TIMEOUT}, or remove it`);
    return { rules, diagnostics: said.found };
  }
  const why = new Set<string>();
  const hedged = rules.map((rule): RouteRule => {
    const missing = missingFor(rule);
    if (missing === undefined) return { ...rule, hedge: 'on_try_timeout' };
    why.add(`has no effect on rule ${rule.name}: ${missing}`);
    return rule;
  });
  const fix = 'give the rule a timeout of one try, a longer one of the request, and retries';
  for (const message of why) said.ignore(FIELD, value, message, fix);
  return { rules: hedged, diagnostics: said.found };
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

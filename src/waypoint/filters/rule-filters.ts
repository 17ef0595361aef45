import type { Mirror, RouteFilter } from '#shared/route/route-filter.ts';
import type { RouteRule } from '#shared/route/model.ts';
import { type CompiledCors, compileCors } from './cors.ts';
import { externalAuthorization } from './external-authorization.ts';
import { faultInjection } from './fault-step.ts';
import type { FilterStep } from './filter-step.ts';
import { globalRateLimit } from './global-rate-limit.ts';
import type { LocalRateLimiter } from './local-rate-limit.ts';
import { localRateLimit } from './local-rate-limit-step.ts';

/** The filters of a rule in the order they are applied in, whatever order they are listed in (docs/filters.md). */
export interface RuleFilters {
  readonly cors: CompiledCors | undefined;
  /** External authorization, local limits, global limits, faults. */
  readonly steps: readonly FilterStep[];
  /** Changes of headers and targets, answers. */
  readonly changes: readonly RouteFilter[];
  readonly mirrors: readonly Mirror[];
}

/** @param limiterOf the buckets of the rule's filter with this index */
export function compileRuleFilters(
  rule: Pick<RouteRule, 'filters'>,
  limiterOf: (filter: Extract<RouteFilter, { kind: 'local_rate_limit' }>, index: number) => LocalRateLimiter,
): RuleFilters {
  let cors: CompiledCors | undefined;
  const steps: Record<StepKind, FilterStep[]> = { authorize: [], local: [], global: [], fault: [] };
  const changes: RouteFilter[] = [];
  const mirrors: Mirror[] = [];
  for (const [index, filter] of rule.filters.entries()) {
    switch (filter.kind) {
      case 'cors':
        cors ??= compileCors(filter.cors);
        break;
      case 'external_authorization':
        steps.authorize.push(externalAuthorization(filter.authorizer));
        break;
      case 'local_rate_limit':
        steps.local.push(localRateLimit(limiterOf(filter, index)));
        break;
      case 'global_rate_limit':
        steps.global.push(globalRateLimit(filter.limit));
        break;
      case 'fault':
        steps.fault.push(faultInjection(filter.fault));
        break;
      case 'mirror':
        mirrors.push(filter.mirror);
        break;
      case 'request_headers':
      case 'response_headers':
      case 'redirect':
      case 'rewrite':
      case 'direct_response':
        changes.push(filter);
        break;
    }
  }
  const { authorize, fault, global, local } = steps;
  return { cors, steps: [...authorize, ...local, ...global, ...fault], changes, mirrors };
}

type StepKind = 'authorize' | 'local' | 'global' | 'fault';

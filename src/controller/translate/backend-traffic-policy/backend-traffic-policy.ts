import type { RetryBudgetConfig } from '#shared/route/model.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { isService } from '../gateway-route/parent-ref.ts';

/** What an XBackendTrafficPolicy says of Services of its own namespace. */
export interface BackendTrafficPolicy {
  readonly services: readonly string[];
  readonly retryBudget: RetryBudgetConfig | undefined;
}

const HOUR_MS = 3_600_000;
const DEFAULT_PERCENT = 20;
const DEFAULT_INTERVAL_MS = 10_000;
const DEFAULT_MIN_RATE = 10;

/** Gateway API's policy for backends (experimental channel): the share of requests that may be retries. */
export function translateBackendTrafficPolicy(object: KubeObject): Translated<BackendTrafficPolicy> {
  const diagnostics = new Diagnostics(object);
  const policy = readSpec(object, diagnostics, spec => {
    spec.unsupported('sessionPersistence', 'remove it; requests of one session may reach any endpoint');
    return {
      services: spec.objects('targetRefs', readTarget).filter(name => name !== undefined),
      retryBudget: spec.object('retryConstraint', readConstraint),
    };
  });
  return diagnostics.conclude(policy ?? { services: [], retryBudget: undefined });
}

function readTarget(fields: Fields): string | undefined {
  const group = fields.string('group') ?? '';
  const kind = fields.requiredString('kind');
  const name = fields.requiredString('name');
  if (isService({ group, kind })) return name;
  fields.ignore('kind', `${kind} cannot be a target`, 'name a Service');
  return undefined;
}

function readConstraint(fields: Fields): RetryBudgetConfig {
  const budget = fields.object('budget', inner => ({
    percent: inner.integer('percent', 0, 100) ?? DEFAULT_PERCENT,
    intervalMs: interval(inner, 1000, '10s') ?? DEFAULT_INTERVAL_MS,
  }));
  const minPerSecond = fields.object('minRetryRate', inner => {
    const count = inner.integer('count', 1, 1_000_000) ?? DEFAULT_MIN_RATE;
    return (count * 1000) / (interval(inner, 1, '1s') ?? 1000);
  });
  return {
    ratio: (budget?.percent ?? DEFAULT_PERCENT) / 100,
    minPerSecond: minPerSecond ?? DEFAULT_MIN_RATE,
    ttlMs: budget?.intervalMs ?? DEFAULT_INTERVAL_MS,
  };
}

function interval(fields: Fields, minMs: number, example: string): number | undefined {
  const ms = fields.durationMs('interval', example);
  if (ms === undefined || (ms >= minMs && ms <= HOUR_MS)) return ms;
  fields.reject('interval', `must be from ${minMs} ms to one hour`, `write a time such as ${example}`);
  return undefined;
}

import type { RetryBudgetConfig, SessionPersistence } from '#shared/route/model.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { isService } from '../gateway-route/parent-ref.ts';
import { readSession } from '../gateway-route/session-persistence.ts';

/** What an XBackendTrafficPolicy says of Services of its own namespace. */
export interface BackendTrafficPolicy {
  readonly services: readonly string[];
  readonly retryBudget: RetryBudgetConfig | undefined;
  readonly session: SessionPersistence | undefined;
}

const HOUR_MS = 3_600_000;
const DEFAULT_PERCENT = 20;
const DEFAULT_INTERVAL_MS = 10_000;
const DEFAULT_MIN_RATE = 10;

/** Gateway API's policy for backends (experimental channel): the share of requests that may be retries, and sessions. */
export function translateBackendTrafficPolicy(object: KubeObject): Translated<BackendTrafficPolicy> {
  const diagnostics = new Diagnostics(object);
  const policy = readSpec(object, diagnostics, spec => {
    const { name, namespace } = object.metadata;
    return {
      services: readTargets(spec),
      retryBudget: spec.object('retryConstraint', readConstraint),
      session: spec.object('sessionPersistence', fields =>
        readSession(fields, `ambient-${namespace}-${name}`),
      ),
    };
  });
  return diagnostics.conclude(policy ?? NOTHING);
}

const NOTHING: BackendTrafficPolicy = { services: [], retryBudget: undefined, session: undefined };

function readTargets(spec: Fields): readonly string[] {
  const targets = spec.objects('targetRefs', readTarget);
  if (targets.length === 0) spec.reject('targetRefs', 'is required', 'name the Services it is for');
  return targets.filter(name => name !== undefined);
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

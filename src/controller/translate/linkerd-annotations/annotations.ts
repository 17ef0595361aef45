import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import {
  NO_TIMEOUTS,
  type RetryCondition,
  type RetryPolicy,
  type RouteRule,
  type RouteTimeouts,
} from '#shared/route/model.ts';
import type { FailureAccrual } from '#shared/route/traffic-policy.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { type Diagnostic, Diagnostics } from '../diagnostic.ts';
import { parseDurationMs } from '#shared/config/duration.ts';

/** What Linkerd's annotations on a Service or a route say. A wrong one is said, and counts as not there. */
export interface LinkerdAnnotations {
  readonly retry: RetryPolicy | undefined;
  readonly timeouts: RouteTimeouts | undefined;
  /** Of a Service alone. */
  readonly failureAccrual: FailureAccrual | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

const RETRY = 'retry.linkerd.io';
const TIMEOUT = 'timeout.linkerd.io';
const ACCRUAL = 'balancer.linkerd.io/failure-accrual';
const NOTHING: LinkerdAnnotations = Object.freeze({
  retry: undefined,
  timeouts: undefined,
  failureAccrual: undefined,
  diagnostics: [],
});

export function readLinkerdAnnotations(object: KubeObject): LinkerdAnnotations {
  const { annotations } = object.metadata;
  const relevant = Object.keys(annotations).some(
    key => key.startsWith(`${RETRY}/`) || key.startsWith(`${TIMEOUT}/`) || key.startsWith(ACCRUAL),
  );
  if (!relevant) return NOTHING;
  const reader = new AnnotationReader(object);
  return {
    retry: readRetry(reader),
    timeouts: readTimeouts(reader),
    failureAccrual: readAccrual(reader),
    diagnostics: reader.diagnostics.found,
  };
}

/** The rule with what the annotations add: what it says itself holds. */
export function withAnnotations(rule: RouteRule, { retry, timeouts }: LinkerdAnnotations): RouteRule {
  const own = rule.timeouts;
  return {
    ...rule,
    retry: rule.retry ?? retry,
    timeouts: {
      requestMs: own.requestMs ?? timeouts?.requestMs,
      backendRequestMs: own.backendRequestMs ?? timeouts?.backendRequestMs,
      responseMs: own.responseMs ?? timeouts?.responseMs,
      idleMs: own.idleMs ?? timeouts?.idleMs,
    },
  };
}

class AnnotationReader {
  readonly diagnostics: Diagnostics;
  readonly #annotations: Readonly<Record<string, string>>;

  constructor(object: KubeObject) {
    this.diagnostics = new Diagnostics(object);
    this.#annotations = object.metadata.annotations;
  }

  text(key: string): string | undefined {
    return this.#annotations[key];
  }

  refuse(key: string, message: string, fix: string): undefined {
    this.diagnostics.ignore(`metadata.annotations.${key}`, this.text(key), message, fix);
    return undefined;
  }

  durationMs(key: string): number | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    return (
      parseDurationMs(text) ?? this.refuse(key, 'is not a duration and has no effect', 'write such as 300ms')
    );
  }

  number(key: string, min: number, max: number): number | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    return this.refuse(key, `is no number from ${min} to ${max} and has no effect`, 'change it');
  }
}

const GRPC: ReadonlyMap<string, RetryCondition> = new Map([
  ['cancelled', 'grpc_cancelled'],
  ['deadline-exceeded', 'grpc_deadline_exceeded'],
  ['internal', 'grpc_internal'],
  ['resource-exhausted', 'grpc_resource_exhausted'],
  ['unavailable', 'grpc_unavailable'],
]);

/** Linkerd's default is one retry. */
const DEFAULT_LIMIT = 1;
const MAX_LIMIT = 100;

function readRetry(reader: AnnotationReader): RetryPolicy | undefined {
  const on = new Set<RetryCondition>();
  const statusCodes = new Set<number>();
  readHttpConditions(reader, on, statusCodes);
  const grpc = reader.text(`${RETRY}/grpc`);
  for (const name of listOf(grpc)) {
    const condition = GRPC.get(name);
    if (condition !== undefined) on.add(condition);
    else
      reader.refuse(
        `${RETRY}/grpc`,
        `"${name}" is no gRPC status to retry on`,
        `use ${[...GRPC.keys()].join(', ')}`,
      );
  }
  const limit = reader.number(`${RETRY}/limit`, 0, MAX_LIMIT);
  const perTryTimeoutMs = reader.durationMs(`${RETRY}/timeout`);
  if (on.size === 0) return undefined;
  return {
    ...DEFAULT_RETRY_POLICY,
    attempts: limit ?? DEFAULT_LIMIT,
    on: [...on],
    statusCodes: [...statusCodes].sort((a, b) => a - b),
    perTryTimeoutMs,
  };
}

function readHttpConditions(
  reader: AnnotationReader,
  on: Set<RetryCondition>,
  statusCodes: Set<number>,
): void {
  const key = `${RETRY}/http`;
  for (const name of listOf(reader.text(key))) {
    const [, low, high = low] = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(name) ?? [];
    if (name === '5xx') on.add('5xx');
    else if (name === 'gateway-error') on.add('gateway_error');
    else if (low !== undefined && Number(low) <= Number(high)) {
      on.add('retriable_status_codes');
      for (let status = Number(low); status <= Number(high); status++) statusCodes.add(status);
    } else
      reader.refuse(
        key,
        `"${name}" is nothing to retry on`,
        'use 5xx, gateway-error, or statuses such as 500-504',
      );
  }
}

function listOf(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map(name => name.trim().toLowerCase())
    .filter(name => name !== '');
}

function readTimeouts(reader: AnnotationReader): RouteTimeouts | undefined {
  const [requestMs, responseMs, idleMs] = [
    reader.durationMs(`${TIMEOUT}/request`),
    reader.durationMs(`${TIMEOUT}/response`),
    reader.durationMs(`${TIMEOUT}/idle`),
  ];
  if (requestMs === undefined && responseMs === undefined && idleMs === undefined) return undefined;
  return { ...NO_TIMEOUTS, requestMs, responseMs, idleMs };
}

/** Linkerd's defaults. */
function readAccrual(reader: AnnotationReader): FailureAccrual | undefined {
  const mode = reader.text(ACCRUAL);
  const maxFailures = reader.number(`${ACCRUAL}-consecutive-max-failures`, 1, 1_000_000) ?? 7;
  const minPenaltyMs = reader.durationMs(`${ACCRUAL}-consecutive-min-penalty`) ?? 1000;
  const maxPenaltyMs = reader.durationMs(`${ACCRUAL}-consecutive-max-penalty`) ?? 60_000;
  const jitter = reader.number(`${ACCRUAL}-consecutive-jitter-ratio`, 0, 100) ?? 0.5;
  if (minPenaltyMs > maxPenaltyMs)
    return reader.refuse(`${ACCRUAL}-consecutive-min-penalty`, 'is longer than the longest', 'shorten it');
  const penalty = { minPenaltyMs, maxPenaltyMs, jitter: Math.min(1, jitter) };
  switch (mode) {
    case undefined:
      return undefined;
    case 'consecutive':
      return { when: { kind: 'consecutive', failures: maxFailures }, ...penalty };
    case 'unified':
      return {
        when: { kind: 'success_rate', threshold: 0.8, windowMs: 10_000, minRequests: 5 },
        ...penalty,
      };
    default:
      return reader.refuse(ACCRUAL, 'is no mode of failure accrual', 'use consecutive or unified');
  }
}

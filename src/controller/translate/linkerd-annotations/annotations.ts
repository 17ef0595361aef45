import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import {
  NO_TIMEOUTS,
  type RetryCondition,
  type RetryPolicy,
  type RouteRule,
  type RouteTimeouts,
} from '#shared/route/model.ts';
import type { FailureAccrual, FailurePenalty } from '#shared/route/traffic-policy.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import type { Diagnostic } from '../diagnostic.ts';
import { GRPC_RETRY_CONDITIONS } from '../grpc-retry-conditions.ts';
import { AnnotationReader } from './annotation-reader.ts';
import { readAccrual } from './failure-accrual.ts';
import { readFailurePenalty } from './failure-penalty.ts';

/** What Linkerd's annotations on a Service or a route say. A wrong one is said, and counts as not there. */
export interface LinkerdAnnotations {
  readonly retry: RetryPolicy | undefined;
  readonly timeouts: RouteTimeouts | undefined;
  /** Of a Service alone. */
  readonly failureAccrual: FailureAccrual | undefined;
  /** Of a Service alone: it is balanced by latency, and this is what a failure counts as. */
  readonly failurePenalty: FailurePenalty | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

const RETRY = 'retry.linkerd.io';
const TIMEOUT = 'timeout.linkerd.io';
const PREFIXES = [`${RETRY}/`, `${TIMEOUT}/`, 'balancer.linkerd.io/', 'balancer.alpha.linkerd.io/'];
const NOTHING: LinkerdAnnotations = Object.freeze({
  retry: undefined,
  timeouts: undefined,
  failureAccrual: undefined,
  failurePenalty: undefined,
  diagnostics: [],
});

/** Whether there is something for waypoints to do. */
export function hasLinkerdAnnotations(object: KubeObject): boolean {
  return relevantTo(object).length > 0;
}

function relevantTo({ metadata }: KubeObject): readonly string[] {
  const keys = Object.keys(metadata.annotations);
  return keys.filter(key => PREFIXES.some(prefix => key.startsWith(prefix)));
}

export function readLinkerdAnnotations(object: KubeObject): LinkerdAnnotations {
  const relevant = relevantTo(object);
  if (relevant.length === 0) return NOTHING;
  const reader = new AnnotationReader(object);
  const read = {
    retry: readRetry(reader),
    timeouts: readTimeouts(reader),
    failureAccrual: readAccrual(reader, object.kind),
    failurePenalty: readFailurePenalty(reader, object.kind),
  };
  reader.refuseOthers(relevant);
  return { ...read, diagnostics: reader.diagnostics.found };
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

/** Linkerd's default is one retry. */
const DEFAULT_LIMIT = 1;
const MAX_LIMIT = 100;

function readRetry(reader: AnnotationReader): RetryPolicy | undefined {
  const on = new Set<RetryCondition>();
  const statusCodes = new Set<number>();
  readHttpConditions(reader, on, statusCodes);
  const grpc = reader.text(`${RETRY}/grpc`);
  for (const name of listOf(grpc)) {
    const condition = GRPC_RETRY_CONDITIONS.get(name);
    if (condition !== undefined) on.add(condition);
    else
      reader.refuse(
        `${RETRY}/grpc`,
        `"${name}" is no gRPC status to retry on`,
        `use ${[...GRPC_RETRY_CONDITIONS.keys()].join(', ')}`,
      );
  }
  const limit = reader.integer(`${RETRY}/limit`, 0, MAX_LIMIT);
  const perTryTimeoutMs = reader.durationMs(`${RETRY}/timeout`);
  if (on.size === 0) {
    for (const key of [`${RETRY}/limit`, `${RETRY}/timeout`]) {
      if (reader.text(key) !== undefined && reader.text(`${RETRY}/http`) === undefined && grpc === undefined)
        reader.refuse(
          key,
          'has no effect: nothing says what is tried again',
          `set ${RETRY}/http or ${RETRY}/grpc`,
        );
    }
    return undefined;
  }
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

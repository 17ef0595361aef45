import type { ExchangeErrorCode } from '#shared/http/exchange.ts';
import type { RetryCondition, RetryPolicy } from '#shared/route/model.ts';
import { isIdempotent } from './idempotent.ts';

/** How one try ended, as far as it matters for another. */
export type TryOutcome =
  | {
      readonly kind: 'error';
      readonly code: ExchangeErrorCode;
      /** Some of the request went out. */
      readonly requestSent: boolean;
      /** On a connection that had carried a request before: the upstream may have closed it just then. */
      readonly reusedConnection: boolean;
    }
  | {
      readonly kind: 'response';
      readonly status: number;
      /** From a trailers-only gRPC response: the only place it comes early enough. */
      readonly grpcStatus: number | undefined;
    };

export interface RetryFacts {
  readonly method: string;
  /** The body, as far as it was read, can be sent again (`ReplayBuffer.replayable`). */
  readonly replayable: boolean;
  /** Nothing of a response has gone to the client yet. */
  readonly responseStarted: boolean;
  /** Tries after the first so far. */
  readonly retries: number;
}

/**
 * Whether another try is worth making, by policy alone; the budget is asked after it. Pure. Conditions the policy names
 * hold for every method: whoever names them knows their service. Beyond them only what is certainly, or by the method's
 * meaning, harmless is tried again.
 */
export function shouldRetry(policy: RetryPolicy, outcome: TryOutcome, facts: RetryFacts): boolean {
  if (wasUnsent(outcome) && facts.retries === 0) return facts.replayable && !facts.responseStarted;
  if (facts.retries >= policy.attempts || facts.responseStarted || !facts.replayable) return false;
  if (outcome.kind === 'error' && outcome.code === 'cancelled') return false;
  if (isStaleConnection(outcome) && isIdempotent(facts.method)) return true;
  for (const condition of policy.on) if (meets(condition, outcome, policy.statusCodes)) return true;
  return false;
}

/**
 * An idle connection was found closed before anything of the request had left: to send it on another one is no second try
 * of it, whatever the policy says of those.
 */
export function wasUnsent(outcome: TryOutcome): boolean {
  return outcome.kind === 'error' && outcome.code === 'refused_before_sending' && outcome.reusedConnection;
}

/** The endpoint has certainly done nothing about the request, and may be gone. */
export function wasNotServed(outcome: TryOutcome): boolean {
  if (outcome.kind !== 'error') return false;
  return outcome.code === 'connect_failure' || outcome.code === 'refused_before_sending';
}

/**
 * An idle connection may be closed by the upstream in the moment it is taken for a request (RFC 9112 §9.3.1); nothing is
 * wrong with either.
 */
export function isStaleConnection(outcome: TryOutcome): boolean {
  if (outcome.kind !== 'error' || !outcome.reusedConnection) return false;
  return outcome.code === 'connection_closed' || outcome.code === 'reset' || wasUnsent(outcome);
}

function meets(condition: RetryCondition, outcome: TryOutcome, statusCodes: readonly number[]): boolean {
  return outcome.kind === 'error'
    ? meetsError(condition, outcome.code, outcome.requestSent)
    : meetsResponse(condition, outcome.status, outcome.grpcStatus, statusCodes);
}

function meetsError(condition: RetryCondition, code: ExchangeErrorCode, requestSent: boolean): boolean {
  switch (condition) {
    case 'connect_failure':
      return code === 'connect_failure';
    case 'refused_stream':
      return code === 'refused_before_sending';
    case 'reset_before_request':
      return !requestSent && isBroken(code);
    // As Envoy: a try without a response, of whatever reason, is a reset, and counts as a 502, 503 or 504.
    case 'reset':
    case 'gateway_error':
    case '5xx':
      return isBroken(code) || code === 'connect_failure' || code === 'timeout';
    case 'retriable_4xx':
    case 'retriable_status_codes':
    case 'grpc_cancelled':
    case 'grpc_deadline_exceeded':
    case 'grpc_internal':
    case 'grpc_resource_exhausted':
    case 'grpc_unavailable':
      return false;
  }
}

function isBroken(code: ExchangeErrorCode): boolean {
  return (
    code === 'reset' ||
    code === 'connection_closed' ||
    code === 'refused_before_sending' ||
    code === 'protocol_error'
  );
}

function meetsResponse(
  condition: RetryCondition,
  status: number,
  grpcStatus: number | undefined,
  statusCodes: readonly number[],
): boolean {
  switch (condition) {
    case 'gateway_error':
      return status >= 502 && status <= 504;
    case '5xx':
      return status >= 500 && status <= 599;
    case 'retriable_4xx':
      return status === 409;
    case 'retriable_status_codes':
      return statusCodes.includes(status);
    case 'grpc_cancelled':
      return grpcStatus === 1;
    case 'grpc_deadline_exceeded':
      return grpcStatus === 4;
    case 'grpc_resource_exhausted':
      return grpcStatus === 8;
    case 'grpc_internal':
      return grpcStatus === 13;
    case 'grpc_unavailable':
      return grpcStatus === 14;
    case 'connect_failure':
    case 'refused_stream':
    case 'reset':
    case 'reset_before_request':
      return false;
  }
}

import type { RetryCondition, RetryPolicy } from '../route/model.ts';
import {
  InvalidField,
  readEnums,
  readFlag,
  readNumber,
  readNumbers,
  readOptionalNumber,
  type WireFields,
} from './wire-fields.ts';

/** `ambient.mesh.v1.RetryPolicy` ↔ `RetryPolicy`. */

const CONDITIONS: readonly (RetryCondition | undefined)[] = [
  undefined,
  'connect_failure',
  'refused_stream',
  'reset',
  'reset_before_request',
  'gateway_error',
  '5xx',
  'retriable_4xx',
  'retriable_status_codes',
  'grpc_cancelled',
  'grpc_deadline_exceeded',
  'grpc_internal',
  'grpc_resource_exhausted',
  'grpc_unavailable',
];

/** @throws InvalidField */
export function retryFromWire(wire: WireFields): RetryPolicy {
  return {
    attempts: readNumber(wire, 'attempts'),
    on: readEnums(wire, 'on', CONDITIONS),
    statusCodes: readNumbers(wire, 'status_codes').map(checkStatus),
    perTryTimeoutMs: readOptionalNumber(wire, 'per_try_timeout_ms'),
    backoffBaseMs: readNumber(wire, 'backoff_base_ms'),
    backoffMaxMs: readNumber(wire, 'backoff_max_ms'),
    remoteLocalities: readFlag(wire, 'remote_localities'),
    hostSelectionAttempts: readNumber(wire, 'host_selection_attempts'),
  };
}

export function retryToWire(retry: RetryPolicy): object {
  return {
    attempts: retry.attempts,
    on: retry.on.map(condition => CONDITIONS.indexOf(condition)),
    status_codes: retry.statusCodes,
    per_try_timeout_ms: retry.perTryTimeoutMs,
    backoff_base_ms: retry.backoffBaseMs,
    backoff_max_ms: retry.backoffMaxMs,
    remote_localities: retry.remoteLocalities,
    host_selection_attempts: retry.hostSelectionAttempts,
  };
}

function checkStatus(code: number, i: number): number {
  if (code < 100 || code > 599) throw new InvalidField(`status_codes[${i}]`, `${code} is no HTTP status`);
  return code;
}

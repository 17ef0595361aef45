import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import type { RetryPolicy } from '#shared/route/model.ts';
import type { Fields } from '../decode.ts';

const MAX_ATTEMPTS = 100;

/** Gateway API's retry (GEP-1731): broken connections always, responses by status code. */
export function readRetry(fields: Fields): RetryPolicy {
  const attempts = fields.integer('attempts', 0, MAX_ATTEMPTS) ?? DEFAULT_RETRY_POLICY.attempts;
  const backoffBaseMs = fields.durationMs('backoff', '25ms') ?? DEFAULT_RETRY_POLICY.backoffBaseMs;
  return {
    ...DEFAULT_RETRY_POLICY,
    attempts,
    on: [...DEFAULT_RETRY_POLICY.on, 'reset'],
    statusCodes: readCodes(fields),
    perTryTimeoutMs: undefined,
    backoffBaseMs,
    backoffMaxMs: Math.max(DEFAULT_RETRY_POLICY.backoffMaxMs, backoffBaseMs * 10),
  };
}

function readCodes(fields: Fields): readonly number[] {
  if (!fields.has('codes')) return [];
  const value = fields.raw('codes');
  const codes = Array.isArray(value) ? value.filter(isRetriableCode) : [];
  if (!Array.isArray(value) || codes.length < value.length) {
    fields.reject(
      'codes',
      'must be a list of status codes from 400 to 599',
      'write numbers, such as [502, 503]',
    );
  }
  return codes;
}

function isRetriableCode(code: unknown): code is number {
  return typeof code === 'number' && Number.isInteger(code) && code >= 400 && code <= 599;
}

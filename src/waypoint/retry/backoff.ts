import type { RetryPolicy } from '#shared/route/model.ts';

/**
 * Wait before retry number `retry` (0 is the first): anything up to the exponential bound ("full jitter"), so that the
 * retries of many requests that failed together do not come back together. Pure: `random` is in [0, 1).
 */
export function retryBackoffMs(
  policy: Pick<RetryPolicy, 'backoffBaseMs' | 'backoffMaxMs'>,
  retry: number,
  random: number,
): number {
  return random * Math.min(policy.backoffMaxMs, policy.backoffBaseMs * 2 ** Math.min(retry, 30));
}

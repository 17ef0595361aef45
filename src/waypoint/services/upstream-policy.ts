import type { Clock } from '#shared/lifecycle/clock.ts';
import type { TrafficPolicy } from '#shared/route/traffic-policy.ts';
import type { Service } from '#shared/workload/workload.ts';
import type { PoolLimits } from '../upstream/attempt.ts';
import { type UpstreamConnection, upstreamConnection } from '../upstream/upstream-connection.ts';
import { type SharedUse, shareOf } from '../upstream/shared-use.ts';

/** How connections to endpoints are made, from the traffic policy. */
export interface UpstreamPolicy {
  readonly connection: UpstreamConnection;
  readonly limits: PoolLimits;
}

/** Bounds of one endpoint's pool in one thread where a policy sets none: Envoy's for requests that wait; connections are bounded for our own sake. */
const DEFAULT_MAX_CONNECTIONS = 4096;
const DEFAULT_MAX_PENDING = 1024;

/**
 * What a policy says of connections, for one of `threads` threads. Bounds are of all threads together: each gets its share, at
 * least one. `use` counts against them, and hears what they are now.
 */
export function makeUpstreamPolicy(
  policy: TrafficPolicy,
  service: Service,
  threads: number,
  use: SharedUse,
  clock: Clock,
): UpstreamPolicy {
  const { retryConcurrency } = policy;
  const limits = {
    maxConnections: shareOf(policy.maxConnections, threads),
    maxPending: shareOf(policy.http1MaxPendingRequests, threads),
    maxRequests: shareOf(policy.http2MaxRequests, threads),
    maxRetries: shareOf(policy.maxRetries, threads),
    retryConcurrency: retryConcurrency && {
      ...retryConcurrency,
      minimum: shareOf(retryConcurrency.minimum, threads),
    },
  };
  use.limit(limits, clock);
  return {
    connection: upstreamConnection(policy, service),
    limits: {
      maxConnections: Math.max(DEFAULT_MAX_CONNECTIONS, finite(limits.maxConnections)),
      maxPendingRequests: Math.max(DEFAULT_MAX_PENDING, finite(limits.maxPending)),
      maxRequestsPerConnection: unlessZero(policy.maxRequestsPerConnection),
      maxStreamsPerConnection: unlessZero(policy.maxConcurrentStreams),
      maxConnectionDurationMs: unlessZero(policy.maxConnectionDurationMs),
      // Where nothing is said it is the waypoint's.
      idleTimeoutMs:
        policy.httpIdleTimeoutMs === undefined ? undefined : unlessZero(policy.httpIdleTimeoutMs),
      keepalive: policy.http2Keepalive,
      shared: use,
    },
  };
}

function finite(limit: number): number {
  return limit === Number.POSITIVE_INFINITY ? 0 : limit;
}

/** 0 is no bound. */
function unlessZero(limit: number | undefined): number {
  return limit === undefined || limit === 0 ? Number.POSITIVE_INFINITY : limit;
}

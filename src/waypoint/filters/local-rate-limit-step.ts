import type { FilterStep } from './filter-step.ts';
import { type LocalRateLimiter, rateLimitRefusal } from './local-rate-limit.ts';

export function localRateLimit(limiter: LocalRateLimiter): FilterStep {
  return ({ downstream }, done) => {
    const nowMs = downstream.env.clock.monotonic();
    const empty = limiter.take(downstream.peers.sourceIdentity, nowMs);
    done(empty && rateLimitRefusal(limiter.config.status, empty, nowMs));
    return undefined;
  };
}

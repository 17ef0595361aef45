import type { Sample } from './prometheus-text.ts';

const REQUESTS = 'istio_requests_total';
const DURATION_BUCKET = 'istio_request_duration_milliseconds_bucket';

/** Requests that waypoints counted over some time. */
export interface RequestCount {
  requests: number;
  failures: number;
  /** By upper bound, each with those of the smaller ones in it, as Prometheus has them. */
  readonly buckets: Map<number, number>;
}

export function isOfRequests(name: string): boolean {
  return name === REQUESTS || name === DURATION_BUCKET;
}

export function noRequests(): RequestCount {
  return { requests: 0, failures: 0, buckets: new Map() };
}

/** @param increase of one of the metrics of requests; what is of another changes nothing */
export function countRequests(count: RequestCount, { labels, name, value }: Sample): void {
  if (name === DURATION_BUCKET) {
    const bound = labels.get('le') === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.get('le'));
    count.buckets.set(bound, (count.buckets.get(bound) ?? 0) + value);
  } else if (name === REQUESTS) {
    count.requests += value;
    if (isFailure(labels)) count.failures += value;
  }
}

export function addRequests(count: RequestCount, more: RequestCount): void {
  count.requests += more.requests;
  count.failures += more.failures;
  for (const [bound, n] of more.buckets) count.buckets.set(bound, (count.buckets.get(bound) ?? 0) + n);
}

/** A 5xx, no answer at all (code 0), or a gRPC status other than OK. */
function isFailure(labels: ReadonlyMap<string, string>): boolean {
  const code = Number(labels.get('response_code') ?? '0');
  if (code === 0 || code >= 500) return true;
  const grpc = labels.get('grpc_response_status');
  return grpc !== undefined && grpc !== '' && grpc !== '0';
}

/** Of 1; undefined where there were no requests. */
export function successRate({ failures, requests }: RequestCount): number | undefined {
  return requests > 0 ? Math.max(0, requests - failures) / requests : undefined;
}

/** Linear within the bucket the rank falls into, as Prometheus' histogram_quantile. */
export function latencyQuantile({ buckets }: RequestCount, q: number): number | undefined {
  const bounds = [...buckets].sort(([a], [b]) => a - b);
  const total = bounds.at(-1)?.[1] ?? 0;
  if (total <= 0) return undefined;
  const rank = q * total;
  let [lower, below] = [0, 0];
  for (const [bound, count] of bounds) {
    if (count >= rank) {
      if (bound === Number.POSITIVE_INFINITY) return lower;
      return lower + ((bound - lower) * (rank - below)) / Math.max(1e-9, count - below);
    }
    [lower, below] = [bound, count];
  }
  return lower;
}

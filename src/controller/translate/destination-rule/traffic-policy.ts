import type { RetryBudgetConfig } from '#shared/route/model.ts';
import { NO_TRAFFIC_POLICY, type TrafficPolicy } from '#shared/route/traffic-policy.ts';
import type { Fields } from '../decode.ts';

const MAX_COUNT = 2 ** 31 - 1;

export function readTrafficPolicy(fields: Fields): TrafficPolicy {
  const loadBalancer = fields.object('loadBalancer', readLoadBalancer);
  const pool = fields.object('connectionPool', readConnectionPool);
  const retryBudget = fields.object('retryBudget', readRetryBudget);
  fields.unsupported('outlierDetection', 'remove it; endpoints are left out by their readiness only');
  fields.unsupported('portLevelSettings', 'set the policy for the whole service');
  fields.unsupported('tls', 'remove it; the mesh encrypts by HBONE on its own');
  fields.unsupported('tunnel', 'remove it');
  fields.unsupported('proxyProtocol', 'remove it');
  return { ...NO_TRAFFIC_POLICY, ...pool, loadBalancer, retryBudget };
}

const SIMPLE = [
  'UNSPECIFIED',
  'LEAST_CONN',
  'LEAST_REQUEST',
  'ROUND_ROBIN',
  'RANDOM',
  'PASSTHROUGH',
] as const;

function readLoadBalancer(fields: Fields): TrafficPolicy['loadBalancer'] {
  const simple = fields.oneOf('simple', SIMPLE);
  fields.unsupported('consistentHash', 'use simple; requests of one key may reach any endpoint');
  fields.unsupported('localityLbSetting', 'use the trafficDistribution of the Service');
  fields.unsupported('warmup', 'remove it');
  fields.unsupported('warmupDurationSecs', 'remove it');
  switch (simple) {
    case 'LEAST_CONN':
    case 'LEAST_REQUEST':
      return { kind: 'least_request' };
    case 'ROUND_ROBIN':
      return { kind: 'round_robin' };
    case 'RANDOM':
      return { kind: 'random' };
    case 'PASSTHROUGH':
      fields.ignore(
        'simple',
        'balances at random: a waypoint has no original address to pass to',
        'use LEAST_REQUEST',
      );
      return { kind: 'passthrough' };
    case 'UNSPECIFIED':
    case undefined:
      return undefined;
  }
}

type Pool = Pick<
  TrafficPolicy,
  'connectTimeoutMs' | 'maxConnections' | 'http1MaxPendingRequests' | 'maxRequestsPerConnection'
>;

function readConnectionPool(fields: Fields): Pool {
  const tcp = fields.object('tcp', readTcp);
  const http = fields.object('http', readHttp);
  return {
    connectTimeoutMs: tcp?.connectTimeoutMs,
    maxConnections: tcp?.maxConnections,
    http1MaxPendingRequests: http?.http1MaxPendingRequests,
    maxRequestsPerConnection: http?.maxRequestsPerConnection,
  };
}

function readTcp(fields: Fields): Pick<Pool, 'connectTimeoutMs' | 'maxConnections'> {
  for (const key of ['tcpKeepalive', 'maxConnectionDuration', 'idleTimeout'])
    fields.unsupported(key, 'remove it');
  const connectTimeoutMs = fields.durationMs('connectTimeout', '10s');
  if (connectTimeoutMs === 0)
    fields.reject('connectTimeout', 'must be longer than 0', 'write a time such as 10s');
  return { connectTimeoutMs, maxConnections: fields.integer('maxConnections', 1, MAX_COUNT) };
}

function readHttp(fields: Fields): Pick<Pool, 'http1MaxPendingRequests' | 'maxRequestsPerConnection'> {
  for (const key of [
    'http2MaxRequests',
    'maxRetries',
    'idleTimeout',
    'h2UpgradePolicy',
    'maxConcurrentStreams',
    'useClientProtocol',
  ]) {
    fields.unsupported(key, 'remove it');
  }
  const perConnection = fields.integer('maxRequestsPerConnection', 0, MAX_COUNT);
  return {
    http1MaxPendingRequests: fields.integer('http1MaxPendingRequests', 1, MAX_COUNT),
    // Istio: 0 is no limit.
    maxRequestsPerConnection: perConnection === 0 ? undefined : perConnection,
  };
}

/** `percent` of the active requests, in Istio over Envoy's window; here over 10 s, as the default budget. */
function readRetryBudget(fields: Fields): RetryBudgetConfig {
  const percent = fields.integer('percent', 0, 100) ?? 20;
  fields.unsupported('minRetryConcurrency', 'remove it; at least 10 retries a second are always allowed');
  return { ratio: percent / 100, minPerSecond: 10, ttlMs: 10_000 };
}

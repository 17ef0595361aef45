import fc from 'fast-check';
import type { RetryBudgetConfig, SessionPersistence } from '../route/model.ts';
import type { FailureAccrual, HashSource, LoadBalancer, TrafficPolicy } from '../route/traffic-policy.ts';
import {
  few,
  flag,
  headerValues,
  maybe,
  millis,
  milliseconds,
  name,
  names,
  percent,
  port,
  status,
  text,
  uint32,
} from './arbitrary-values.ts';

/** For property tests: any valid traffic policy, as the wire can carry it. */

export const session: fc.Arbitrary<SessionPersistence> = fc.record({
  kind: fc.constantFrom('cookie' as const, 'header' as const),
  name,
  path: maybe(text),
  absoluteTimeoutMs: millis,
  idleTimeoutMs: millis,
  lifetime: fc.constantFrom('session' as const, 'permanent' as const),
});
export const retryBudget: fc.Arbitrary<RetryBudgetConfig> = fc.record({
  ratio: fc.double({ min: 0, max: 1, noNaN: true }),
  minPerSecond: uint32,
  ttlMs: uint32,
});

const hashSource: fc.Arbitrary<HashSource> = fc.oneof(
  fc.record({ terminal: flag, kind: fc.constantFrom('header' as const, 'query' as const), name }),
  fc.record({ terminal: flag, kind: fc.constant('source_ip' as const) }),
  fc.record({
    terminal: flag,
    kind: fc.constant('cookie' as const),
    cookie: fc.record({ name, path: maybe(text), ttlMs: millis, attributes: headerValues }),
  }),
);
const tableSize = fc.integer({ min: 1, max: 65_537 });
const loadBalancer: fc.Arbitrary<LoadBalancer> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('round_robin' as const, 'random' as const, 'passthrough' as const),
  }),
  fc.record({
    kind: fc.constant('backend_utilization' as const),
    reports: fc.record({
      stabilizationMs: milliseconds,
      expirationMs: milliseconds,
      updateMs: milliseconds,
      errorPenalty: fc.double({ min: 0, max: 1000, noNaN: true }),
      metrics: names,
    }),
  }),
  fc.record({
    kind: fc.constant('peak_ewma' as const),
    penalty: maybe(fc.record({ penaltyMs: milliseconds, maxRetryAfterMs: milliseconds })),
  }),
  fc.record({ kind: fc.constant('least_request' as const), choices: maybe(uint32) }),
  fc.record({
    kind: fc.constant('ring_hash' as const),
    minRingSize: tableSize,
    maxRingSize: maybe(tableSize),
    hash: few(hashSource),
  }),
  fc.record({ kind: fc.constant('maglev' as const), tableSize, hash: few(hashSource) }),
);
const accrual: fc.Arbitrary<FailureAccrual> = fc.record({
  consecutiveFailures: uint32,
  successRate: maybe(
    fc.record({
      threshold: fc.double({ min: 0, max: 1, noNaN: true }),
      windowMs: milliseconds,
      minRequests: uint32,
    }),
  ),
  minPenaltyMs: milliseconds,
  maxPenaltyMs: milliseconds,
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
});
const count = maybe(uint32);

export const trafficPolicy: fc.Arbitrary<TrafficPolicy> = fc.record({
  connectTimeoutMs: millis,
  maxConnections: count,
  maxConnectionDurationMs: millis,
  tcpIdleTimeoutMs: millis,
  keepalive: maybe(fc.record({ probes: count, timeMs: millis, intervalMs: millis })),
  http1MaxPendingRequests: count,
  http2MaxRequests: count,
  maxRequestsPerConnection: count,
  maxRetries: count,
  httpIdleTimeoutMs: millis,
  maxConcurrentStreams: count,
  http2Keepalive: maybe(fc.record({ intervalMs: milliseconds, timeoutMs: milliseconds })),
  h2Upgrade: maybe(flag),
  useClientProtocol: flag,
  loadBalancer: maybe(loadBalancer),
  locality: maybe(
    fc.record({
      enabled: flag,
      distribute: few(fc.record({ from: name, to: few(fc.record({ locality: name, percent })) })),
      failover: few(fc.record({ from: name, to: name })),
      failoverPriority: few(
        fc.oneof(
          fc.record({ kind: fc.constantFrom('network' as const, 'region' as const, 'node' as const) }),
          fc.record({ kind: fc.constant('workloads' as const), workloads: names }),
        ),
      ),
      zoneAware: maybe(fc.record({ minEndpoints: uint32, percent })),
    }),
  ),
  slowStart: maybe(
    fc.record({
      windowMs: milliseconds,
      aggression: fc.double({ min: 0, max: 1000, noNaN: true }),
      minWeightPercent: percent,
    }),
  ),
  outlierDetection: maybe(
    fc.record({
      consecutive5xx: uint32,
      consecutiveGatewayErrors: uint32,
      splitExternalLocalOriginErrors: flag,
      consecutiveLocalOriginFailures: uint32,
      errorStatusCodes: few(status),
      failurePercent: maybe(percent),
      intervalMs: milliseconds,
      baseEjectionMs: milliseconds,
      maxEjectionPercent: percent,
      minHealthPercent: percent,
    }),
  ),
  failureAccrual: maybe(accrual),
  tls: maybe(
    fc.record({
      mode: fc.constantFrom('disable' as const, 'simple' as const, 'mutual' as const, 'mesh' as const),
      serverName: maybe(text),
      subjectAltNames: names,
      trustedRoots: fc.oneof(
        fc.record({ kind: fc.constant('system' as const) }),
        fc.record({ kind: fc.constant('pem' as const), pem: text }),
        fc.record({ kind: fc.constant('file' as const), path: text }),
        fc.record({ kind: fc.constant('credential' as const), name }),
        fc.record({ kind: fc.constant('unresolved' as const), reason: text }),
      ),
      clientCertificate: maybe(fc.record({ certificateFile: name, privateKeyFile: name })),
      credential: maybe(name),
      revocationListFile: maybe(name),
      skipVerification: flag,
      alpn: names,
      passesClientTls: flag,
    }),
  ),
  proxyProtocol: fc.constantFrom(undefined, 'v1', 'v2'),
  tunnel: maybe(fc.record({ method: fc.constantFrom('CONNECT' as const, 'POST' as const), target: name })),
  retryBudget: maybe(retryBudget),
  retryConcurrency: maybe(
    fc.record({
      ratio: fc.double({ min: 0, max: 1, noNaN: true }),
      minimum: uint32,
      intervalMs: milliseconds,
    }),
  ),
  session: maybe(session),
  failover: few(fc.record({ service: name, subset: maybe(name) })),
});

export const portPolicies = few(fc.record({ port, policy: trafficPolicy }));

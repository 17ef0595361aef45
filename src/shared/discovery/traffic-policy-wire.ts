import type {
  ConnectionPool,
  FailurePenalty,
  HashSource,
  LoadBalancer,
  LoadReports,
  PortTrafficPolicy,
  ProxyProtocol,
  RetryConcurrency,
  TrafficPolicy,
} from '../route/traffic-policy.ts';
import { DEFAULT_POOL } from '../route/traffic-policy.ts';
import { accrualFromWire, accrualToWire, outlierFromWire, outlierToWire } from './ejection-wire.ts';
import { headerValues } from './external-authorizer-wire.ts';
import { localityFromWire, localityToWire } from './locality-wire.ts';
import { retryBudgetFromWire, retryBudgetToWire, sessionFromWire, sessionToWire } from './route-wire.ts';
import { tlsFromWire, tlsToWire } from './tls-origination-wire.ts';
import {
  readEach,
  readEnum,
  readFlag,
  readIfSet,
  readMessage,
  readMillis,
  readName,
  readNumber,
  readOptionalFlag,
  readOptionalMillis,
  readOptionalNumber,
  readOptionalText,
  readPercent,
  readPort,
  readTexts,
  readWithin,
  type WireFields,
  within,
} from './wire-fields.ts';

/** `ambient.mesh.v1.TrafficPolicy` ↔ `TrafficPolicy`. */

const LOAD_BALANCERS = [
  'least_request',
  'round_robin',
  'random',
  'peak_ewma',
  'passthrough',
  'ring_hash',
  'maglev',
  'backend_utilization',
] as const;
const HASH_KINDS = ['header', 'cookie', 'query', 'source_ip'] as const;
const TUNNEL_METHODS = ['CONNECT', 'POST'] as const;
const PROXY_PROTOCOLS = ['none', 'v1', 'v2'] as const;
/** Envoy's: a larger ring or table costs memory and spreads no better. */
const MAX_HASH_TABLE = 8 * 1024 * 1024;

/** Istio's: percent in 32 bits. */
const MAX_ERROR_PENALTY = 2 ** 32 / 100;

/** @throws InvalidField */
export function trafficPolicyFromWire(wire: WireFields): TrafficPolicy {
  return {
    ...(readIfSet(wire, 'pool', poolFromWire) ?? DEFAULT_POOL),
    loadBalancer: readIfSet(wire, 'load_balancer', loadBalancerFromWire),
    locality: readIfSet(wire, 'locality', localityFromWire),
    slowStart: readIfSet(wire, 'slow_start', start => ({
      windowMs: readMillis(start, 'window_ms'),
      aggression: readWithin(start, 'aggression', 0, 1000),
      minWeightPercent: readPercent(start, 'min_weight_percent'),
    })),
    outlierDetection: readIfSet(wire, 'outlier_detection', outlierFromWire),
    failureAccrual: readIfSet(wire, 'failure_accrual', accrualFromWire),
    tls: readIfSet(wire, 'tls', tlsFromWire),
    proxyProtocol: proxyProtocolFromWire(wire),
    tunnel: readIfSet(wire, 'tunnel', tunnel => ({
      method: readEnum(tunnel, 'method', TUNNEL_METHODS),
      target: readName(tunnel, 'target'),
    })),
    retryBudget: readIfSet(wire, 'retry_budget', retryBudgetFromWire),
    retryConcurrency: readIfSet(wire, 'retry_concurrency', concurrencyFromWire),
    session: readIfSet(wire, 'session', sessionFromWire),
    failover: readEach(wire, 'failover', target => ({
      service: readName(target, 'service'),
      subset: readOptionalText(target, 'subset'),
    })),
  };
}

export function trafficPolicyToWire(policy: TrafficPolicy): object {
  const { slowStart } = policy;
  return {
    load_balancer: policy.loadBalancer && loadBalancerToWire(policy.loadBalancer),
    pool: poolToWire(policy),
    locality: policy.locality && localityToWire(policy.locality),
    slow_start: slowStart && {
      window_ms: slowStart.windowMs,
      aggression: slowStart.aggression,
      min_weight_percent: slowStart.minWeightPercent,
    },
    outlier_detection: policy.outlierDetection && outlierToWire(policy.outlierDetection),
    failure_accrual: policy.failureAccrual && accrualToWire(policy.failureAccrual),
    tls: policy.tls && tlsToWire(policy.tls),
    proxy_protocol: PROXY_PROTOCOLS.indexOf(policy.proxyProtocol ?? 'none'),
    tunnel: policy.tunnel && {
      method: TUNNEL_METHODS.indexOf(policy.tunnel.method),
      target: policy.tunnel.target,
    },
    retry_budget: policy.retryBudget && retryBudgetToWire(policy.retryBudget),
    retry_concurrency: policy.retryConcurrency && concurrencyToWire(policy.retryConcurrency),
    session: policy.session && sessionToWire(policy.session),
    failover: policy.failover,
  };
}

function proxyProtocolFromWire(wire: WireFields): ProxyProtocol | undefined {
  const version = readEnum(wire, 'proxy_protocol', PROXY_PROTOCOLS);
  return version === 'none' ? undefined : version;
}

function concurrencyFromWire(wire: WireFields): RetryConcurrency {
  return {
    ratio: readWithin(wire, 'ratio', 0, 1),
    minimum: readNumber(wire, 'minimum'),
    intervalMs: readMillis(wire, 'interval_ms'),
  };
}

function concurrencyToWire({ intervalMs, minimum, ratio }: RetryConcurrency): object {
  return { ratio, minimum, interval_ms: intervalMs };
}

/** The field `port_policies`. */
export function portPoliciesFromWire(wire: WireFields): readonly PortTrafficPolicy[] {
  return readEach(wire, 'port_policies', item => {
    const policy = readMessage(item, 'policy') ?? {};
    return {
      port: readPort(item, 'port', 1),
      policy: within('policy', () => trafficPolicyFromWire(policy)),
    };
  });
}

export function portPolicyToWire({ port, policy }: PortTrafficPolicy): object {
  return { port, policy: trafficPolicyToWire(policy) };
}

function poolFromWire(wire: WireFields): ConnectionPool {
  return {
    connectTimeoutMs: readOptionalMillis(wire, 'connect_timeout_ms'),
    maxConnections: readOptionalNumber(wire, 'max_connections'),
    maxConnectionDurationMs: readOptionalMillis(wire, 'max_connection_duration_ms'),
    tcpIdleTimeoutMs: readOptionalMillis(wire, 'tcp_idle_timeout_ms'),
    keepalive: readIfSet(wire, 'keepalive', keepalive => ({
      probes: readOptionalNumber(keepalive, 'probes'),
      timeMs: readOptionalMillis(keepalive, 'time_ms'),
      intervalMs: readOptionalMillis(keepalive, 'interval_ms'),
    })),
    http1MaxPendingRequests: readOptionalNumber(wire, 'http1_max_pending_requests'),
    http2MaxRequests: readOptionalNumber(wire, 'http2_max_requests'),
    maxRequestsPerConnection: readOptionalNumber(wire, 'max_requests_per_connection'),
    maxRetries: readOptionalNumber(wire, 'max_retries'),
    httpIdleTimeoutMs: readOptionalMillis(wire, 'http_idle_timeout_ms'),
    maxConcurrentStreams: readOptionalNumber(wire, 'max_concurrent_streams'),
    http2Keepalive: readIfSet(wire, 'http2_keepalive', keepalive => ({
      intervalMs: readMillis(keepalive, 'interval_ms'),
      timeoutMs: readMillis(keepalive, 'timeout_ms'),
    })),
    h2Upgrade: readOptionalFlag(wire, 'h2_upgrade'),
    useClientProtocol: readFlag(wire, 'use_client_protocol'),
  };
}

function poolToWire(pool: ConnectionPool): object {
  const { http2Keepalive, keepalive } = pool;
  return {
    connect_timeout_ms: pool.connectTimeoutMs,
    max_connections: pool.maxConnections,
    max_connection_duration_ms: pool.maxConnectionDurationMs,
    tcp_idle_timeout_ms: pool.tcpIdleTimeoutMs,
    keepalive: keepalive && {
      probes: keepalive.probes,
      time_ms: keepalive.timeMs,
      interval_ms: keepalive.intervalMs,
    },
    http1_max_pending_requests: pool.http1MaxPendingRequests,
    http2_max_requests: pool.http2MaxRequests,
    max_requests_per_connection: pool.maxRequestsPerConnection,
    max_retries: pool.maxRetries,
    http_idle_timeout_ms: pool.httpIdleTimeoutMs,
    max_concurrent_streams: pool.maxConcurrentStreams,
    http2_keepalive: http2Keepalive && {
      interval_ms: http2Keepalive.intervalMs,
      timeout_ms: http2Keepalive.timeoutMs,
    },
    h2_upgrade: pool.h2Upgrade,
    use_client_protocol: pool.useClientProtocol,
  };
}

function loadBalancerFromWire(wire: WireFields): LoadBalancer {
  const kind = readEnum(wire, 'kind', LOAD_BALANCERS);
  if (kind === 'peak_ewma') return { kind, penalty: readIfSet(wire, 'penalty', penaltyFromWire) };
  if (kind === 'least_request') return { kind, choices: readOptionalNumber(wire, 'choices') };
  if (kind === 'backend_utilization')
    return { kind, reports: reportsFromWire(readMessage(wire, 'reports') ?? {}) };
  if (kind !== 'ring_hash' && kind !== 'maglev') return { kind };
  const size = readWithin(wire, 'table_size', 1, MAX_HASH_TABLE);
  const hash = readEach(wire, 'hash', hashSourceFromWire);
  if (kind === 'maglev') return { kind, tableSize: size, hash };
  return { kind, minRingSize: size, maxRingSize: readOptionalNumber(wire, 'max_table_size'), hash };
}

function loadBalancerToWire(balancer: LoadBalancer): object {
  const kind = LOAD_BALANCERS.indexOf(balancer.kind);
  switch (balancer.kind) {
    case 'ring_hash':
      return {
        kind,
        table_size: balancer.minRingSize,
        max_table_size: balancer.maxRingSize,
        hash: balancer.hash.map(hashSourceToWire),
      };
    case 'maglev':
      return { kind, table_size: balancer.tableSize, hash: balancer.hash.map(hashSourceToWire) };
    case 'least_request':
      return { kind, choices: balancer.choices };
    case 'peak_ewma':
      return { kind, penalty: balancer.penalty && penaltyToWire(balancer.penalty) };
    case 'backend_utilization':
      return { kind, reports: reportsToWire(balancer.reports) };
    default:
      return { kind };
  }
}

function reportsFromWire(wire: WireFields): LoadReports {
  return {
    stabilizationMs: readMillis(wire, 'stabilization_ms'),
    expirationMs: readMillis(wire, 'expiration_ms'),
    updateMs: readMillis(wire, 'update_ms'),
    errorPenalty: readWithin(wire, 'error_penalty', 0, MAX_ERROR_PENALTY),
    metrics: readTexts(wire, 'metrics'),
  };
}

function reportsToWire(reports: LoadReports): object {
  return {
    stabilization_ms: reports.stabilizationMs,
    expiration_ms: reports.expirationMs,
    update_ms: reports.updateMs,
    error_penalty: reports.errorPenalty,
    metrics: reports.metrics,
  };
}

function penaltyFromWire(wire: WireFields): FailurePenalty {
  return {
    penaltyMs: readMillis(wire, 'penalty_ms'),
    maxRetryAfterMs: readMillis(wire, 'max_retry_after_ms'),
  };
}

function penaltyToWire({ maxRetryAfterMs, penaltyMs }: FailurePenalty): object {
  return { penalty_ms: penaltyMs, max_retry_after_ms: maxRetryAfterMs };
}

function hashSourceFromWire(wire: WireFields): HashSource {
  const kind = readEnum(wire, 'kind', HASH_KINDS);
  const terminal = readFlag(wire, 'terminal');
  switch (kind) {
    case 'source_ip':
      return { kind, terminal };
    case 'header':
    case 'query':
      return { kind, terminal, name: readName(wire, 'name') };
    case 'cookie': {
      const cookie = {
        name: readName(wire, 'name'),
        path: readOptionalText(wire, 'cookie_path'),
        ttlMs: readOptionalMillis(wire, 'cookie_ttl_ms'),
        attributes: headerValues(wire, 'cookie_attributes'),
      };
      return { kind, terminal, cookie };
    }
  }
}

function hashSourceToWire(source: HashSource): object {
  const common = { kind: HASH_KINDS.indexOf(source.kind), terminal: source.terminal };
  switch (source.kind) {
    case 'source_ip':
      return common;
    case 'header':
    case 'query':
      return { ...common, name: source.name };
    case 'cookie':
      return {
        ...common,
        name: source.cookie.name,
        cookie_path: source.cookie.path,
        cookie_ttl_ms: source.cookie.ttlMs,
        cookie_attributes: source.cookie.attributes,
      };
  }
}

import {
  type ConnectionPool,
  DEFAULT_POOL,
  type Http2Keepalive,
  type TcpKeepalive,
} from '#shared/route/traffic-policy.ts';
import type { Fields } from '../decode.ts';

const MAX_COUNT = 2 ** 31 - 1;

export function readConnectionPool(fields: Fields): ConnectionPool {
  const tcp = fields.object('tcp', readTcp);
  const http = fields.object('http', readHttp);
  return { ...DEFAULT_POOL, ...tcp, ...http };
}

function readTcp(fields: Fields): Partial<ConnectionPool> {
  const connectTimeoutMs = fields.durationMs('connectTimeout', '10s');
  if (connectTimeoutMs === 0)
    fields.reject('connectTimeout', 'must be longer than 0', 'write a time such as 10s');
  return {
    connectTimeoutMs,
    maxConnections: count(fields, 'maxConnections'),
    maxConnectionDurationMs: fields.durationMs('maxConnectionDuration', '1h'),
    tcpIdleTimeoutMs: fields.durationMs('idleTimeout', '1h'),
    keepalive: fields.object('tcpKeepalive', readKeepalive),
  };
}

function readKeepalive(fields: Fields): TcpKeepalive {
  return {
    probes: fields.integer('probes', 1, MAX_COUNT),
    timeMs: fields.durationMs('time', '2h'),
    intervalMs: fields.durationMs('interval', '75s'),
  };
}

/** Istio: 0 is as if it were not set. */
function count(fields: Fields, key: string): number | undefined {
  return fields.integer(key, 0, MAX_COUNT) || undefined;
}

function readHttp(fields: Fields): Partial<ConnectionPool> {
  const upgrade = fields.oneOf('h2UpgradePolicy', ['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE']);
  const useClientProtocol = fields.boolean('useClientProtocol') ?? false;
  if (useClientProtocol && upgrade === 'UPGRADE')
    fields.reject('useClientProtocol', 'cannot be together with h2UpgradePolicy', 'keep the one you mean');
  return {
    http1MaxPendingRequests: count(fields, 'http1MaxPendingRequests'),
    http2MaxRequests: count(fields, 'http2MaxRequests'),
    maxRequestsPerConnection: count(fields, 'maxRequestsPerConnection'),
    maxRetries: count(fields, 'maxRetries'),
    httpIdleTimeoutMs: fields.durationMs('idleTimeout', '1h'),
    maxConcurrentStreams: count(fields, 'maxConcurrentStreams'),
    http2Keepalive: fields.object('http2KeepAlive', readHttp2Keepalive),
    h2Upgrade: upgrade === undefined || upgrade === 'DEFAULT' ? undefined : upgrade === 'UPGRADE',
    useClientProtocol,
  };
}

function readHttp2Keepalive(fields: Fields): Http2Keepalive {
  const time = (key: string): number => {
    const ms = fields.durationMs(key, '30s');
    if (ms === undefined && !fields.has(key)) fields.reject(key, 'is required', 'write a time such as 30s');
    if (ms !== undefined && ms < 1) fields.reject(key, 'must be 1ms at least', 'write a time such as 30s');
    return ms ?? 0;
  };
  return { intervalMs: time('interval'), timeoutMs: time('timeout') };
}

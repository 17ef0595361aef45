import type { EnvReader } from '#shared/config/env-reader.ts';
import { readTrustDomain } from '#shared/config/trust-domain.ts';
import type { ProxyInstance } from '#shared/discovery/discovery-node.ts';
import type { Http2Options } from '#shared/http2/options.ts';
import { isLoopback } from '#shared/workload/ip.ts';
import type { TrafficSettings } from '../pod/traffic-context.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** What does not depend on what the kernel has. */
export type ConfiguredTraffic = Omit<TrafficSettings, 'tunnelCongestion' | 'connections'>;

export function readTraffic(
  env: EnvReader,
  instance: ProxyInstance,
  shared: boolean,
  listenIp: string,
): ConfiguredTraffic {
  return {
    trustDomain: readTrustDomain(env, 'trust domain of the identities of local workloads'),
    clusterId: instance.clusterId,
    network: env.string('NETWORK', '', "network of this node's pods"),
    nodeName: instance.nodeName,
    clusterDomain: instance.clusterDomain,
    waypointUnavailable: env.oneOf(
      'WAYPOINT_UNAVAILABLE',
      ['refuse', 'bypass'],
      'refuse',
      'connections to a service whose waypoint is not ready; bypass skips its L7 policy',
    ),
    outboundTrafficPolicy: readOutboundTrafficPolicy(env),
    ...readTimeouts(env),
    maxStreamsPerConnection: env.integer(
      'POOL_MAX_STREAMS_PER_CONNECTION',
      100,
      { min: 1, max: 10_000 },
      'connections that share one HBONE connection',
    ),
    originalSource: readOriginalSource(env, shared, listenIp),
    http2: readHttp2(env),
  };
}

/** By Istio's words. */
function readOutboundTrafficPolicy(env: EnvReader): TrafficSettings['outboundTrafficPolicy'] {
  const word = env.oneOf(
    'OUTBOUND_TRAFFIC_POLICY',
    ['ALLOW_ANY', 'REGISTRY_ONLY'],
    'ALLOW_ANY',
    'connections of captured pods to whom no Service, ServiceEntry or pod is; REGISTRY_ONLY refuses them',
  );
  return word === 'REGISTRY_ONLY' ? 'registry_only' : 'allow_any';
}

function readOriginalSource(env: EnvReader, shared: boolean, listenIp: string): boolean {
  const originalSource = env.boolean(
    'ENABLE_ORIG_SRC',
    shared,
    "applications see the client's own address; default: true in shared mode",
  );
  if (originalSource && !shared && !isLoopback(listenIp))
    env.reject(
      'ENABLE_ORIG_SRC',
      'true needs PROXY_MODE=shared, or a LISTEN_IP of 127.0.0.0/8: elsewhere no answer would find its way back',
    );
  return originalSource;
}

type Timeouts = Pick<
  TrafficSettings,
  'connectTimeoutMs' | 'handshakeTimeoutMs' | 'halfClosedTimeoutMs' | 'poolIdleTimeoutMs'
>;

function readTimeouts(env: EnvReader): Timeouts {
  const attempt = { minMs: 1, maxMs: 10 * MINUTE_MS };
  return {
    connectTimeoutMs: env.durationMs(
      'CONNECT_TIMEOUT',
      '10s',
      attempt,
      'for one connection to another proxy or application, handshake included',
    ),
    handshakeTimeoutMs: env.durationMs(
      'HANDSHAKE_TIMEOUT',
      '10s',
      attempt,
      'for the TLS handshake of an incoming HBONE connection',
    ),
    halfClosedTimeoutMs: env.durationMs(
      'HALF_CLOSED_TIMEOUT',
      '1h',
      { minMs: 1_000, maxMs: 30 * DAY_MS },
      'one direction has ended and nothing moves the other way: the connection is cut',
    ),
    poolIdleTimeoutMs: env.durationMs(
      'POOL_UNUSED_RELEASE_TIMEOUT',
      '5m',
      { minMs: 100, maxMs: DAY_MS },
      'HBONE connections without a stream are closed after this',
    ),
  };
}

/** A second is kept for the last words before the kubelet kills. */
export function readDrain(env: EnvReader): number {
  const graceSeconds = env.integer(
    'TERMINATION_GRACE_PERIOD_SECONDS',
    30,
    { min: 1, max: 86_400 },
    'seconds between SIGTERM and SIGKILL',
  );
  const defaultText = `${Math.max(1, graceSeconds - 1)}s`;
  return env.durationMs(
    'CONNECTION_TERMINATION_DEADLINE',
    defaultText,
    { minMs: 0, maxMs: DAY_MS },
    'after SIGTERM connections may end by themselves for this long; default: one second less than the grace period',
  );
}

function readHttp2(env: EnvReader): Partial<Http2Options> {
  const [kib, mib] = [1024, 1024 * 1024];
  const options = {
    streamWindowBytes: env.integer(
      'HTTP2_STREAM_WINDOW_SIZE',
      4 * mib,
      { min: 64 * kib, max: 2 ** 31 - 1 },
      'receive window of each HBONE stream, bytes',
    ),
    connectionWindowBytes: env.integer(
      'HTTP2_CONNECTION_WINDOW_SIZE',
      16 * mib,
      { min: 64 * kib, max: 2 ** 31 - 1 },
      "receive window of each HBONE connection, bytes; larger than the stream's",
    ),
    maxFrameBytes: env.integer(
      'HTTP2_FRAME_SIZE',
      mib,
      { min: 16 * kib, max: 2 ** 24 - 1 },
      'largest HTTP/2 frame accepted, bytes',
    ),
  };
  const { streamWindowBytes, connectionWindowBytes } = options;
  if (connectionWindowBytes <= streamWindowBytes) {
    const least = `must be larger than HTTP2_STREAM_WINDOW_SIZE (${streamWindowBytes}), or one stalled stream stops all`;
    env.reject('HTTP2_CONNECTION_WINDOW_SIZE', `${connectionWindowBytes} ${least}`);
  }
  return options;
}

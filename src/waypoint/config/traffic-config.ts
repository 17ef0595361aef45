import { type Address, readAddress } from '#shared/config/address.ts';
import type { EnvReader } from '#shared/config/env-reader.ts';
import type { ProxyInstance } from '#shared/discovery/discovery-node.ts';
import type { SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { HBONE_PORT } from '../ports.ts';
import type { PlaintextListen, TrafficSettings } from '../workers/settings.ts';

/** The service that the plaintext mode stands in for. */
export const PLAINTEXT_SERVICE = {
  namespace: 'plaintext',
  hostname: 'upstream.plaintext',
  port: 80,
} as const;

const DAY_MS = 24 * 60 * 60_000;
const TIMEOUT = { minMs: 1, maxMs: DAY_MS };

/** What does not depend on what the kernel has. */
export type ConfiguredTraffic = Omit<TrafficSettings, 'tunnelCongestion'>;

export function readTraffic(
  env: EnvReader,
  instance: ProxyInstance,
  identity: SpiffeId,
  meshed: boolean,
  plaintext: Address | undefined,
): Omit<ConfiguredTraffic, 'threads' | 'traceSamplingRatio'> {
  const gateway = env.string(
    'GATEWAY_NAME',
    'waypoint',
    'name of the Gateway, which is the name of its Service',
  );
  const hbone = readAddress(
    env,
    'HBONE_ADDR',
    `0.0.0.0:${HBONE_PORT}`,
    'address of HBONE; [::]:15008 takes IPv6 as well',
  );
  return {
    identity,
    namespace: instance.namespace,
    hostname: `${gateway}.${instance.namespace}.svc.${instance.clusterDomain}`,
    network: env.string('NETWORK', '', 'network of this waypoint'),
    clusterId: instance.clusterId,
    nodeName: instance.nodeName,
    ips: [instance.ip],
    locality: { region: '', zone: '', subzone: '' },
    listen: meshed ? hbone : undefined,
    plaintext: plaintext === undefined ? undefined : asPlaintextService(plaintext),
    accessLog: env.oneOf(
      'ACCESS_LOG',
      ['all', 'errors', 'off'],
      'errors',
      'requests that get a line in the access log; errors: what failed or was refused',
    ),
    ...readUpstream(env),
    ...readDownstream(env),
    ...readOverload(env),
  };
}

function asPlaintextService(address: Address): PlaintextListen {
  const { namespace, hostname, port } = PLAINTEXT_SERVICE;
  return { ...address, service: `${namespace}/${hostname}`, servicePort: port };
}

type Upstream = Pick<TrafficSettings, 'connectTimeoutMs' | 'poolIdleTimeoutMs' | 'queueTimeoutMs'>;

function readUpstream(env: EnvReader): Upstream {
  return {
    connectTimeoutMs: env.durationMs('CONNECT_TIMEOUT', '10s', TIMEOUT, 'for one connection to an endpoint'),
    poolIdleTimeoutMs: env.durationMs(
      'UPSTREAM_IDLE_TIMEOUT',
      '60s',
      TIMEOUT,
      'an idle connection to an endpoint is closed',
    ),
    queueTimeoutMs: env.durationMs(
      'QUEUE_TIMEOUT',
      '3s',
      TIMEOUT,
      'a request that waits longer for a connection to an endpoint goes to another one, or fails; those behind it fail fast',
    ),
  };
}

type Downstream = Pick<
  TrafficSettings,
  | 'handshakeTimeoutMs'
  | 'downstreamIdleTimeoutMs'
  | 'requestHeadTimeoutMs'
  | 'streamIdleTimeoutMs'
  | 'detectionTimeoutMs'
  | 'maxRequestBytes'
>;

function readDownstream(env: EnvReader): Downstream {
  return {
    handshakeTimeoutMs: env.durationMs('HANDSHAKE_TIMEOUT', '10s', TIMEOUT, 'for an incoming TLS handshake'),
    downstreamIdleTimeoutMs: env.durationMs(
      'DOWNSTREAM_IDLE_TIMEOUT',
      '1h',
      TIMEOUT,
      'a client connection without requests is closed',
    ),
    requestHeadTimeoutMs: env.durationMs(
      'REQUEST_HEADERS_TIMEOUT',
      '10s',
      TIMEOUT,
      'for the head of a request, once begun',
    ),
    streamIdleTimeoutMs: env.durationMs(
      'STREAM_IDLE_TIMEOUT',
      '5m',
      TIMEOUT,
      'a request in which nothing moves is ended',
    ),
    detectionTimeoutMs: env.durationMs(
      'PROTOCOL_DETECTION_TIMEOUT',
      '50ms',
      TIMEOUT,
      'a client that is silent for this long, on a port without a declared protocol, waits for the server: TCP',
    ),
    maxRequestBytes: env.integer(
      'MAX_REQUEST_BYTES',
      Number.MAX_SAFE_INTEGER,
      { min: 0, max: Number.MAX_SAFE_INTEGER },
      'longest request body over HTTP/1.1, bytes',
    ),
  };
}

function readOverload(env: EnvReader): Pick<TrafficSettings, 'overloadLagMs' | 'maxRequests'> {
  return {
    overloadLagMs: env.durationMs(
      'OVERLOAD_LAG',
      '500ms',
      TIMEOUT,
      'a thread whose event loop stays later than this (at two looks, 100 ms apart) answers 503 to a part of new requests, to all from twice of it',
    ),
    maxRequests: env.integer(
      'MAX_REQUESTS',
      100_000,
      { min: 1, max: 10_000_000 },
      'requests in progress, of all threads together; more are answered 503',
    ),
  };
}

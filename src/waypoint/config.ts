import { defaultTrafficThreads } from '#shared/config/traffic-threads.ts';
import { type Address, readAddress, readAdminAddress } from '#shared/config/address.ts';
import { readControllerAddress } from '#shared/config/controller-address.ts';
import { readEngine } from '#shared/config/engine.ts';
import type { EngineName } from '#shared/engine/choose-engine.ts';
import { type EnvReader, type Environment, readEnvironment } from '#shared/config/env-reader.ts';
import { type LogFormat, type LogLevel, LOG_LEVELS } from '#shared/observability/logger.ts';
import { formatSpiffeId, type SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { parseTrustDomain, trustDomainFault } from '#shared/spiffe/trust-domain.ts';
import { readTracing, type TracingConfig } from './tracing/tracing-config.ts';
import { ADMIN_PORT, HBONE_PORT, METRICS_PORT, READINESS_PORT } from './ports.ts';
import type { TrafficSettings } from './workers/settings.ts';

export interface WaypointConfig {
  readonly instance: InstanceConfig;
  readonly identity: SpiffeId;
  /** Undefined: the plaintext mode alone, for benchmarks. */
  readonly controller: ControllerConfig | undefined;
  readonly fakeCa: boolean;
  readonly certificateTtlMs: number;
  /** Roots that are trusted besides those of the runtime when keys of token issuers are fetched: a path, or PEM text. */
  readonly jwksRoots: string | undefined;
  readonly traffic: TrafficSettings;
  /** Where connections of the plaintext mode go; undefined: it is off. */
  readonly plaintextUpstream: Address | undefined;
  /** Undefined: the native one where it can run. */
  readonly engine: EngineName | undefined;
  readonly workerThreads: number;
  readonly workerHeapMb: number;
  readonly drainMs: number;
  /** Undefined: nothing is traced. */
  readonly tracing: TracingConfig | undefined;
  readonly stateDir: string | undefined;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
  readonly adminAddress: Address | undefined;
  readonly adminSocket: string | undefined;
  readonly statsAddress: Address | undefined;
  readonly readinessAddress: Address | undefined;
}

export interface InstanceConfig {
  readonly name: string;
  readonly namespace: string;
  readonly ip: string;
  readonly nodeName: string;
  readonly clusterId: string;
  readonly clusterDomain: string;
}

export interface ControllerConfig {
  readonly address: string;
  readonly caAddress: string;
  readonly rootCa: string;
  readonly caRootCa: string;
  readonly tokenPath: string | undefined;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** The service that the plaintext mode stands in for. */
export const PLAINTEXT_SERVICE = {
  namespace: 'plaintext',
  hostname: 'upstream.plaintext',
  port: 80,
} as const;

/** The whole configuration, from the environment alone. @throws ConfigError naming every variable that is wrong */
export function readConfig(environment: Environment): WaypointConfig {
  return readEnvironment(environment, declareConfig);
}

/** Reads every variable; `env` then holds what was wrong, and the declarations for the table in docs/environment.md. */
export function declareConfig(env: EnvReader): WaypointConfig {
  const instance = readInstance(env);
  const controller = readControlPlane(env);
  const plaintext = readAddress(
    env,
    'LISTEN_PLAINTEXT',
    'off',
    'benchmarks: listen here without TLS, IP:PORT',
  );
  const plaintextUpstream = readAddress(
    env,
    'PLAINTEXT_UPSTREAM',
    'off',
    'benchmarks: where LISTEN_PLAINTEXT leads',
  );
  if ((plaintext === undefined) !== (plaintextUpstream === undefined)) {
    env.reject('LISTEN_PLAINTEXT', 'and PLAINTEXT_UPSTREAM are set together or not at all');
  }
  if (controller === undefined && plaintext === undefined) {
    env.reject('XDS_ADDRESS', 'is not set: without a controller there is nothing to serve');
  }
  const identity = readIdentity(env, instance.namespace);
  const tracing = readTracing(env);
  const workerThreads = env.integer(
    'WORKER_THREADS',
    defaultTrafficThreads(),
    { min: 1, max: 256 },
    'threads that carry traffic; default: half of the cores, at least 1',
  );
  return {
    instance,
    identity,
    controller,
    fakeCa: env.boolean(
      'FAKE_CA',
      false,
      'sign certificates in this process with a key everybody knows: for trials',
    ),
    certificateTtlMs: env.durationMs(
      'SECRET_TTL',
      '24h',
      { minMs: MINUTE_MS, maxMs: 90 * DAY_MS },
      'life of certificates asked for',
    ),
    jwksRoots: env.optional(
      'JWKS_EXTRA_ROOTS',
      'roots trusted besides the usual ones when keys of token issuers (jwksUri) are fetched: a path, or PEM text',
    ),
    tracing,
    traffic: {
      ...readTraffic(env, instance, identity, controller !== undefined, plaintext),
      traceSamplingRatio: tracing?.samplingRatio,
      threads: workerThreads,
    },
    plaintextUpstream,
    engine: readEngine(env),
    workerThreads,
    workerHeapMb: env.integer('WORKER_HEAP_MB', 512, { min: 32, max: 65_536 }, 'heap of a traffic thread'),
    drainMs:
      env.integer(
        'TERMINATION_GRACE_PERIOD_SECONDS',
        30,
        { min: 0, max: 86_400 },
        'how long requests under way may take after SIGTERM, s',
      ) * 1_000,
    stateDir: env.optional(
      'STATE_DIR',
      'directory for the configuration a restart without the controller is served from',
    ),
    ...readOperations(env, controller !== undefined),
  };
}

function readInstance(env: EnvReader): InstanceConfig {
  return {
    name: env.string('POD_NAME', 'waypoint', 'name of the pod this process runs in'),
    namespace: env.string('POD_NAMESPACE', 'default', 'its namespace, which is the namespace of the Gateway'),
    ip: env.ip('INSTANCE_IP', '127.0.0.1', 'its address'),
    nodeName: env.string('NODE_NAME', 'localhost', 'node it runs on'),
    clusterId: env.string('CLUSTER_ID', 'Kubernetes', 'name of the cluster'),
    clusterDomain: env.string('CLUSTER_DOMAIN', 'cluster.local', 'domain of service names'),
  };
}

function readControlPlane(env: EnvReader): ControllerConfig | undefined {
  const address = readControllerAddress(env, 'XDS_ADDRESS', 'controller: host:port, https://host:port');
  const caAddress = readControllerAddress(env, 'CA_ADDRESS', 'certificate authority; default: XDS_ADDRESS');
  const rootCa = env.string(
    'XDS_ROOT_CA',
    '/var/run/secrets/istio/root-cert.pem',
    "roots of the controller's certificate: a path, or PEM text",
  );
  const caRootCa = env.string('CA_ROOT_CA', rootCa, "roots of the CA's certificate; default: XDS_ROOT_CA");
  const token = env.string(
    'TOKEN_PATH',
    '/var/run/secrets/tokens/istio-token',
    'file with the token that proves to controller and CA who asks, or off',
  );
  if (address === undefined) return undefined;
  const tokenPath = token === 'off' ? undefined : token;
  return { address, caAddress: caAddress ?? address, rootCa, caRootCa, tokenPath };
}

function readIdentity(env: EnvReader, namespace: string): SpiffeId {
  const trustDomain = env.string(
    'TRUST_DOMAIN',
    'cluster.local',
    'trust domain of the waypoint and its peers',
  );
  const serviceAccount = env.string('SERVICE_ACCOUNT', 'waypoint', 'service account of the waypoint');
  const fault = trustDomainFault(trustDomain);
  if (fault !== undefined) env.reject('TRUST_DOMAIN', `${JSON.stringify(trustDomain)}: ${fault}`);
  const domain = parseTrustDomain(fault === undefined ? trustDomain : 'cluster.local');
  return formatSpiffeId({ trustDomain: domain, namespace, serviceAccount });
}

function readTraffic(
  env: EnvReader,
  instance: InstanceConfig,
  identity: SpiffeId,
  meshed: boolean,
  plaintext: Address | undefined,
): Omit<TrafficSettings, 'threads' | 'traceSamplingRatio'> {
  const { namespace, hostname, port } = PLAINTEXT_SERVICE;
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
  const timeout = { minMs: 1, maxMs: DAY_MS };
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
    plaintext:
      plaintext === undefined
        ? undefined
        : { ...plaintext, service: `${namespace}/${hostname}`, servicePort: port },
    accessLog: env.oneOf(
      'ACCESS_LOG',
      ['all', 'errors', 'off'],
      'all',
      'requests that get a line in the access log',
    ),
    connectTimeoutMs: env.durationMs('CONNECT_TIMEOUT', '10s', timeout, 'for one connection to an endpoint'),
    handshakeTimeoutMs: env.durationMs('HANDSHAKE_TIMEOUT', '10s', timeout, 'for an incoming TLS handshake'),
    poolIdleTimeoutMs: env.durationMs(
      'UPSTREAM_IDLE_TIMEOUT',
      '60s',
      timeout,
      'an idle connection to an endpoint is closed',
    ),
    downstreamIdleTimeoutMs: env.durationMs(
      'DOWNSTREAM_IDLE_TIMEOUT',
      '1h',
      timeout,
      'a client connection without requests is closed',
    ),
    requestHeadTimeoutMs: env.durationMs(
      'REQUEST_HEADERS_TIMEOUT',
      '10s',
      timeout,
      'for the head of a request, once begun',
    ),
    streamIdleTimeoutMs: env.durationMs(
      'STREAM_IDLE_TIMEOUT',
      '5m',
      timeout,
      'a request in which nothing moves is ended',
    ),
    detectionTimeoutMs: env.durationMs(
      'PROTOCOL_DETECTION_TIMEOUT',
      '50ms',
      timeout,
      'a client that is silent for this long, on a port without a declared protocol, waits for the server: TCP',
    ),
    maxRequestBytes: env.integer(
      'MAX_REQUEST_BYTES',
      Number.MAX_SAFE_INTEGER,
      { min: 0, max: Number.MAX_SAFE_INTEGER },
      'longest request body over HTTP/1.1, bytes',
    ),
    queueTimeoutMs: env.durationMs(
      'QUEUE_TIMEOUT',
      '3s',
      timeout,
      'a request that waits longer for a connection to an endpoint goes to another one, or fails; those behind it fail fast',
    ),
    overloadLagMs: env.durationMs(
      'OVERLOAD_LAG',
      '500ms',
      timeout,
      'a thread whose event loop is later than this answers 503 to a part of new requests, to all from twice of it',
    ),
    maxRequests: env.integer(
      'MAX_REQUESTS',
      100_000,
      { min: 1, max: 10_000_000 },
      'requests in progress, of all threads together; more are answered 503',
    ),
  };
}

function readOperations(env: EnvReader, meshed: boolean) {
  const format = env.oneOf('LOG_FORMAT', ['text', 'plain', 'json'], 'text', 'plain is text');
  const logFormat: LogFormat = format === 'json' ? 'json' : 'text';
  const stats = meshed ? `0.0.0.0:${METRICS_PORT}` : 'off';
  const readiness = meshed ? `0.0.0.0:${READINESS_PORT}` : 'off';
  return {
    logFormat,
    logLevel: env.oneOf('LOG_LEVEL', LOG_LEVELS, 'info', 'log level; scopes are set on the admin page'),
    adminAddress: readAdminAddress(env, meshed ? `127.0.0.1:${ADMIN_PORT}` : 'off'),
    adminSocket: env.optional('ADMIN_UNIX_SOCKET', 'unix socket of the admin page'),
    statsAddress: readAddress(env, 'STATS_ADDR', stats, 'metrics, or off'),
    readinessAddress: readAddress(env, 'READINESS_ADDR', readiness, 'readiness, or off'),
  };
}

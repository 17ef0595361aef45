import { type Address, readAddress, readAdminAddress, readRequiredAddress } from '#shared/config/address.ts';
import { type EnvReader, type Environment, readEnvironment } from '#shared/config/env-reader.ts';
import { LOG_LEVELS, type LogFormat, type LogLevel } from '#shared/observability/logger.ts';
import type { SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import type { TrustDomain } from '#shared/spiffe/trust-domain.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
import { type CaConfig, readCa } from './config/ca-config.ts';
import { readIdentity, readServerNames } from './config/server-identity.ts';
import { readSource, type SourceConfig } from './config/source-config.ts';
import type { Cluster } from './translate/cluster.ts';
import { readWaypointConfig, type WaypointConfig } from './waypoints/waypoint-config.ts';

export interface ControllerConfig {
  readonly source: SourceConfig;
  readonly cluster: Cluster;
  readonly rootNamespace: string;
  readonly ca: CaConfig;
  readonly discovery: Address;
  /** DNS names and IP addresses of the controller's certificate. */
  readonly serverNames: readonly string[];
  readonly identity: SpiffeId;
  readonly waypoint: WaypointConfig;
  /** Undefined: off. */
  readonly adminAddress: Address | undefined;
  readonly adminSocket: string | undefined;
  readonly statsAddress: Address | undefined;
  readonly readinessAddress: Address | undefined;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
  /** As an operator wrote it, for `/config_dump`. */
  readonly shown: Readonly<Record<string, string>>;
}

/** The whole configuration, from the environment alone. @throws ConfigError naming every variable that is wrong. */
export function readConfig(environment: Environment): ControllerConfig {
  return readEnvironment(environment, declareConfig);
}

/** Reads every variable; `env` then holds what was wrong, and the declarations for the table in docs/environment.md. */
export function declareConfig(env: EnvReader): ControllerConfig {
  const sourceKind = env.oneOf(
    'SOURCE',
    ['directory', 'kubernetes'],
    'directory',
    'where objects come from, and where the CA is kept',
  );
  const ca = readCa(env, sourceKind);
  const discovery = readRequiredAddress(
    env,
    'XDS_ADDRESS',
    '0.0.0.0:15012',
    'address of discovery and CA: IP:PORT',
  );
  const rootNamespace = env.string(
    'ROOT_NAMESPACE',
    'istio-system',
    'namespace whose policies hold for the whole mesh',
  );
  const namespace = env.string('POD_NAMESPACE', rootNamespace, 'namespace the controller runs in');
  const source = readSource(env, sourceKind, namespace);
  const cluster = readCluster(env, ca.trustDomain);
  return {
    source,
    cluster,
    rootNamespace,
    ca,
    discovery,
    serverNames: readServerNames(env, rootNamespace, discovery.ip),
    identity: readIdentity(env, ca.trustDomain, namespace),
    adminAddress: readAdminAddress(env, '127.0.0.1:15014'),
    adminSocket: env.optional(
      'ADMIN_UNIX_SOCKET',
      'path of a unix socket for the same, and for join tokens and root rotation',
    ),
    statsAddress: readAddress(env, 'STATS_ADDR', '0.0.0.0:15020', 'address of the metrics, or off'),
    readinessAddress: readAddress(
      env,
      'READINESS_ADDR',
      '0.0.0.0:15021',
      'address of the readiness probe, or off',
    ),
    waypoint: readWaypointConfig(env, `istiod.${namespace}.svc:${discovery.port}`),
    logFormat: env.oneOf('LOG_FORMAT', ['text', 'json'], 'text', 'format of the log'),
    logLevel: env.oneOf('LOG_LEVEL', LOG_LEVELS, 'info', 'level of the log'),
    shown: shown({ source, cluster, rootNamespace, discovery }),
  };
}

function readCluster(env: EnvReader, trustDomain: TrustDomain): Cluster {
  return {
    clusterId: env.string('CLUSTER_ID', 'Kubernetes', 'name of the cluster'),
    clusterDomain: env.string('CLUSTER_DOMAIN', 'cluster.local', 'DNS domain of the cluster'),
    trustDomain,
    network: env.string('NETWORK', '', 'name of the network that pods are on'),
  };
}

type Shown = Pick<ControllerConfig, 'source' | 'cluster' | 'rootNamespace' | 'discovery'>;

function shown({ cluster, discovery, rootNamespace, source }: Shown): ControllerConfig['shown'] {
  return {
    SOURCE: source.kind,
    ...(source.kind === 'directory' ? { CONFIG_DIR: source.path } : {}),
    XDS_ADDRESS: formatHostPort(discovery.ip, discovery.port),
    ROOT_NAMESPACE: rootNamespace,
    CLUSTER_ID: cluster.clusterId,
    TRUST_DOMAIN: cluster.trustDomain,
  };
}

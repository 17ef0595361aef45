import { type Address, readAddress, readAdminAddress, readRequiredAddress } from '#shared/config/address.ts';
import { type EnvReader, type Environment, readEnvironment } from '#shared/config/env-reader.ts';
import { parseList } from '#shared/config/list.ts';
import { LOG_LEVELS, type LogFormat, type LogLevel } from '#shared/observability/logger.ts';
import { formatSpiffeId, type SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { parseTrustDomain, type TrustDomain, trustDomainFault } from '#shared/spiffe/trust-domain.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
import type { Cluster } from './translate/cluster.ts';

export interface ControllerConfig {
  readonly configDir: string;
  readonly cluster: Cluster;
  readonly rootNamespace: string;
  readonly ca: CaConfig;
  readonly discovery: Address;
  /** DNS names and IP addresses of the controller's certificate. */
  readonly serverNames: readonly string[];
  readonly identity: SpiffeId;
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

export interface CaConfig {
  readonly trustDomain: TrustDomain;
  /** Keys and state of our own CA, and the key of join tokens. */
  readonly directory: string;
  /** A CA the operator gave; undefined: our own. */
  readonly pluggedDirectory: string | undefined;
  /** Where the roots are written for proxies that read them from a file. */
  readonly rootCertPath: string;
  readonly leafTtlMs: number;
  readonly maxLeafTtlMs: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const DEFAULT_DATA_DIR = '/var/lib/ambient-mesh';

/** The whole configuration, from the environment alone. @throws ConfigError naming every variable that is wrong. */
export function readConfig(environment: Environment): ControllerConfig {
  return readEnvironment(environment, declareConfig);
}

/** Reads every variable; `env` then holds what was wrong, and the declarations for the table in docs/environment.md. */
export function declareConfig(env: EnvReader): ControllerConfig {
  env.oneOf('SOURCE', ['directory'], 'directory', 'where objects come from');
  const configDir = env.required('CONFIG_DIR', 'directory of YAML files with Kubernetes objects, watched');
  const ca = readCa(env);
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
  const cluster: Cluster = {
    clusterId: env.string('CLUSTER_ID', 'Kubernetes', 'name of the cluster'),
    clusterDomain: env.string('CLUSTER_DOMAIN', 'cluster.local', 'DNS domain of the cluster'),
    trustDomain: ca.trustDomain,
    network: env.string('NETWORK', '', 'name of the network that pods are on'),
  };
  return {
    configDir,
    cluster,
    rootNamespace,
    ca,
    discovery,
    serverNames: serverNames(env, rootNamespace, discovery.ip),
    identity: controllerIdentity(env, ca.trustDomain, rootNamespace),
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
    logFormat: env.oneOf('LOG_FORMAT', ['text', 'json'], 'text', 'format of the log'),
    logLevel: env.oneOf('LOG_LEVEL', LOG_LEVELS, 'info', 'level of the log'),
    shown: {
      CONFIG_DIR: configDir,
      XDS_ADDRESS: formatHostPort(discovery.ip, discovery.port),
      ROOT_NAMESPACE: rootNamespace,
      CLUSTER_ID: cluster.clusterId,
      TRUST_DOMAIN: ca.trustDomain,
    },
  };
}

function readCa(env: EnvReader): CaConfig {
  const dataDir = env.string('DATA_DIR', DEFAULT_DATA_DIR, 'directory for what has to survive a restart');
  const trustDomainText = env.string('TRUST_DOMAIN', 'cluster.local', 'trust domain of the identities');
  const fault = trustDomainFault(trustDomainText);
  if (fault !== undefined)
    env.reject('TRUST_DOMAIN', `${JSON.stringify(trustDomainText)} is not accepted: ${fault}`);
  const ttl = { minMs: MINUTE_MS, maxMs: 90 * DAY_MS };
  const leafTtlMs = env.durationMs(
    'WORKLOAD_CERT_TTL',
    '24h',
    ttl,
    'life of certificates for which none is asked',
  );
  const maxLeafTtlMs = env.durationMs(
    'MAX_WORKLOAD_CERT_TTL',
    '90d',
    ttl,
    'longest life that may be asked for',
  );
  if (maxLeafTtlMs < leafTtlMs) env.reject('MAX_WORKLOAD_CERT_TTL', 'is shorter than WORKLOAD_CERT_TTL');
  return {
    trustDomain: parseTrustDomain(fault === undefined ? trustDomainText : 'cluster.local'),
    directory: env.string('CA_DIR', dataDir, 'directory of the CA and its keys; default: DATA_DIR'),
    pluggedDirectory: env.optional(
      'CACERTS_DIR',
      'directory with ca-cert.pem, ca-key.pem, root-cert.pem, cert-chain.pem: use this CA',
    ),
    rootCertPath: env.string(
      'ROOT_CERT_FILE',
      `${dataDir}/root-cert.pem`,
      'file the trusted roots are written to',
    ),
    leafTtlMs,
    maxLeafTtlMs,
  };
}

function serverNames(env: EnvReader, rootNamespace: string, listenIp: string): readonly string[] {
  const defaults = new Set([
    `istiod.${rootNamespace}.svc`,
    'istiod.istio-system.svc',
    'localhost',
    '127.0.0.1',
  ]);
  const names = env.string(
    'SERVER_NAMES',
    [...defaults].join(','),
    'names and IP addresses of the controller’s certificate, comma-separated',
  );
  const listed = parseList(names);
  const isAny = listenIp === '0.0.0.0' || listenIp === '::';
  return [...new Set(isAny ? listed : [...listed, listenIp])];
}

function controllerIdentity(env: EnvReader, trustDomain: TrustDomain, rootNamespace: string): SpiffeId {
  const namespace = env.string('POD_NAMESPACE', rootNamespace, 'namespace the controller runs in');
  const serviceAccount = env.string('SERVICE_ACCOUNT', 'istiod', 'service account the controller runs as');
  try {
    return formatSpiffeId({ trustDomain, namespace, serviceAccount });
  } catch (error) {
    env.reject('SERVICE_ACCOUNT', error instanceof Error ? error.message : String(error));
    return formatSpiffeId({ trustDomain, namespace: 'istio-system', serviceAccount: 'istiod' });
  }
}

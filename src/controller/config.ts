import { hostname } from 'node:os';
import { type Address, readAddress, readAdminAddress, readRequiredAddress } from '#shared/config/address.ts';
import { type EnvReader, type Environment, readEnvironment } from '#shared/config/env-reader.ts';
import { parseList } from '#shared/config/list.ts';
import { readTrustDomain } from '#shared/config/trust-domain.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { LOG_LEVELS, type LogFormat, type LogLevel } from '#shared/observability/logger.ts';
import { formatSpiffeId, type SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import type { TrustDomain } from '#shared/spiffe/trust-domain.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
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

/** Where objects come from, and with it where the CA is kept and how callers prove who they are. */
export type SourceConfig =
  | { readonly kind: 'directory'; readonly path: string }
  | ({ readonly kind: 'kubernetes' } & ClusterConfig);

export interface ClusterConfig {
  /** In which the CA's Secret and the Lease are. */
  readonly namespace: string;
  /** Unique among the replicas. */
  readonly replica: string;
  /** Secret with the CA we made. */
  readonly caSecret: string;
  /** Secret with a CA the operator brings; used when it is there. */
  readonly pluggedSecret: string;
  /** What a token must be made for. */
  readonly tokenAudience: string;
  /** `<namespace>/<service account>` of node proxies. */
  readonly nodeAccounts: readonly string[];
  /** Nodes whose ztunnel is not ready are tainted. */
  readonly nodeTaint: boolean;
  /** Secrets labelled as credentials of TLS origination are read. */
  readonly tlsSecrets: boolean;
}

export interface CaConfig {
  readonly trustDomain: TrustDomain;
  /** Keys and state of our own CA, and the key of join tokens. */
  readonly directory: string;
  /** A CA the operator gave; undefined: our own. */
  readonly pluggedDirectory: string | undefined;
  /** Where the roots are written for proxies that read them from a file; undefined: nowhere. */
  readonly rootCertPath: string | undefined;
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
  const cluster: Cluster = {
    clusterId: env.string('CLUSTER_ID', 'Kubernetes', 'name of the cluster'),
    clusterDomain: env.string('CLUSTER_DOMAIN', 'cluster.local', 'DNS domain of the cluster'),
    trustDomain: ca.trustDomain,
    network: env.string('NETWORK', '', 'name of the network that pods are on'),
  };
  return {
    source,
    cluster,
    rootNamespace,
    ca,
    discovery,
    serverNames: serverNames(env, rootNamespace, discovery.ip),
    identity: controllerIdentity(env, ca.trustDomain, namespace),
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
    shown: {
      SOURCE: sourceKind,
      ...(source.kind === 'directory' ? { CONFIG_DIR: source.path } : {}),
      XDS_ADDRESS: formatHostPort(discovery.ip, discovery.port),
      ROOT_NAMESPACE: rootNamespace,
      CLUSTER_ID: cluster.clusterId,
      TRUST_DOMAIN: ca.trustDomain,
    },
  };
}

function readSource(env: EnvReader, kind: SourceConfig['kind'], namespace: string): SourceConfig {
  const what = 'directory of YAML files with Kubernetes objects, watched; required with SOURCE=directory';
  const path = env.string('CONFIG_DIR', '', what);
  const cluster: ClusterConfig = {
    namespace,
    replica:
      env.optional('POD_NAME', 'name of this replica, unique among them; default: of host and process') ??
      `${hostname()}-${process.pid}`,
    caSecret: env.string(
      'CA_SECRET',
      'ambient-ca',
      'Secret with the CA of this mesh, made when it is missing',
    ),
    pluggedSecret: env.string(
      'CACERTS_SECRET',
      'cacerts',
      'Secret with a CA of your own, used when it is there at the start: ca-cert.pem, ca-key.pem, root-cert.pem, cert-chain.pem, or tls.crt, tls.key, ca.crt as cert-manager writes them',
    ),
    tokenAudience: env.string('TOKEN_AUDIENCE', 'istio-ca', 'audience that tokens of callers must have'),
    nodeAccounts: parseList(
      env.string(
        'CA_TRUSTED_NODE_ACCOUNTS',
        `${namespace}/ztunnel`,
        'service accounts of node proxies, NAMESPACE/NAME, comma-separated: they get certificates for the pods of their node',
      ),
    ),
    tlsSecrets: env.boolean(
      'TLS_SECRETS',
      false,
      'read Secrets with the label ambient.mesh/tls-credential, of every namespace, for TLS origination',
    ),
    nodeTaint: env.boolean(
      'NODE_TAINT',
      false,
      'taint nodes whose ztunnel is not ready, ambient.mesh/not-ready:NoSchedule',
    ),
  };
  const wrong = cluster.nodeAccounts.find(account => account.split('/').length !== 2);
  if (wrong !== undefined)
    env.reject('CA_TRUSTED_NODE_ACCOUNTS', `${JSON.stringify(wrong)} is not NAMESPACE/NAME`);
  if (kind === 'kubernetes') return { kind, ...cluster };
  if (path === '') env.reject('CONFIG_DIR', `is not set; it is required: ${what}`);
  return { kind, path };
}

function readCa(env: EnvReader, source: SourceConfig['kind']): CaConfig {
  const dataDir = env.string('DATA_DIR', DEFAULT_DATA_DIR, 'directory for what has to survive a restart');
  const trustDomain = readTrustDomain(env, 'trust domain of the identities');
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
    trustDomain,
    directory: env.string('CA_DIR', dataDir, 'directory of the CA and its keys; default: DATA_DIR'),
    pluggedDirectory: env.optional(
      'CACERTS_DIR',
      'directory with ca-cert.pem, ca-key.pem, root-cert.pem, cert-chain.pem: use this CA',
    ),
    rootCertPath: rootCertPath(env, dataDir, source),
    leafTtlMs,
    maxLeafTtlMs,
  };
}

function rootCertPath(env: EnvReader, dataDir: string, source: SourceConfig['kind']): string | undefined {
  const path = env.string(
    'ROOT_CERT_FILE',
    `${dataDir}/root-cert.pem`,
    'file the trusted roots are written to; in a cluster they are in a ConfigMap',
  );
  return source === 'kubernetes' ? undefined : path;
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

function controllerIdentity(env: EnvReader, trustDomain: TrustDomain, namespace: string): SpiffeId {
  const serviceAccount = env.string('SERVICE_ACCOUNT', 'istiod', 'service account the controller runs as');
  try {
    return formatSpiffeId({ trustDomain, namespace, serviceAccount });
  } catch (error) {
    env.reject('SERVICE_ACCOUNT', errorMessage(error));
    return formatSpiffeId({ trustDomain, namespace: 'istio-system', serviceAccount: 'istiod' });
  }
}

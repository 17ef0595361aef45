import { defaultTrafficThreads } from '#shared/config/traffic-threads.ts';
import { type Address, readAddress, readAdminAddress, readIp } from '#shared/config/address.ts';
import { readCongestionControl } from '#shared/config/congestion-control.ts';
import { readEngine } from '#shared/config/engine.ts';
import { type EnvReader, type Environment, readEnvironment } from '#shared/config/env-reader.ts';
import type { ProxyInstance } from '#shared/discovery/discovery-node.ts';
import type { EngineName } from '#shared/engine/choose-engine.ts';
import type { CongestionSetting } from '#shared/engine/congestion-policy.ts';
import {
  type CertificateConfig,
  type DiscoveryConfig,
  readCertificates,
  readDiscovery,
} from './config/control-plane-config.ts';
import { type LogConfig, readLog } from './config/log-config.ts';
import { type ConfiguredTraffic, readDrain, readTraffic } from './config/traffic-config.ts';
import { type NodeAgentConfig, readNodeAgent } from './config/node-agent-config.ts';
import { type DedicatedConfig, readDedicated, readInstance } from './config/workload-config.ts';

export interface ZtunnelConfig {
  /** Undefined: one workload, without capture. */
  readonly nodeAgent: NodeAgentConfig | undefined;
  /** Undefined: the pods of a node. */
  readonly dedicated: DedicatedConfig | undefined;
  readonly instance: ProxyInstance;
  readonly discovery: DiscoveryConfig;
  readonly certificates: CertificateConfig;
  readonly traffic: ConfiguredTraffic;
  readonly congestionControl: CongestionSetting;
  /** Undefined: the native one where it can run. */
  readonly engine: EngineName | undefined;
  readonly workerThreads: number;
  readonly workerHeapMb: number;
  /** 0: by what the process may use. */
  readonly maxConnectionsPerPod: number;
  readonly drainMs: number;
  readonly stateDir: string | undefined;
  readonly log: LogConfig;
  /** Undefined: off. */
  readonly adminAddress: Address | undefined;
  readonly adminSocket: string | undefined;
  readonly statsAddress: Address | undefined;
  readonly readinessAddress: Address | undefined;
}

/**
 * The whole configuration, from the environment alone. Where the incumbent ztunnel has a variable for the same thing, its
 * name and meaning are used. @throws ConfigError naming every variable that is wrong.
 */
export function readConfig(environment: Environment): ZtunnelConfig {
  return readEnvironment(environment, declareConfig);
}

/** Reads every variable; `env` then holds what was wrong, and the declarations for the table in docs/environment.md. */
export function declareConfig(env: EnvReader): ZtunnelConfig {
  const mode = env.oneOf(
    'PROXY_MODE',
    ['shared', 'dedicated'],
    'shared',
    'shared: the pods of a node, captured; dedicated: one workload, by SOCKS5',
  );
  const instance = readInstance(env);
  const listenIp = readIp(
    env,
    'LISTEN_IP',
    instance.ip,
    'address of the workload in dedicated mode: HBONE, SOCKS5, metrics and readiness listen there',
  );
  const dedicated = readDedicated(env, mode === 'dedicated', listenIp);
  const anyIp = mode === 'dedicated' ? listenIp : '0.0.0.0';
  const discovery = readDiscovery(env);
  return {
    nodeAgent: readNodeAgent(env, mode === 'shared'),
    dedicated,
    instance,
    discovery,
    certificates: readCertificates(env, discovery),
    traffic: readTraffic(env, instance, mode === 'shared', listenIp),
    congestionControl: readCongestionControl(env),
    engine: readEngine(env),
    workerThreads: env.integer(
      'ZTUNNEL_WORKER_THREADS',
      defaultTrafficThreads(),
      { min: 1, max: 256 },
      'threads that carry traffic; default: half of the cores, at least 1',
    ),
    workerHeapMb: env.integer(
      'ZTUNNEL_WORKER_HEAP_MB',
      512,
      { min: 32, max: 65_536 },
      'heap of a traffic thread; one that needs more is ended and started again',
    ),
    maxConnectionsPerPod: env.integer(
      'MAX_CONNECTIONS_PER_POD',
      0,
      { min: 0, max: 10_000_000 },
      'connections that a pod may have open in each direction, of all threads together; more are refused. 0: what is left for all others, so half of what ztunnel has room for at the most',
    ),
    drainMs: readDrain(env),
    stateDir: env.optional(
      'STATE_DIR',
      'directory for the state a restart without the controller is served from; private keys are written there only if it is memory-backed',
    ),
    log: readLog(env),
    adminAddress: readAdminAddress(env, '127.0.0.1:15000'),
    adminSocket: env.optional('ADMIN_UNIX_SOCKET', 'path of a unix socket for the same'),
    statsAddress: readAddress(env, 'STATS_ADDR', `${anyIp}:15020`, 'address of the metrics, or off'),
    readinessAddress: readAddress(
      env,
      'READINESS_ADDR',
      `${anyIp}:15021`,
      'address of the readiness probe, or off',
    ),
  };
}

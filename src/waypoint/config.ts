import { type Address, readAddress } from '#shared/config/address.ts';
import { readCongestionControl } from '#shared/config/congestion-control.ts';
import { readEngine } from '#shared/config/engine.ts';
import { type EnvReader, type Environment, readEnvironment } from '#shared/config/env-reader.ts';
import { defaultTrafficThreads } from '#shared/config/traffic-threads.ts';
import type { ProxyInstance } from '#shared/discovery/discovery-node.ts';
import type { EngineName } from '#shared/engine/choose-engine.ts';
import type { CongestionSetting } from '#shared/engine/congestion-policy.ts';
import type { SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import {
  type CertificateConfig,
  type ControllerConfig,
  readCertificates,
  readController,
} from './config/controller-config.ts';
import { readIdentity, readInstance } from './config/identity-config.ts';
import { type OperationsConfig, readOperations } from './config/operations-config.ts';
import { type ConfiguredTraffic, readTraffic } from './config/traffic-config.ts';
import { readTracing, type TracingConfig } from './tracing/tracing-config.ts';

export interface WaypointConfig extends CertificateConfig, OperationsConfig {
  readonly instance: ProxyInstance;
  readonly identity: SpiffeId;
  /** Undefined: the plaintext mode alone, for benchmarks. */
  readonly controller: ControllerConfig | undefined;
  /** Roots that are trusted besides those of the runtime when keys of token issuers are fetched: a path, or PEM text. */
  readonly jwksRoots: string | undefined;
  readonly traffic: ConfiguredTraffic;
  readonly congestionControl: CongestionSetting;
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
}

/** The whole configuration, from the environment alone. @throws ConfigError naming every variable that is wrong */
export function readConfig(environment: Environment): WaypointConfig {
  return readEnvironment(environment, declareConfig);
}

/** Reads every variable; `env` then holds what was wrong, and the declarations for the table in docs/environment.md. */
export function declareConfig(env: EnvReader): WaypointConfig {
  const instance = readInstance(env);
  const controller = readController(env);
  const { plaintext, plaintextUpstream } = readPlaintext(env);
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
    ...readCertificates(env),
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
    congestionControl: readCongestionControl(env),
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

interface PlaintextMode {
  readonly plaintext: Address | undefined;
  readonly plaintextUpstream: Address | undefined;
}

function readPlaintext(env: EnvReader): PlaintextMode {
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
  return { plaintext, plaintextUpstream };
}

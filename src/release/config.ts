import type { EnvReader } from '#shared/config/env-reader.ts';

export interface ReleaseConfig {
  readonly namespace: string;
  readonly daemonSet: string;
  readonly deadlineMs: number;
}

/** Reads every variable; `env` then holds what was wrong, and the declarations for the table in docs/environment.md. */
export function declareConfig(env: EnvReader): ReleaseConfig {
  return {
    namespace: env.string('POD_NAMESPACE', 'istio-system', 'namespace of the mesh'),
    daemonSet: env.string('DAEMONSET_NAME', 'ztunnel', 'DaemonSet of the node proxies'),
    deadlineMs: env.durationMs(
      'RELEASE_TIMEOUT',
      '120s',
      { minMs: 1_000, maxMs: 3_600_000 },
      'for every pod to leave the mesh, before the uninstallation fails',
    ),
  };
}

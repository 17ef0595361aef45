import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Environment } from '../config/env-reader.ts';
import type { Clock } from '../lifecycle/clock.ts';
import type { KubeConnection } from './connection.ts';
import { inClusterConnection } from './in-cluster.ts';

/**
 * The configuration `kubectl` would use: the files of `KUBECONFIG`, else `~/.kube/config`, else the pod's service account.
 * The client library takes half a second and 85 MB to load, so that it is loaded for this alone: a controller in its
 * cluster does without it.
 */
export async function loadKubeConfig(context?: string): Promise<KubeConfig> {
  const { KubeConfig: Config } = await import('@kubernetes/client-node');
  const config = new Config();
  config.loadFromDefault();
  if (context !== undefined) {
    const known = config.getContexts().map(({ name }) => name);
    if (!known.includes(context))
      throw new Error(
        `context ${JSON.stringify(context)} is not in the kubeconfig: it has ${known.join(', ')}`,
      );
    config.setCurrentContext(context);
  }
  return config;
}

/** @throws Error when the configuration's context names no cluster. */
export function kubeConfigConnection(config: KubeConfig): KubeConnection {
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new Error(
      `kubeconfig: context ${JSON.stringify(config.getCurrentContext())} names no cluster; set KUBECONFIG or --context`,
    );
  }
  return {
    server: new URL(cluster.server),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
    async requestOptions() {
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      return options;
    },
  };
}

/** In a pod its service account, elsewhere the kubeconfig; `KUBECONFIG` wins. */
export async function defaultConnection(env: Environment, clock: Clock): Promise<KubeConnection> {
  const isInCluster = env['KUBERNETES_SERVICE_HOST'] !== undefined && !env['KUBECONFIG'];
  return isInCluster ? inClusterConnection(env, clock) : kubeConfigConnection(await loadKubeConfig());
}

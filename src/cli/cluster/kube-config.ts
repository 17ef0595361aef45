import type { KubeConfig } from '@kubernetes/client-node';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Environment } from '#shared/config/env-reader.ts';
import { CliError } from '../cli-error.ts';

export interface ClusterChoice {
  /** A file; without it `KUBECONFIG`, `~/.kube/config`, the service account of this pod. */
  readonly kubeconfig?: string;
  readonly context?: string;
}

const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** Where credentials would be read from; empty when there are none. `in-cluster` is the service account of this pod. */
export function kubeconfigFiles(choice: ClusterChoice, env: Environment): readonly string[] {
  if (choice.kubeconfig !== undefined) return [choice.kubeconfig];
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter(file => file !== '');
  if (listed.length > 0) return listed;
  const home = join(env['HOME'] ?? '/', '.kube', 'config');
  if (existsSync(home)) return [home];
  return existsSync(SERVICE_ACCOUNT_TOKEN) ? [IN_CLUSTER] : [];
}

const IN_CLUSTER = 'in-cluster';

/** The chosen context of the kubeconfig. @throws CliError that names the file and what is wrong with it. */
export async function loadKubeConfig(choice: ClusterChoice, env: Environment): Promise<KubeConfig> {
  const files = kubeconfigFiles(choice, env);
  const present = files.filter(file => file === IN_CLUSTER || existsSync(file));
  const [first, ...others] = present;
  if (first === undefined) {
    const looked = files.length === 0 ? 'KUBECONFIG is not set and ~/.kube/config does not exist' : '';
    throw new CliError(
      `no cluster: ${looked || `${files.join(' and ')} ${files.length > 1 ? 'do' : 'does'} not exist`}; give --kubeconfig FILE`,
    );
  }
  // Half a second and 60 MB, so only commands that talk to a cluster load it.
  const client = await import('@kubernetes/client-node');
  const config = new client.KubeConfig();
  try {
    if (first === IN_CLUSTER) config.loadFromCluster();
    else config.loadFromFile(first);
    for (const file of others) {
      const other = new client.KubeConfig();
      other.loadFromFile(file);
      config.mergeConfig(other, true);
    }
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new CliError(`${present.join(' and ')} cannot be read as a kubeconfig: ${why}`);
  }
  chooseContext(config, choice.context, present);
  return config;
}

function chooseContext(config: KubeConfig, wanted: string | undefined, files: readonly string[]): void {
  const names = config.getContexts().map(c => c.name);
  const context = wanted ?? config.getCurrentContext();
  const where = files.join(' and ');
  if (!names.includes(context)) {
    throw new CliError(
      wanted === undefined && (context ?? '') === ''
        ? `${where} has no current-context; give --context: ${names.join(', ') || 'there is none'}`
        : `no context ${JSON.stringify(context)} in ${where}; contexts: ${names.join(', ') || 'none'}`,
    );
  }
  config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (cluster === null)
    throw new CliError(`${where}: context ${context} names a cluster that is not in the file`);
  // Files are made by scripts: without one it may be anything, or nothing.
  if (typeof cluster.server !== 'string' || !/^https?:$/.test(URL.parse(cluster.server)?.protocol ?? ''))
    throw new CliError(
      `${where}: server of cluster ${cluster.name} is ${JSON.stringify(cluster.server ?? '')}; write it as https://HOST:PORT`,
    );
}

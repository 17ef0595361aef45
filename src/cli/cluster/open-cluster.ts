import type { Environment } from '#shared/config/env-reader.ts';
import { kubeConfigConnection } from '#shared/kube/kubeconfig.ts';
import type { Cluster } from './kube-api.ts';
import { OperatorApi } from './operator-api.ts';
import { type ClusterChoice, loadKubeConfig } from './kube-config.ts';
import { forwardToPod } from './port-forward.ts';

export type OpenCluster = (choice: ClusterChoice, env: Environment) => Promise<Cluster>;

/** Reads the kubeconfig; nothing is sent yet. @throws CliError */
export const openCluster: OpenCluster = async (choice, env) => {
  const config = await loadKubeConfig(choice, env);
  return {
    api: new OperatorApi(kubeConfigConnection(config)),
    forward: (namespace, pod, port) => ({
      namespace,
      pod,
      port,
      connect: () => forwardToPod(config, namespace, pod, port),
    }),
  };
};

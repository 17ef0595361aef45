import type { KubeResource } from './resource.ts';

/** Kinds of the API server itself that more than one part has to do with. */
export const NAMESPACES = core('Namespace', 'namespaces', false);
export const NODES = core('Node', 'nodes', false);
export const PODS = core('Pod', 'pods', true);
export const SERVICE_ACCOUNTS = core('ServiceAccount', 'serviceaccounts', true);
export const SECRETS = core('Secret', 'secrets', true);
export const CONFIG_MAPS = core('ConfigMap', 'configmaps', true);
export const SERVICES = core('Service', 'services', true);
export const DAEMON_SETS = apps('DaemonSet', 'daemonsets');
export const DEPLOYMENTS = apps('Deployment', 'deployments');
export const LEASES: KubeResource = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};
export const TOKEN_REVIEWS: KubeResource = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenReview',
  plural: 'tokenreviews',
  namespaced: false,
};

function core(kind: string, plural: string, namespaced: boolean): KubeResource {
  return { group: '', version: 'v1', kind, plural, namespaced };
}

function apps(kind: string, plural: string): KubeResource {
  return { group: 'apps', version: 'v1', kind, plural, namespaced: true };
}

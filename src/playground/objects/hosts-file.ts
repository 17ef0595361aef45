import type { ServiceSpec } from './service-spec.ts';

/** Domain of the cluster's names. */
export const CLUSTER_DOMAIN = 'cluster.local';

/**
 * `/etc/hosts` of the pods of a namespace, which stands for the cluster's DNS: services by every name that the search
 * path of a pod would allow.
 */
export function hostsFile(namespace: string, services: readonly ServiceSpec[]): string {
  const lines = ['127.0.0.1 localhost', '::1 localhost ip6-localhost'];
  for (const service of services) {
    const names = serviceNames(service, namespace).join(' ');
    lines.push(...service.clusterIps.map(ip => `${ip} ${names}`));
  }
  return `${lines.join('\n')}\n`;
}

function serviceNames(service: ServiceSpec, from: string): string[] {
  const short = `${service.name}.${service.namespace}`;
  const names = [short, `${short}.svc`, `${short}.svc.${CLUSTER_DOMAIN}`];
  return service.namespace === from ? [service.name, ...names] : names;
}

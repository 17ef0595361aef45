import { SERVICE_DEFAULTS, type Service, serviceName, type ServicePort, type Workload } from './workload.ts';

/**
 * Traffic to a workload's own addresses goes through a waypoint where the workload asks for one (`istio.io/waypoint-for`:
 * `workload` or `all`). To that waypoint the workload is a service of one endpoint and every port, with policies and no
 * routes. Nobody else knows it: its host is the workload's uid, which is no host name.
 */
export function workloadService(workload: Workload): Service {
  const { name, namespace, services, uid, waypoint } = workload;
  return {
    ...SERVICE_DEFAULTS,
    name,
    namespace,
    hostname: uid,
    // Found by the workload's, which may have been another's a moment ago.
    addresses: [],
    ports: [...declaredPorts(services), EVERY_PORT],
    waypoint,
    canonical: false,
  };
}

/** `<namespace>/<uid>`. */
export function workloadServiceName({ namespace, uid }: Pick<Workload, 'namespace' | 'uid'>): string {
  return serviceName({ namespace, hostname: uid });
}

/** What people call it: its host, or the workload's name. */
export function displayName(service: Pick<Service, 'hostname' | 'name'>): string {
  return isOfWorkload(service) ? service.name : service.hostname;
}

/** Undefined for one that stands for a workload: what telemetry calls services, it is none. */
export function namedService(service: Service): Service | undefined {
  return isOfWorkload(service) ? undefined : service;
}

export function isOfWorkload({ hostname }: Pick<Service, 'hostname'>): boolean {
  return hostname.includes('/');
}

/** Nobody's on the wire, where a port of a service is 1 at least. */
const EVERY_PORT: ServicePort = Object.freeze({ servicePort: 0, targetPort: 0, appProtocol: 'unknown' });

/** The port of that number, also where every port is one. */
export function findPort(ports: readonly ServicePort[], number: number): ServicePort | undefined {
  const found = ports.find(({ servicePort }) => servicePort === number || servicePort === 0);
  return found?.servicePort === 0 ? { ...found, servicePort: number, targetPort: number } : found;
}

/** The protocols of what its Services lead to. Of several for one port the first says. */
function declaredPorts(services: Workload['services']): readonly ServicePort[] {
  const byTarget = new Map<number, ServicePort>();
  for (const ports of services.values()) {
    for (const { appProtocol, servicePort, targetPort } of ports) {
      const port = targetPort === 0 ? servicePort : targetPort;
      if (byTarget.get(port) === undefined || byTarget.get(port)?.appProtocol === 'unknown')
        byTarget.set(port, { servicePort: port, targetPort: port, appProtocol });
    }
  }
  return [...byTarget.values()];
}

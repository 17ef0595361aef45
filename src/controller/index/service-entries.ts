import type { Service } from '#shared/workload/workload.ts';
import type { KubeObject } from '../source/kube-object.ts';
import { USE_WAYPOINT } from '../translate/mesh-labels.ts';
import { Diagnostics, type Diagnostic } from '../translate/diagnostic.ts';
import type { AddressWish } from '../translate/service-entry/auto-allocate.ts';
import type { ServiceEntryTranslation } from '../translate/service-entry/service-entry.ts';
import { sayOfCanary, weightedWaypoints } from '../translate/waypoint-gateway/bind-canary.ts';
import { bindWaypoint } from '../translate/waypoint-gateway/bind-waypoint.ts';
import { canaryOf } from './canary-of.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { Parsed } from './parsed-kind.ts';
import { hasReadyPod } from './ready-pods.ts';

/** Hosts that are to get addresses of the mesh's own. */
export function addressWishes(entries: Iterable<Parsed<ServiceEntryTranslation>>): readonly AddressWish[] {
  const wishes: AddressWish[] = [];
  for (const { object, value } of entries) {
    const { creationTimestamp, name, namespace } = object.metadata;
    if (!value.allocates) continue;
    for (const { hostname } of value.services)
      wishes.push({ key: `${namespace}/${name}/${hostname}`, creationTimestamp });
  }
  return wishes;
}

/** The hosts of an entry as proxies know them. */
export function entryServices(
  objects: MeshObjects,
  { object, value }: Parsed<ServiceEntryTranslation>,
): { readonly services: readonly Service[]; readonly diagnostics: readonly Diagnostic[] } {
  const { cluster } = objects.options;
  const { namespace } = object.metadata;
  const { diagnostics, ...waypoints } = entryWaypoints(objects, object, value.endpointsByHost);
  const services = value.services.map(spec => ({
    name: spec.name,
    namespace,
    hostname: spec.hostname,
    addresses: [
      ...objects.addressesOf(spec).map(ip => ({ network: cluster.network, ip, prefixLength: undefined })),
      ...value.ranges.map(range => ({ network: cluster.network, ...range })),
    ],
    ports: spec.ports.map(({ appProtocol, port, targetPort }) => ({
      servicePort: port,
      targetPort: typeof targetPort === 'number' ? targetPort : 0,
      appProtocol,
    })),
    subjectAltNames: value.subjectAltNames,
    ...waypoints,
    loadBalancing: value.passthrough
      ? ({ routingPreference: [], mode: 'passthrough', healthPolicy: 'only_healthy' } as const)
      : undefined,
    ipFamilies: 'automatic' as const,
    canonical: false,
    ingressUseWaypoint: false,
    visibility: value.visibility,
  }));
  return { services, diagnostics };
}

function entryWaypoints(
  objects: MeshObjects,
  object: KubeObject,
  endpointsByHost: boolean,
): Pick<Service, 'waypoint' | 'weightedWaypoints'> & { readonly diagnostics: readonly Diagnostic[] } {
  const { labels, namespace } = object.metadata;
  const namespaceLabels = objects.namespaceMeta(namespace).labels;
  const request = { traffic: 'service', namespace, labels, namespaceLabels } as const;
  const binding = bindWaypoint(request, objects, objects.options.cluster);
  const diagnostics = new Diagnostics(object);
  if (endpointsByHost && binding.address === undefined)
    diagnostics.ignore(
      'spec.resolution',
      'DYNAMIC_DNS',
      'hosts are found by a waypoint, and the entry uses none: connections to it are refused',
      `label it ${USE_WAYPOINT}`,
    );
  if ('message' in binding) {
    const message = `${binding.reason}: ${binding.message}`;
    const fix = 'create the Gateway or change the label';
    diagnostics.ignore(`metadata.labels.${USE_WAYPOINT}`, labels[USE_WAYPOINT], message, fix);
  }
  const canary = canaryOf(objects, object);
  sayOfCanary(canary, labels, diagnostics);
  return {
    waypoint: binding.address,
    weightedWaypoints: weightedWaypoints(canary, (ns, name) => hasReadyPod(objects, ns, name)),
    diagnostics: diagnostics.found,
  };
}

import type { KubeObject } from '../source/kube-object.ts';
import type { DestinationRuleTranslation } from '../translate/destination-rule/destination-rule.ts';
import { type Diagnostic, Diagnostics } from '../translate/diagnostic.ts';
import { hasLinkerdAnnotations } from '../translate/linkerd-annotations/annotations.ts';
import { objectAt } from '../translate/loose-fields.ts';
import type { WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import type { MeshObjects } from './mesh-objects.ts';
import { selects } from './policy-reach.ts';
import { waypointOfService, waypointOfServiceEntry } from './waypoint-of-service.ts';
import { servicesOf, specsIn } from './workload-specs.ts';

const FIX = 'label it istio.io/use-waypoint';
const PASSED = 'requests to it do not pass this route';
const HEEDED = 'nobody heeds what is said of its requests';

/** What waypoints do, for services that none serves: with sidecars each client did it, without a label on the service. */
export function withoutWaypoint(objects: MeshObjects): readonly Diagnostic[] {
  return [
    ...routes(objects),
    ...routesByName(objects),
    ...destinationRules(objects),
    ...annotatedServices(objects),
    ...policies(objects),
  ];
}

function routes(objects: MeshObjects): readonly Diagnostic[] {
  const kinds = [...objects.gatewayRoutes(), objects.virtualServices];
  return kinds.flatMap(kind =>
    [...kind.all()].flatMap(({ object, value }) => {
      const services = new Set(value.attachments.map(({ service }) => service));
      const field = object.kind === 'VirtualService' ? 'hosts' : 'parentRefs';
      return [...services].flatMap(service => sayIfUnserved(objects, object, field, service, PASSED));
    }),
  );
}

/** Kinds whose objects are named as the service they are for. */
function routesByName(objects: MeshObjects): readonly Diagnostic[] {
  const profiles = [...objects.serviceProfiles.all()].map(({ object, value }) => ({
    object,
    service: value.service,
  }));
  const consul = [objects.serviceRouters, objects.serviceSplitters, objects.serviceResolvers]
    .flatMap(kind => [...kind.all()])
    .map(({ object }) => {
      const { name, namespace } = object.metadata;
      return { object, service: objects.service(namespace, name)?.key };
    });
  return [...profiles, ...consul].flatMap(({ object, service }) =>
    service === undefined ? [] : sayIfUnserved(objects, object, 'metadata.name', service, PASSED),
  );
}

/** One for many services, as one of a wildcard, may be for some of them. What the mesh does by itself needs no waypoint. */
function destinationRules(objects: MeshObjects): readonly Diagnostic[] {
  return [...objects.destinationRules.all()].flatMap(({ object, value }) => {
    const [first] = value.services;
    if (first === undefined || asksForMeshTlsAlone(value)) return [];
    if (value.services.some(service => unservedName(objects, service) === undefined)) return [];
    return sayIfUnserved(objects, object, 'host', first, HEEDED);
  });
}

function asksForMeshTlsAlone({ subsets, trafficPolicy }: DestinationRuleTranslation): boolean {
  if (subsets.length > 0 || trafficPolicy === undefined) return false;
  const { ports, tls, ...others } = trafficPolicy;
  return (
    ports.length === 0 && tls?.mode === 'mesh' && Object.values(others).every(part => part === undefined)
  );
}

function annotatedServices(objects: MeshObjects): readonly Diagnostic[] {
  return [...objects.services.all()].flatMap(({ object, value }) =>
    value !== undefined && hasLinkerdAnnotations(object)
      ? sayIfUnserved(
          objects,
          object,
          'metadata.annotations',
          `${object.metadata.namespace}/${value.hostname}`,
          HEEDED,
        )
      : [],
  );
}

/** Tokens are verified, and authorizers asked, by waypoints alone: without one nobody is refused for want of either. */
function policies(objects: MeshObjects): readonly Diagnostic[] {
  const custom = [...objects.authorizationPolicies.all()]
    .filter(({ value }) => value.full.action === 'custom' || value.full.action === 'audit')
    .map(({ object, value }) => ({ object, value: { ...value, namespace: object.metadata.namespace } }));
  return [...custom, ...objects.requestAuthentications.all()].flatMap(({ object, value }) => {
    if (value.targets.length > 0 || value.selects === undefined) return [];
    const spec = unservedWorkload(objects, value);
    if (spec === undefined) return [];
    const message = `selects ${spec.namespace}/${spec.name}, which no Service with a waypoint leads to: requests to it are not held against this`;
    const diagnostics = new Diagnostics(object);
    diagnostics.ignore(
      'spec.selector',
      objectAt(object.spec)['selector'],
      message,
      `label its Service istio.io/use-waypoint`,
    );
    return [...diagnostics.found];
  });
}

function unservedWorkload(
  objects: MeshObjects,
  reach: Parameters<typeof selects>[0],
): WorkloadSpec | undefined {
  const { selectsEveryNamespace, namespace } = reach;
  const namespaces = selectsEveryNamespace ? objects.pods.namespaces() : [namespace];
  for (const one of namespaces) {
    for (const spec of specsIn(objects, one)) {
      if (!selects(reach, spec)) continue;
      const services = servicesOf(objects, spec);
      const isServed = services.some(
        service => unservedName(objects, `${service.namespace}/${service.hostname}`) === undefined,
      );
      if (!isServed) return spec;
    }
  }
  return undefined;
}

function sayIfUnserved(
  objects: MeshObjects,
  object: KubeObject,
  field: string,
  service: string,
  consequence: string,
): readonly Diagnostic[] {
  const unserved = unservedName(objects, service);
  if (unserved === undefined) return [];
  const isOfSpec = !field.startsWith('metadata.');
  const value = isOfSpec ? objectAt(object.spec)[field] : object.metadata.name;
  const diagnostics = new Diagnostics(object);
  const message = `${unserved} uses no waypoint that is there: ${consequence}`;
  diagnostics.ignore(isOfSpec ? `spec.${field}` : field, value, message, FIX);
  return [...diagnostics.found];
}

/** The Service or ServiceEntry of a host, where no waypoint serves it. @param service `<namespace>/<hostname>` */
function unservedName(objects: MeshObjects, service: string): string | undefined {
  const [namespace = '', hostname = ''] = service.split('/');
  const [name = ''] = hostname.split('.');
  if (objects.services.get(namespace, name)?.value?.hostname === hostname)
    return waypointOfService(objects, namespace, name) === undefined
      ? `Service ${namespace}/${name}`
      : undefined;
  const entries = [...objects.serviceEntries.inNamespace(namespace)]
    .filter(({ value }) => value.services.some(spec => spec.hostname === hostname))
    .map(({ object }) => object.metadata.name);
  const isServed = entries.some(entry => waypointOfServiceEntry(objects, namespace, entry) !== undefined);
  return isServed || entries.length === 0 ? undefined : `ServiceEntry ${namespace}/${entries[0]}`;
}

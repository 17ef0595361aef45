import type { DestinationRuleTranslation } from '../translate/destination-rule/destination-rule.ts';
import type { Diagnostic } from '../translate/diagnostic.ts';
import { hasLinkerdAnnotations } from '../translate/linkerd-annotations/annotations.ts';
import type { MeshObjects } from './mesh-objects.ts';
import { unheldPolicies } from './unheld-policies.ts';
import { sayIfUnserved, unservedName } from './unserved-service.ts';

const PASSED = 'requests to it do not pass this route';
const HEEDED = 'nobody heeds what is said of its requests';

/** What waypoints do, for services that none serves: with sidecars each client did it, without a label on the service. */
export function withoutWaypoint(objects: MeshObjects): readonly Diagnostic[] {
  return [
    ...routes(objects),
    ...routesByName(objects),
    ...destinationRules(objects),
    ...annotatedServices(objects),
    ...unheldPolicies(objects),
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

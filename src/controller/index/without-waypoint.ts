import type { AuthorizationPolicy } from '#shared/authz/policy.ts';
import type { KubeObject } from '../source/kube-object.ts';
import { l4Rules } from '../translate/authorization-policy/l4-part.ts';
import type { DestinationRuleTranslation } from '../translate/destination-rule/destination-rule.ts';
import { type Diagnostic, Diagnostics } from '../translate/diagnostic.ts';
import { hasLinkerdAnnotations } from '../translate/linkerd-annotations/annotations.ts';
import { objectAt } from '../translate/loose-fields.ts';
import { GATEWAY_NAME } from '../translate/mesh-labels.ts';
import type { WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import type { MeshObjects } from './mesh-objects.ts';
import { type PolicyReach, selects } from './policy-reach.ts';
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

/** Tokens are verified, authorizers asked, and attributes of HTTP compared by waypoints alone. */
function policies(objects: MeshObjects): readonly Diagnostic[] {
  const authorizations = [...objects.authorizationPolicies.all()].map(({ object, value }) => ({
    object,
    reach: { ...value, namespace: object.metadata.namespace, scope: value.full.scope },
    effect: effectWithout(value.full),
  }));
  const tokens = [...objects.requestAuthentications.all()].map(({ object, value }) => ({
    object,
    reach: value,
    effect: 'no token is verified',
  }));
  return [...authorizations, ...tokens].flatMap(({ effect, object, reach }) => {
    if (effect === undefined || reach.targets.length > 0) return [];
    const spec = unservedWorkload(objects, reach);
    if (spec === undefined) return [];
    const message = `is for ${spec.namespace}/${spec.name}, which no Service with a waypoint leads to: there ${effect}`;
    const diagnostics = new Diagnostics(object);
    diagnostics.ignore('spec', objectAt(object.spec), message, 'label its Service istio.io/use-waypoint');
    return [...diagnostics.found];
  });
}

/** What of a policy holds where ztunnels alone hold it; undefined: all of it. */
function effectWithout({ action, rules }: AuthorizationPolicy): string | undefined {
  if (action === 'custom') return 'nobody is asked';
  if (action === 'audit') return 'nothing is told to the log';
  const { changed } = l4Rules(action, rules);
  if (changed.length === 0) return undefined;
  const list = changed.map(index => `rules[${index}]`).join(', ');
  const what = `${list}, which a ztunnel cannot compare (HTTP, server names, some trust domains),`;
  return action === 'allow'
    ? `${what} allow nothing`
    : `${what} deny without that, or nothing where nothing else is left`;
}

function unservedWorkload(objects: MeshObjects, reach: PolicyReach): WorkloadSpec | undefined {
  const isEverywhere = reach.scope === 'global' || reach.selectsEveryNamespace;
  const namespaces = isEverywhere ? objects.pods.namespaces() : [reach.namespace];
  for (const one of namespaces) {
    for (const spec of specsIn(objects, one)) {
      // Who is not in the mesh has no ztunnel, and a gateway is no workload of a policy.
      if (spec.tunnelProtocol === 'none' || spec.labels[GATEWAY_NAME] !== undefined) continue;
      if (reach.scope === 'workload_selector' && !selects(reach, spec)) continue;
      const services = servicesOf(objects, spec);
      // Of what is for all of a namespace, clients that serve nobody are not meant.
      if (services.length === 0 && reach.scope !== 'workload_selector') continue;
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

import type { RouteBackend } from '#shared/route/model.ts';
import type { KubeObject } from '../source/kube-object.ts';
import { type Diagnostic, Diagnostics } from '../translate/diagnostic.ts';
import { objectAt, objectsAt, textAt } from '../translate/loose-fields.ts';
import { DATAPLANE_MODE } from '../translate/mesh-labels.ts';
import { OWN_WAYPOINT_CLASS, WAYPOINT_CLASSES } from '../translate/waypoint-gateway/waypoint.ts';
import { attachedRoutes } from './attached-routes.ts';
import type { MeshObjects } from './mesh-objects.ts';
import { selects } from './policy-reach.ts';
import { waypointOfService, waypointOfServiceEntry } from './waypoint-of-service.ts';
import { specsIn } from './workload-specs.ts';

/**
 * What is well-formed and does nothing: routes past which all requests go, policies that select nobody, labels and classes that nobody knows. Not of
 * one object alone, so that each may be right tomorrow: for who asks why nothing happens, not for a status.
 */
export function withoutEffect(objects: MeshObjects): readonly Diagnostic[] {
  return [
    ...unroutedServices(objects),
    ...missingSubsets(objects),
    ...idlePolicies(objects),
    ...unknownClasses(objects),
    ...unknownModes(objects),
  ];
}

/** Routes are held by waypoints. */
function unroutedServices(objects: MeshObjects): Diagnostic[] {
  const kinds = [...objects.gatewayRoutes(), objects.virtualServices];
  return kinds.flatMap(kind =>
    [...kind.all()].flatMap(({ object, value }) => {
      const services = new Set(value.attachments.map(({ service }) => service));
      const field = object.kind === 'VirtualService' ? 'spec.hosts' : 'spec.parentRefs';
      return [...services].flatMap(service => {
        const unserved = withoutWaypoint(objects, service);
        if (unserved === undefined) return [];
        const message = `${unserved} uses no waypoint that is there: requests to it do not pass this route`;
        return said(object, field, listAt(object, field), message, `label it istio.io/use-waypoint`);
      });
    }),
  );
}

/** The Service or ServiceEntry of a host, where no waypoint serves it. @param service `<namespace>/<hostname>` */
function withoutWaypoint(objects: MeshObjects, service: string): string | undefined {
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

/** Requests that are sent to a subset nobody has defined are answered 503. */
function missingSubsets(objects: MeshObjects): Diagnostic[] {
  const { destinationRules } = attachedRoutes(objects);
  return [...objects.virtualServices.all()].flatMap(({ object, value }) => {
    const backends = value.attachments.flatMap(({ rules }) => rules.flatMap(rule => rule.backends));
    const missing = backends.filter(({ service, subset }) => {
      const rules = destinationRules.get(service ?? '') ?? [];
      return (
        subset !== undefined && !rules.some(rule => rule.value.subsets.some(({ name }) => name === subset))
      );
    });
    const shown = new Map(missing.map(backend => [`${backend.service}/${backend.subset}`, backend]));
    return [...shown.values()].flatMap(backend => missingSubset(object, backend));
  });
}

function missingSubset(object: KubeObject, { service = '', subset }: RouteBackend): Diagnostic[] {
  const message = `no DestinationRule defines subset ${subset} of ${service.split('/')[1]}: its share of requests is refused`;
  return said(object, 'spec.http', subset, message, 'define it in subsets of a DestinationRule of this host');
}

function idlePolicies(objects: MeshObjects): Diagnostic[] {
  const { authorizationPolicies, peerAuthentications, requestAuthentications } = objects;
  const everywhere = [...new Set([...objects.pods.namespaces(), ...objects.workloadEntries.namespaces()])];
  return [authorizationPolicies, peerAuthentications, requestAuthentications].flatMap(kind =>
    [...kind.all()].flatMap(({ object, value }) => {
      if (value.selects === undefined) return [];
      const { namespace } = object.metadata;
      const selectsEveryNamespace = 'selectsEveryNamespace' in value && value.selectsEveryNamespace;
      const reach = { namespace, selects: value.selects, selectsEveryNamespace, targets: [] };
      const namespaces = selectsEveryNamespace ? everywhere : [namespace];
      if (namespaces.some(n => [...specsIn(objects, n)].some(spec => selects(reach, spec)))) return [];
      const where = selectsEveryNamespace ? 'the mesh' : `namespace ${namespace}`;
      const message = `selects no workload: ${where} has none with these labels`;
      return said(object, 'spec.selector', objectAt(object.spec)['selector'], message, 'correct the labels');
    }),
  );
}

/** The protocol is for waypoints alone; a class that is installed is for its own controller to judge. */
function unknownClasses(objects: MeshObjects): Diagnostic[] {
  return [...objects.gateways.all()].flatMap(({ object }) => {
    const spec = objectAt(object.spec);
    const className = textAt(spec, 'gatewayClassName') ?? '';
    const isHbone = objectsAt(spec, 'listeners').some(l => textAt(l, 'protocol') === 'HBONE');
    const isKnown =
      WAYPOINT_CLASSES.has(className) || objects.gatewayClasses.get('', className) !== undefined;
    if (!isHbone || isKnown) return [];
    const message = 'is a class that nobody has: no waypoint is made of this Gateway';
    return said(object, 'spec.gatewayClassName', className, message, `use ${OWN_WAYPOINT_CLASS}`);
  });
}

function unknownModes(objects: MeshObjects): Diagnostic[] {
  return [objects.namespaces, objects.pods].flatMap(kind =>
    [...kind.all()].flatMap(({ object }) => {
      const mode = object.metadata.labels[DATAPLANE_MODE];
      if (mode === undefined || mode === 'ambient' || mode === 'none') return [];
      const message = 'is no mode of this mesh: pods are not captured';
      return said(object, `metadata.labels.${DATAPLANE_MODE}`, mode, message, 'use ambient or none');
    }),
  );
}

function listAt(object: KubeObject, field: string): unknown {
  return objectAt(object.spec)[field.slice('spec.'.length)];
}

function said(object: KubeObject, field: string, value: unknown, message: string, fix: string): Diagnostic[] {
  const diagnostics = new Diagnostics(object);
  diagnostics.ignore(field, value, message, fix);
  return [...diagnostics.found];
}

import type { RouteBackend } from '#shared/route/model.ts';
import { type Diagnostic, ignored } from '../translate/diagnostic.ts';
import type { ServiceResolver } from '../translate/consul/service-resolver.ts';
import { objectAt, objectsAt, textAt } from '../translate/loose-fields.ts';
import { DATAPLANE_MODE } from '../translate/mesh-labels.ts';
import { OWN_WAYPOINT_CLASS, WAYPOINT_CLASSES } from '../translate/waypoint-gateway/waypoint.ts';
import { attachedRoutes } from './attached-routes.ts';
import { linkerdInEffect } from './linkerd-in-effect.ts';
import type { MeshObjects } from './mesh-objects.ts';
import { selects } from './policy-reach.ts';
import { withoutWaypoint } from './without-waypoint.ts';
import { namespacesOfWorkloads, specsIn } from './workload-specs.ts';

/**
 * What is well-formed and does nothing: routes past which all requests go, policies that select nobody, labels and classes that nobody knows. Not of
 * one object alone, so that each may be right tomorrow: for who asks why nothing happens, not for a status.
 */
export function withoutEffect(objects: MeshObjects): readonly Diagnostic[] {
  return [
    ...withoutWaypoint(objects),
    ...missingSubsets(objects),
    ...idlePolicies(objects),
    ...unknownClasses(objects),
    ...unknownModes(objects),
    ...linkerdInEffect(objects),
    ...routesOfWaypoints(objects),
  ];
}

/** Requests that are sent to a subset nobody has defined are answered 503. */
function missingSubsets(objects: MeshObjects): Diagnostic[] {
  const { destinationRules, objectRoutes } = attachedRoutes(objects);
  const isDefined = ({ service = '', subset }: RouteBackend): boolean => {
    const rules = destinationRules.get(service) ?? [];
    const ofRules = rules.flatMap(rule => rule.value.subsets);
    return [...ofRules, ...(resolverOf(objects, service)?.subsets ?? [])].some(({ name }) => name === subset);
  };
  const found = [...objectRoutes.values()].flat().flatMap(({ object, rules, streamRules }) => {
    const backends = [...rules, ...streamRules].flatMap(rule => rule.backends);
    // Of one whose service is not there that is said.
    const missing = backends.filter(
      backend => backend.service !== undefined && backend.subset !== undefined && !isDefined(backend),
    );
    return missing.map(backend => missingSubset(object, backend));
  });
  return [...new Map(found.map(one => [`${one.object} ${one.message}`, one])).values()];
}

function missingSubset(object: string, { service = '', subset }: RouteBackend): Diagnostic {
  const isConsul = !object.startsWith('VirtualService');
  const kind = isConsul ? 'ServiceResolver' : 'DestinationRule';
  const message = `no ${kind} defines subset ${subset} of ${service.split('/')[1]}: its share is refused`;
  return {
    object,
    field: isConsul ? 'spec' : 'spec.http',
    value: JSON.stringify(subset),
    message,
    fix: `define it in subsets of a ${kind} of this ${isConsul ? 'service' : 'host'}`,
    severity: 'ignored',
  };
}

function resolverOf(objects: MeshObjects, service: string): ServiceResolver | undefined {
  const [namespace = '', hostname = ''] = service.split('/');
  return objects.serviceResolvers.get(namespace, hostname.split('.')[0] ?? '')?.value;
}

function idlePolicies(objects: MeshObjects): Diagnostic[] {
  const { authorizationPolicies, peerAuthentications, requestAuthentications } = objects;
  const everywhere = [...namespacesOfWorkloads(objects)];
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
      return ignored(
        object,
        'spec.selector',
        objectAt(object.spec)['selector'],
        message,
        'correct the labels',
      );
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
    return ignored(object, 'spec.gatewayClassName', className, message, `use ${OWN_WAYPOINT_CLASS}`);
  });
}

function unknownModes(objects: MeshObjects): Diagnostic[] {
  return [objects.namespaces, objects.pods].flatMap(kind =>
    [...kind.all()].flatMap(({ object }) => {
      const mode = object.metadata.labels[DATAPLANE_MODE];
      if (mode === undefined || mode === 'ambient' || mode === 'none') return [];
      const message = 'is no mode of this mesh: pods are not captured';
      return ignored(object, `metadata.labels.${DATAPLANE_MODE}`, mode, message, 'use ambient or none');
    }),
  );
}

/** As the status of such a route says. */
function routesOfWaypoints(objects: MeshObjects): Diagnostic[] {
  return objects.gatewayRoutes().flatMap(kind =>
    [...kind.all()].flatMap(({ object }) => {
      const parents = objectsAt(objectAt(object.spec), 'parentRefs');
      const waypoint = parents.find(
        parent =>
          (textAt(parent, 'kind') ?? 'Gateway') === 'Gateway' &&
          objects.waypoint(
            textAt(parent, 'namespace') ?? object.metadata.namespace,
            textAt(parent, 'name') ?? '',
          ),
      );
      if (waypoint === undefined) return [];
      const message = 'is a waypoint, which has no listener that routes attach to';
      const fix = 'name the Service as the parent, with group "" and kind Service';
      return ignored(object, 'spec.parentRefs', textAt(waypoint, 'name'), message, fix);
    }),
  );
}

import type { AuthorizationPolicy } from '#shared/authz/policy.ts';
import type { PolicyReach } from '../translate/authorization-policy/policy-reach.ts';
import { l4Rules } from '../translate/authorization-policy/l4-part.ts';
import { type Diagnostic, ignored } from '../translate/diagnostic.ts';
import { objectAt } from '../translate/loose-fields.ts';
import { GATEWAY_NAME } from '../translate/mesh-labels.ts';
import type { WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import type { MeshObjects } from './mesh-objects.ts';
import { selects } from './policy-reach.ts';
import { sayIfUnserved, unservedName } from './unserved-service.ts';
import { servicesOf, specsIn } from './workload-specs.ts';

/** Policies, or parts of them, that nobody holds for want of a waypoint. */
export function unheldPolicies(objects: MeshObjects): readonly Diagnostic[] {
  return [...policies(objects), ...attachedPolicies(objects)];
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
  const standings = new Map<string, Standing>();
  return [...authorizations, ...tokens].flatMap(({ effect, object, reach }) => {
    if (effect === undefined || reach.targets.length > 0) return [];
    const spec = unservedWorkload(objects, reach, standings);
    if (spec === undefined) return [];
    const message = `is for ${spec.namespace}/${spec.name}, which no Service with a waypoint leads to: there ${effect}`;
    return ignored(object, 'spec', objectAt(object.spec), message, 'label its Service istio.io/use-waypoint');
  });
}

/** Policies with targetRefs are a waypoint's alone: for a Service without one nobody holds them. */
function attachedPolicies(objects: MeshObjects): readonly Diagnostic[] {
  const all = [...objects.authorizationPolicies.all(), ...objects.requestAuthentications.all()];
  return all.flatMap(({ object, value }) =>
    value.targets.flatMap(({ kind, name }) => {
      const { namespace } = object.metadata;
      const hosts =
        kind === 'Service' || kind === 'ServiceEntry' ? targetHosts(objects, kind, namespace, name) : [];
      if (hosts === undefined) {
        const message = `there is no ${kind} ${namespace}/${name}: nobody holds the policy for it`;
        return ignored(object, 'spec.targetRefs', name, message, 'create it or correct the name');
      }
      const [host] = hosts;
      return host === undefined
        ? []
        : sayIfUnserved(
            objects,
            object,
            'targetRefs',
            `${namespace}/${host}`,
            'nobody holds the policy for it',
          );
    }),
  );
}

function targetHosts(
  objects: MeshObjects,
  kind: 'Service' | 'ServiceEntry',
  namespace: string,
  name: string,
): readonly string[] | undefined {
  if (kind === 'ServiceEntry')
    return objects.serviceEntries.get(namespace, name)?.value?.services.map(({ hostname }) => hostname);
  const service = objects.services.get(namespace, name)?.value;
  return service && [service.hostname];
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

/** Of a workload: whether it is behind Services, and whether a waypoint serves one of them. */
type Standing = 'client' | 'served' | 'unserved';

/** @param standings found so far, by workload: most policies are for many, and most workloads have several */
function unservedWorkload(
  objects: MeshObjects,
  reach: PolicyReach,
  standings: Map<string, Standing>,
): WorkloadSpec | undefined {
  const isEverywhere = reach.scope === 'global' || reach.selectsEveryNamespace;
  const namespaces = isEverywhere ? objects.pods.namespaces() : [reach.namespace];
  for (const one of namespaces) {
    for (const spec of specsIn(objects, one)) {
      // Who is not in the mesh has no ztunnel, and a gateway is no workload of a policy.
      if (spec.tunnelProtocol === 'none' || spec.labels[GATEWAY_NAME] !== undefined) continue;
      if (reach.scope === 'workload_selector' && !selects(reach, spec)) continue;
      const standing = standings.get(spec.uid) ?? standingOf(objects, spec);
      standings.set(spec.uid, standing);
      // Of what is for all of a namespace, clients that serve nobody are not meant.
      if (standing === 'unserved' || (standing === 'client' && reach.scope === 'workload_selector'))
        return spec;
    }
  }
  return undefined;
}

export function standingOf(objects: MeshObjects, spec: WorkloadSpec): Standing {
  const services = servicesOf(objects, spec);
  if (services.length === 0) return 'client';
  const isServed = services.some(
    service => unservedName(objects, `${service.namespace}/${service.hostname}`) === undefined,
  );
  return isServed ? 'served' : 'unserved';
}

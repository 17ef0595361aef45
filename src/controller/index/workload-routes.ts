import type { MeshResource } from '#shared/discovery/mesh-resource.ts';
import { NO_ROUTES, type ServiceRoutes } from '#shared/route/model.ts';
import type { WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import { bindWaypoint, requestedWaypoint } from '../translate/waypoint-gateway/bind-waypoint.ts';
import { authorizersOf } from './authorizers.ts';
import type { MeshObjects } from './mesh-objects.ts';
import { pathNormalization } from './path-normalization.ts';
import type { PolicySubject } from './policy-reach.ts';
import type { PolicySet } from './policy-set.ts';
import { telemetryFor } from './telemetry.ts';
import { specsIn } from './workload-specs.ts';

type Held = Pick<
  ServiceRoutes,
  'inboundRules' | 'authorizationPolicies' | 'authorizers' | 'tokenIssuers' | 'telemetry'
>;

/**
 * What a waypoint holds for the workloads of a namespace whose own addresses it stands before (`istio.io/waypoint-for`), each
 * as a service named by its uid. Routes are attached to Services alone.
 */
export function workloadRoutes(
  objects: MeshObjects,
  policies: PolicySet,
  namespace: string,
): readonly MeshResource[] {
  const namespaceLabels = objects.namespaceMeta(namespace).labels;
  const normalization = pathNormalization(objects);
  // Pods of one Deployment are alike, and there may be thousands.
  const ofKind = new Map<string, Held>();
  return [...specsIn(objects, namespace)].flatMap(spec => {
    const { labels, uid } = spec;
    const request = { traffic: 'workload', namespace, labels, namespaceLabels } as const;
    const waypoint = requestedWaypoint(request);
    if (spec.hostNetwork || waypoint === undefined) return [];
    if (bindWaypoint(request, objects, objects.options.cluster).address === undefined) return [];
    const kind = kindOf(spec, policies);
    const held = ofKind.getOrInsertComputed(kind, () =>
      heldFor(objects, policies, { spec, namespace, waypoint }),
    );
    return [
      {
        kind: 'routes',
        routes: { ...NO_ROUTES, namespace, hostname: uid, pathNormalization: normalization, ...held },
      },
    ];
  });
}

/** Whatever of a workload policies look at. */
function kindOf(spec: WorkloadSpec, policies: PolicySet): string {
  const { labels, namedPorts, serviceAccount } = spec;
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  // Some are for ports by their names, or by annotations.
  return JSON.stringify([serviceAccount, sorted, [...namedPorts], policies.namesFor(spec)]);
}

function heldFor(
  objects: MeshObjects,
  policies: PolicySet,
  {
    namespace,
    spec,
    waypoint,
  }: Pick<PolicySubject, 'namespace' | 'waypoint'> & { readonly spec: WorkloadSpec },
): Held {
  const subject: PolicySubject = {
    kind: 'workload',
    name: spec.name,
    namespace,
    waypoint,
    endpoints: [spec],
    ports: [],
  };
  const authorizationPolicies = policies.forService(subject);
  return {
    inboundRules: policies.inboundRulesFor(subject),
    authorizationPolicies,
    authorizers: authorizersOf(objects, authorizationPolicies),
    tokenIssuers: policies.tokenIssuersFor(subject),
    telemetry: telemetryFor(subject, objects),
  };
}

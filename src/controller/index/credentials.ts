import type { MeshResource } from '#shared/discovery/mesh-resource.ts';
import { rootsBeside } from '#shared/route/tls-credential.ts';
import type { ServiceRoutes } from '#shared/route/model.ts';
import type { TrafficPolicy } from '#shared/route/traffic-policy.ts';
import { requestedWaypoint } from '../translate/waypoint-gateway/bind-waypoint.ts';
import { allPolicies } from '../translate/service-policies.ts';
import type { MeshObjects } from './mesh-objects.ts';
import { reachedServices, serviceKey } from './reached-services.ts';
import { waypointAccounts } from './waypoint-principals.ts';

/**
 * Secrets that TLS is originated with, each for the waypoints alone that originate it: those of the services whose policy
 * names it, and of the services that lead there.
 */
export function credentialResources(
  objects: MeshObjects,
  routes: readonly ServiceRoutes[],
): readonly MeshResource[] {
  const named = new Map(routes.map(one => [serviceKey(one), credentialsOf(one)]));
  const audiences = new Map<string, Set<string>>();
  for (const one of routes) {
    const wanted = reachedServices(one).flatMap(service => [...(named.get(service) ?? [])]);
    if (wanted.length === 0) continue;
    for (const identity of waypointIdentities(objects, one)) {
      for (const name of wanted) {
        const audience = audiences.get(name);
        if (audience === undefined) audiences.set(name, new Set([identity]));
        else audience.add(identity);
      }
    }
  }
  return [...objects.secrets.all()].flatMap(({ value: credential }) => {
    const audience = credential && audiences.get(credential.name);
    if (credential === undefined || audience === undefined) return [];
    return [{ kind: 'credential' as const, credential, audience: [...audience].sort() }];
  });
}

function credentialsOf(routes: ServiceRoutes): ReadonlySet<string> {
  return new Set(allPolicies(routes).flatMap(policy => secretsOf(policy)));
}

/** As in Istio, authorities may be in a Secret beside the one of the certificate. */
function secretsOf({ tls }: TrafficPolicy): readonly string[] {
  const { credential, trustedRoots } = tls ?? {};
  const roots = trustedRoots?.kind === 'credential' ? [trustedRoots.name] : [];
  return credential === undefined ? roots : [...roots, credential, rootsBeside(credential)];
}

function waypointIdentities(objects: MeshObjects, { hostname, namespace }: ServiceRoutes): readonly string[] {
  const { trustDomain } = objects.options.cluster;
  for (const { object, value } of objects.routedServices(namespace)) {
    if (value.hostname !== hostname) continue;
    const namespaceLabels = objects.namespaceMeta(namespace).labels;
    const wanted = requestedWaypoint({ labels: object.metadata.labels, namespace, namespaceLabels });
    if (wanted === undefined) return [];
    const accounts = [...waypointAccounts(objects, wanted)];
    return accounts.map(account => `spiffe://${trustDomain}/ns/${wanted.namespace}/sa/${account}`);
  }
  return [];
}

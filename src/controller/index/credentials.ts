import type { MeshResource } from '#shared/discovery/mesh-resource.ts';
import { rootsBeside, type TlsCredential } from '#shared/route/tls-credential.ts';
import { routesHeldBy } from '#shared/route/canary-routes.ts';
import type { ServiceRoutes } from '#shared/route/model.ts';
import type { TrafficPolicy } from '#shared/route/traffic-policy.ts';
import { serviceHostname } from '../translate/cluster.ts';
import { grantsSecret } from '../translate/reference-grant/reference-grant.ts';
import { requestedWaypoint } from '../translate/waypoint-gateway/bind-waypoint.ts';
import { allPolicies } from '../translate/service-policies.ts';
import { canaryOf } from './canary-of.ts';
import type { MeshObjects } from './mesh-objects.ts';
import { addTo } from './multimap.ts';
import { reachedServices, serviceKey } from './reached-services.ts';
import { waypointAccounts } from './waypoint-principals.ts';

/**
 * Secrets that TLS is originated with, each for the waypoints alone that originate it: those of the services whose policy
 * names it, and of the services that lead there. A private key goes to those that its namespace has chosen: waypoints of
 * its own, those its services use, and of namespaces that a ReferenceGrant names. Anybody may write a route that leads
 * to another's service, and is who their waypoint is.
 */
export function credentialResources(
  objects: MeshObjects,
  routes: readonly ServiceRoutes[],
): readonly MeshResource[] {
  const byService = new Map(routes.map(one => [serviceKey(one), one]));
  const known = new Map<ServiceRoutes, ReadonlySet<string>>();
  // By the services that routes lead to, each as it is to a waypoint.
  const named = (
    from: ServiceRoutes,
    held: (reached: ServiceRoutes) => readonly ServiceRoutes[],
  ): Set<string> => {
    const reached = reachedServices(from).flatMap(service => byService.get(service) ?? []);
    return new Set(reached.flatMap(held).flatMap(one => [...known.getOrInsertComputed(one, credentialsOf)]));
  };
  const users = new Map<string, CredentialUser[]>();
  for (const one of routes) {
    // Most need none: that is seen at less cost than who their waypoints are.
    if (!variantsOf(one).some(variant => named(variant, variantsOf).size > 0)) continue;
    for (const user of usersOf(objects, one)) {
      const held = (reached: ServiceRoutes): readonly ServiceRoutes[] => [
        routesHeldBy(reached, user.waypoint),
      ];
      for (const name of named(routesHeldBy(one, user.waypoint), held)) addTo(users, name, user);
    }
  }
  return [...objects.secrets.all()].flatMap(({ value: credential }) => {
    const wanting = (credential && users.get(credential.name)) ?? [];
    const allowed = wanting.filter(user => credential !== undefined && mayHold(objects, user, credential));
    if (credential === undefined || allowed.length === 0) return [];
    const audience = [...new Set(allowed.flatMap(({ identities }) => identities))].sort();
    return [{ kind: 'credential' as const, credential, audience }];
  });
}

/** What the waypoint of a service holds of it, and what a canary does. */
function variantsOf(routes: ServiceRoutes): readonly ServiceRoutes[] {
  return routes.canary === undefined ? [routes] : [routes, routes.canary.routes];
}

/** A waypoint of a service that needs a credential, for itself or for what it leads to. */
interface CredentialUser {
  readonly serviceNamespace: string;
  readonly waypoint: { readonly namespace: string; readonly hostname: string };
  readonly identities: readonly string[];
}

function mayHold(
  objects: MeshObjects,
  { serviceNamespace, waypoint }: CredentialUser,
  { name, privateKeyPem }: TlsCredential,
): boolean {
  const [namespace = '', secret = ''] = name.split('/');
  if (privateKeyPem === '' || [serviceNamespace, waypoint.namespace].includes(namespace)) return true;
  for (const { value } of objects.referenceGrants.inNamespace(namespace))
    if (grantsSecret(value, waypoint.namespace, secret)) return true;
  return false;
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

/** Its waypoint, and its canary. */
function usersOf(objects: MeshObjects, { hostname, namespace }: ServiceRoutes): readonly CredentialUser[] {
  for (const { object, value } of objects.routedServices(namespace)) {
    if (value.hostname !== hostname) continue;
    const namespaceLabels = objects.namespaceMeta(namespace).labels;
    const wanted = requestedWaypoint({ labels: object.metadata.labels, namespace, namespaceLabels });
    const canary = canaryOf(objects, object);
    const waypoints = [
      ...(wanted === undefined ? [] : [wanted]),
      ...(canary.kind === 'bound' ? [canary] : []),
    ];
    return waypoints.map(waypoint => userOf(objects, namespace, waypoint));
  }
  return [];
}

function userOf(
  objects: MeshObjects,
  serviceNamespace: string,
  waypoint: { readonly namespace: string; readonly name: string },
): CredentialUser {
  const { cluster } = objects.options;
  const { name, namespace } = waypoint;
  const identities = [...waypointAccounts(objects, waypoint)].map(
    account => `spiffe://${cluster.trustDomain}/ns/${namespace}/sa/${account}`,
  );
  const hostname = serviceHostname(cluster, namespace, name);
  return { serviceNamespace, waypoint: { namespace, hostname }, identities };
}

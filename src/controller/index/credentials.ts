import type { MeshResource } from '#shared/discovery/mesh-resource.ts';
import { rootsBeside, type TlsCredential } from '#shared/route/tls-credential.ts';
import type { ServiceRoutes } from '#shared/route/model.ts';
import type { TrafficPolicy } from '#shared/route/traffic-policy.ts';
import { grantsSecret } from '../translate/reference-grant/reference-grant.ts';
import { requestedWaypoint } from '../translate/waypoint-gateway/bind-waypoint.ts';
import { allPolicies } from '../translate/service-policies.ts';
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
  const named = new Map(routes.map(one => [serviceKey(one), credentialsOf(one)]));
  const users = new Map<string, CredentialUser[]>();
  for (const one of routes) {
    const wanted = reachedServices(one).flatMap(service => [...(named.get(service) ?? [])]);
    const user = wanted.length === 0 ? undefined : userOf(objects, one);
    if (user === undefined) continue;
    for (const name of wanted) addTo(users, name, user);
  }
  return [...objects.secrets.all()].flatMap(({ value: credential }) => {
    const wanting = (credential && users.get(credential.name)) ?? [];
    const allowed = wanting.filter(user => credential !== undefined && mayHold(objects, user, credential));
    if (credential === undefined || allowed.length === 0) return [];
    const audience = [...new Set(allowed.flatMap(({ identities }) => identities))].sort();
    return [{ kind: 'credential' as const, credential, audience }];
  });
}

/** The waypoint of a service that needs a credential, for itself or for what it leads to. */
interface CredentialUser {
  readonly serviceNamespace: string;
  readonly waypointNamespace: string;
  readonly identities: readonly string[];
}

function mayHold(
  objects: MeshObjects,
  user: CredentialUser,
  { name, privateKeyPem }: TlsCredential,
): boolean {
  const [namespace = '', secret = ''] = name.split('/');
  if (privateKeyPem === '' || [user.serviceNamespace, user.waypointNamespace].includes(namespace))
    return true;
  for (const { value } of objects.referenceGrants.inNamespace(namespace))
    if (grantsSecret(value, user.waypointNamespace, secret)) return true;
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

function userOf(objects: MeshObjects, { hostname, namespace }: ServiceRoutes): CredentialUser | undefined {
  const { trustDomain } = objects.options.cluster;
  for (const { object, value } of objects.routedServices(namespace)) {
    if (value.hostname !== hostname) continue;
    const namespaceLabels = objects.namespaceMeta(namespace).labels;
    const wanted = requestedWaypoint({ labels: object.metadata.labels, namespace, namespaceLabels });
    if (wanted === undefined) return undefined;
    const accounts = [...waypointAccounts(objects, wanted)];
    const identities = accounts.map(
      account => `spiffe://${trustDomain}/ns/${wanted.namespace}/sa/${account}`,
    );
    return { serviceNamespace: namespace, waypointNamespace: wanted.namespace, identities };
  }
  return undefined;
}

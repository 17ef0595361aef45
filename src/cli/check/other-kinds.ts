import { isJsonObject } from '#shared/config/json.ts';
import type { Cluster } from '../cluster/kube-api.ts';
import { fullName, type KubeObject, type ObjectKind } from '../cluster/kube-object.ts';
import { ForbiddenError } from '../cluster/operator-api.ts';
import { text } from '#shared/config/json-fields.ts';

/** A kind of Istio, Linkerd, Consul or Gateway API that decides about traffic and that nothing here reads. */
interface OtherKind {
  readonly kind: string;
  /** Name of its definition: `<plural>.<group>`. */
  readonly definition: string;
  /** What takes its place. */
  readonly instead: string;
}

/** Objects of such a kind. */
export interface OtherObjects {
  readonly kind: string;
  readonly group: string;
  readonly instead: string;
  /** Undefined: we may not list them. */
  readonly names: readonly string[] | undefined;
}

/** Kinds that say the same of sidecars alone (Sidecar, ProxyConfig) are left out: Istio's ambient mode does not read them either. */
const OTHER_KINDS: readonly OtherKind[] = [
  {
    kind: 'EnvoyFilter',
    definition: 'envoyfilters.networking.istio.io',
    instead: 'no proxy here is Envoy; limits are the annotation ambient.mesh/rate-limit',
  },
  {
    kind: 'WasmPlugin',
    definition: 'wasmplugins.extensions.istio.io',
    instead:
      'ask a service of your own: the filter ExternalAuth, or an AuthorizationPolicy with action CUSTOM',
  },
  {
    kind: 'Gateway',
    definition: 'gateways.networking.istio.io',
    instead:
      'this mesh has no gateways at its edge: keep your ingress; what leaves goes by a waypoint of a ServiceEntry',
  },
  {
    kind: 'WorkloadGroup',
    definition: 'workloadgroups.networking.istio.io',
    instead: 'write a WorkloadEntry for each machine',
  },
  {
    kind: 'EgressNetwork',
    definition: 'egressnetworks.policy.linkerd.io',
    instead: 'nothing of it is held: use a ServiceEntry with a waypoint',
  },
  {
    kind: 'TrafficSplit',
    definition: 'trafficsplits.split.smi-spec.io',
    instead: 'use the weights of an HTTPRoute',
  },
  {
    kind: 'ServiceDefaults',
    definition: 'servicedefaults.consul.hashicorp.com',
    instead:
      'a protocol is appProtocol of the Service’s port; bounds are in a DestinationRule or ServiceResolver',
  },
  {
    kind: 'ProxyDefaults',
    definition: 'proxydefaults.consul.hashicorp.com',
    instead: 'use Telemetry, and variables of the proxies',
  },
  {
    kind: 'TerminatingGateway',
    definition: 'terminatinggateways.consul.hashicorp.com',
    instead: 'write a ServiceEntry with a waypoint',
  },
];

/** What takes the place of a kind, where it is one of these. */
export function insteadOf(group: string, kind: string): string | undefined {
  return OTHER_KINDS.find(other => other.kind === kind && other.definition.endsWith(`.${group}`))?.instead;
}

/** @param definitions undefined: they cannot be listed, so nothing is known */
export async function otherObjects(
  cluster: Cluster,
  definitions: readonly KubeObject[] | undefined,
): Promise<readonly OtherObjects[] | undefined> {
  if (definitions === undefined) return undefined;
  const found = await Promise.all(
    OTHER_KINDS.map(async ({ definition, instead, kind }) => {
      const crd = definitions.find(({ name }) => name === definition);
      return crd === undefined ? undefined : { kind, instead, ...(await objectsOf(cluster, kind, crd)) };
    }),
  );
  return found.filter(objects => objects !== undefined).filter(({ names }) => names?.length !== 0);
}

async function objectsOf(
  { api }: Cluster,
  kind: string,
  { spec, name }: KubeObject,
): Promise<Pick<OtherObjects, 'group' | 'names'>> {
  const [plural = '', ...rest] = name.split('.');
  const group = rest.join('.');
  const listed: ObjectKind = { apiVersion: `${group}/${servedVersion(spec['versions'])}`, kind, plural };
  try {
    const objects = (await api.list(listed)) ?? [];
    return { group, names: objects.map(fullName) };
  } catch (error) {
    if (error instanceof ForbiddenError) return { group, names: undefined };
    throw error;
  }
}

function servedVersion(versions: unknown): string {
  const all = Array.isArray(versions) ? versions.filter(isJsonObject) : [];
  return text(all.find(version => version['served'] === true) ?? {}, 'name');
}

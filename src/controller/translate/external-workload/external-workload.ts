import { isSpiffeId, serviceAccountOf } from '#shared/spiffe/spiffe-id.ts';
import { canonicalIp } from '#shared/workload/ip.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import type { Cluster } from '../cluster.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { principalOf } from '../linkerd-policy/identity.ts';
import { objectAt, objectsAt, textAt } from '../loose-fields.ts';
import {
  CANONICAL_NAME,
  DATAPLANE_MODE,
  NETWORK,
  REGION,
  SUBZONE,
  WORKLOAD_NAME,
  ZONE,
} from '../mesh-labels.ts';
import { isReady } from '../pod-to-workload/pod.ts';
import type { WorkloadSpec } from '../pod-to-workload/workload-spec.ts';

/** What their uids are known by. */
export const EXTERNAL_WORKLOAD = 'workload.linkerd.io/ExternalWorkload';

/** Linkerd ExternalWorkload: a machine outside of the cluster that is part of the mesh. Undefined when it has no address yet. */
export function readExternalWorkload(
  object: KubeObject,
  cluster: Cluster,
): Translated<WorkloadSpec | undefined> {
  const diagnostics = new Diagnostics(object);
  const spec = readSpec(object, diagnostics, fields => readWorkload(object, fields, cluster));
  return diagnostics.conclude(spec);
}

/** What Servers select by another selector than pods. */
export function isExternalWorkload({ uid }: Pick<WorkloadSpec, 'uid'>): boolean {
  return uid.includes(`/${EXTERNAL_WORKLOAD}/`);
}

function readWorkload(object: KubeObject, fields: Fields, cluster: Cluster): WorkloadSpec | undefined {
  const { labels, name, namespace } = object.metadata;
  const addresses = fields.objects('workloadIPs', readAddress).filter(ip => ip !== undefined);
  const serviceAccount = readMeshTls(fields, namespace, cluster);
  const ports = fields.objects('ports', readPort).filter(port => port !== undefined);
  if (addresses.length === 0) return undefined;
  // Whoever asks for TLS to a machine shall not get plaintext because it has no proxy yet.
  const isOutside = labels[DATAPLANE_MODE] === 'none';
  return {
    uid: `${cluster.clusterId}/${EXTERNAL_WORKLOAD}/${namespace}/${name}`,
    name,
    namespace,
    labels,
    consulMeta: {},
    addresses,
    hostname: '',
    endpointName: undefined,
    node: '',
    serviceAccount: serviceAccount ?? 'default',
    hostNetwork: false,
    healthy: isReady(objectAt(object.status)),
    tunnelProtocol: isOutside ? 'none' : 'hbone',
    nativeTunnel: !isOutside,
    workloadName: labels[WORKLOAD_NAME] || labels[CANONICAL_NAME] || name,
    workloadType: 'pod',
    namedPorts: new Map(ports.flatMap(({ name: own, port }) => (own === undefined ? [] : [[own, port]]))),
    declaredPorts: new Set(ports.map(({ port }) => port)),
    network: labels[NETWORK] ?? '',
    locality: localityOf(labels),
    capacity: 1,
  };
}

function readAddress(fields: Fields): string | undefined {
  const text = fields.requiredString('ip');
  const ip = canonicalIp(text);
  if (ip === undefined && text !== '') fields.reject('ip', 'is no IP address', 'use an IPv4 or IPv6 address');
  return ip;
}

interface Port {
  readonly name: string | undefined;
  readonly port: number;
}

/** Undefined for what does not carry TCP. */
function readPort(fields: Fields): Port | undefined {
  const name = fields.string('name');
  const port = fields.port('port');
  if (port === undefined && !fields.has('port')) fields.reject('port', 'is required', 'write its number');
  const protocol = fields.string('protocol') ?? 'TCP';
  return port === undefined || protocol.toUpperCase() !== 'TCP' ? undefined : { name, port };
}

/** The service account of the identity. v1alpha1 writes the field in another way. */
function readMeshTls(fields: Fields, namespace: string, cluster: Cluster): string | undefined {
  const key = fields.has('meshTLS') || !fields.has('meshTls') ? 'meshTLS' : 'meshTls';
  if (!fields.has(key)) fields.reject(key, 'is required', 'say which identity it proves');
  return fields.object(key, tls => {
    // Who is asked for is said by the address that is dialled: HBONE has no server name.
    tls.string('serverName');
    return readIdentity(tls, namespace, cluster);
  });
}

/** Its own namespace's: nobody is to say for others who they are. */
function readIdentity(fields: Fields, namespace: string, { trustDomain }: Cluster): string | undefined {
  const text = fields.requiredString('identity');
  if (text === '') return undefined;
  const principal = principalOf(text, trustDomain);
  const id = principal?.kind === 'exact' ? `spiffe://${principal.value}` : '';
  const fix = `write spiffe://${trustDomain}/ns/${namespace}/sa/<account>`;
  if (!isSpiffeId(id)) {
    fields.reject('identity', 'is no identity of a service account', fix);
    return undefined;
  }
  const identity = serviceAccountOf(id);
  if (identity.namespace !== namespace)
    fields.reject('identity', `is of namespace ${identity.namespace}, and the machine of ${namespace}`, fix);
  if (identity.trustDomain !== trustDomain)
    fields.reject(
      'identity',
      `is of trust domain ${identity.trustDomain}, and this mesh is ${trustDomain}`,
      fix,
    );
  return identity.serviceAccount;
}

function localityOf(labels: Readonly<Record<string, string>>): string {
  const parts = [labels[REGION] ?? '', labels[ZONE] ?? '', labels[SUBZONE] ?? ''];
  return parts.every(part => part === '') ? '' : parts.join('/');
}

/** What of the status says whether it is ready: the rest changes with each probe. */
export function readinessOf(status: unknown): object {
  const conditions = objectsAt(objectAt(status), 'conditions')
    .filter(condition => condition['type'] === 'Ready')
    .map(condition => ({ type: 'Ready', status: textAt(condition, 'status') }));
  return { conditions };
}

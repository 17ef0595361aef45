import { canonicalIp } from '#shared/workload/ip.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import type { Cluster } from '../cluster.ts';
import type { Fields } from '../decode.ts';
import { tunnel } from '../pod-to-workload/pod.ts';
import type { WorkloadSpec } from '../pod-to-workload/workload-spec.ts';
import { readEntryWorkload } from '../workload-entry/entry-workload.ts';
import { HOST_NAME } from './host-name.ts';

export interface EndpointContext {
  /** The ServiceEntry. */
  readonly object: KubeObject;
  readonly cluster: Cluster;
  /** By DNS: an address may be a name. */
  readonly named: boolean;
}

/** One of `endpoints[]`: outside the mesh, dialled in plaintext, unless a label says it speaks HBONE. */
export function readEndpoint(
  fields: Fields,
  index: number,
  context: EndpointContext,
): WorkloadSpec | undefined {
  const { cluster, named, object } = context;
  const { name, namespace } = object.metadata;
  const address = fields.requiredString('address');
  const ip = canonicalIp(address);
  if (ip === undefined && address !== '' && !named)
    fields.reject('address', 'is no IP address', 'use an address, or resolution DNS for a name');
  const hostname = ip === undefined ? address.toLowerCase() : '';
  if (named && hostname !== '' && !HOST_NAME.test(hostname))
    fields.reject('address', 'is neither an IP address nor a host name', 'write such as api.example.com');
  const labels = Object.fromEntries(fields.stringMap('labels'));
  return readEntryWorkload(fields, {
    uid: `${cluster.clusterId}/networking.istio.io/ServiceEntry/${namespace}/${name}/${index}`,
    name: `${name}-${index}`,
    namespace,
    labels,
    addresses: ip === undefined ? [] : [ip],
    hostname,
    ...tunnel({ ...object, metadata: { ...object.metadata, labels, annotations: {} } }, false),
    workloadName: name,
  });
}

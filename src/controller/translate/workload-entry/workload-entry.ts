import { canonicalIp } from '#shared/workload/ip.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import type { Cluster } from '../cluster.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { CANONICAL_NAME, WORKLOAD_NAME } from '../mesh-labels.ts';
import { tunnel } from '../pod-to-workload/pod.ts';
import type { WorkloadSpec } from '../pod-to-workload/workload-spec.ts';
import { readEntryWorkload } from './entry-workload.ts';

/** Istio WorkloadEntry: something outside the cluster that is part of the mesh. Undefined when it has no address yet. */
export function readWorkloadEntry(
  object: KubeObject,
  cluster: Cluster,
): Translated<WorkloadSpec | undefined> {
  const diagnostics = new Diagnostics(object);
  const spec = readSpec(object, diagnostics, fields => readEntry(object, fields, cluster));
  return diagnostics.conclude(spec);
}

function readEntry(object: KubeObject, fields: Fields, cluster: Cluster): WorkloadSpec | undefined {
  const { name, namespace } = object.metadata;
  const labels = { ...object.metadata.labels, ...Object.fromEntries(fields.stringMap('labels')) };
  const address = fields.string('address');
  const ip = address === undefined ? undefined : canonicalIp(address);
  if (address !== undefined && address !== '' && ip === undefined) {
    fields.reject(
      'address',
      'is no IP address',
      'use an IPv4 or IPv6 address; names and unix sockets are not supported',
    );
  }
  const workloadName = labels[WORKLOAD_NAME] || labels[CANONICAL_NAME] || name;
  const spec = readEntryWorkload(fields, {
    uid: `${cluster.clusterId}/networking.istio.io/WorkloadEntry/${namespace}/${name}`,
    name,
    namespace,
    labels,
    addresses: ip === undefined ? [] : [ip],
    hostname: '',
    ...tunnel(object, false),
    workloadName,
  });
  return ip === undefined ? undefined : spec;
}

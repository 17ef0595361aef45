import { canonicalIp } from '#shared/workload/ip.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import type { Cluster } from '../cluster.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { CANONICAL_NAME, WORKLOAD_NAME } from '../mesh-labels.ts';
import { tunnel } from '../pod-to-workload/pod.ts';
import type { WorkloadSpec } from '../pod-to-workload/workload-spec.ts';

const MAX_WEIGHT = 1_000_000;

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
  const namedPorts = new Map<string, number>();
  fields.object('ports', ports => {
    for (const port of ports.keys()) {
      const number = ports.port(port);
      if (number !== undefined) namedPorts.set(port, number);
    }
  });
  const workloadName = labels[WORKLOAD_NAME] || labels[CANONICAL_NAME] || name;
  const spec: WorkloadSpec = {
    uid: `${cluster.clusterId}/networking.istio.io/WorkloadEntry/${namespace}/${name}`,
    name,
    namespace,
    labels,
    consulMeta: {},
    addresses: ip === undefined ? [] : [ip],
    hostname: '',
    node: '',
    serviceAccount: fields.string('serviceAccount') || 'default',
    hostNetwork: false,
    healthy: true,
    ...tunnel(object, false),
    workloadName,
    workloadType: 'pod',
    namedPorts,
    network: fields.string('network') ?? '',
    locality: fields.string('locality') ?? '',
    // The mesh's default share is 1.
    capacity: fields.integer('weight', 0, MAX_WEIGHT) ?? 1,
  };
  return ip === undefined ? undefined : spec;
}

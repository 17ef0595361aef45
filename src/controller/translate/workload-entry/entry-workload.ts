import type { Fields } from '../decode.ts';
import type { WorkloadSpec } from '../pod-to-workload/workload-spec.ts';

/** What a WorkloadEntry and an endpoint of a ServiceEntry have each in a way of their own. */
type Own = Pick<
  WorkloadSpec,
  | 'uid'
  | 'name'
  | 'namespace'
  | 'labels'
  | 'addresses'
  | 'hostname'
  | 'tunnelProtocol'
  | 'nativeTunnel'
  | 'workloadName'
>;

const MAX_WEIGHT = 1_000_000;

/** A workload with all else that both of them say. */
export function readEntryWorkload(fields: Fields, own: Own): WorkloadSpec {
  const { addresses, hostname, labels, name, namespace, nativeTunnel, tunnelProtocol, uid } = own;
  const namedPorts = readPorts(fields);
  return {
    uid,
    name,
    namespace,
    labels,
    consulMeta: {},
    endpointName: undefined,
    addresses,
    hostname,
    node: '',
    serviceAccount: fields.string('serviceAccount') || 'default',
    hostNetwork: false,
    healthy: true,
    tunnelProtocol,
    nativeTunnel,
    workloadName: own.workloadName,
    workloadType: 'pod',
    namedPorts,
    declaredPorts: undefined,
    network: fields.string('network') ?? '',
    locality: fields.string('locality') ?? '',
    // The mesh's default share is 1.
    capacity: fields.integer('weight', 0, MAX_WEIGHT) ?? 1,
  };
}

function readPorts(fields: Fields): ReadonlyMap<string, number> {
  const byName = new Map<string, number>();
  fields.object('ports', ports => {
    for (const port of ports.keys()) {
      const number = ports.port(port);
      if (number !== undefined) byName.set(port, number);
    }
  });
  return byName;
}

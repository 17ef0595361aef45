import type { Baggage } from '#shared/hbone/connect-request.ts';
import type { Workload } from '#shared/workload/workload.ts';

const made = new WeakMap<Workload, Baggage>();

/** What we tell the other side about the source. The same object for the same workload: nothing is built per connection. */
export function baggageOf(source: Workload): Baggage {
  let baggage = made.get(source);
  if (baggage === undefined) {
    baggage = {
      clusterId: source.clusterId,
      namespace: source.namespace,
      workloadType: source.workloadType,
      workloadName: source.workloadName,
      serviceName: source.canonicalName,
      serviceVersion: source.canonicalRevision,
      region: source.locality.region,
      zone: source.locality.zone,
    };
    made.set(source, baggage);
  }
  return baggage;
}

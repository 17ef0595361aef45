import { workloadIdentity, type Service, type Workload } from '#shared/workload/workload.ts';

const own = new WeakMap<Workload, readonly string[]>();

/**
 * SPIFFE ids of which the peer must prove one, the workload's own first. The same list for the same workload where no service
 * adds any: nothing is built per connection.
 */
export function expectedIdentities(workload: Workload, service: Service | undefined): readonly string[] {
  let identities = own.get(workload);
  if (identities === undefined) own.set(workload, (identities = Object.freeze([workloadIdentity(workload)])));
  if (service === undefined || service.subjectAltNames.length === 0) return identities;
  return [...identities, ...service.subjectAltNames];
}

import type { Endpoint } from '#shared/workload/mesh-view.ts';
import type { LoadBalancing } from '#shared/workload/workload.ts';
import type { BalancedEndpoint, EndpointLoads } from './endpoint.ts';
import { nearest, type Place } from './locality.ts';

export interface CandidateOptions {
  /** Port of the service the request is for. */
  readonly servicePort: number;
  /** Workload uids of the chosen subset; undefined for the whole service. */
  readonly subset: readonly string[] | undefined;
  readonly loadBalancing: LoadBalancing | undefined;
  readonly place: Place;
}

/**
 * The endpoints a request may go to: of the subset, with the port, healthy (unless the service takes all), of a capacity
 * above 0, and of those the nearest. Called when the mesh changes, not per request.
 */
export function candidates(
  endpoints: readonly Endpoint[],
  options: CandidateOptions,
  loads: EndpointLoads,
): readonly BalancedEndpoint[] {
  const subset = options.subset === undefined ? undefined : new Set(options.subset);
  const takesAll = options.loadBalancing?.healthPolicy === 'allow_all';
  const able: BalancedEndpoint[] = [];
  for (const { workload, ports } of endpoints) {
    if (subset?.has(workload.uid) === false || workload.capacity <= 0) continue;
    if (workload.status !== 'healthy' && !takesAll) continue;
    const port = ports.find(candidate => candidate.servicePort === options.servicePort);
    if (port === undefined) continue;
    const targetPort = port.targetPort === 0 ? port.servicePort : port.targetPort;
    able.push({ uid: workload.uid, workload, targetPort, load: loads.get(workload.uid) });
  }
  return nearest(able, options.loadBalancing, options.place);
}

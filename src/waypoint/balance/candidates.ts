import type { Endpoint } from '#shared/workload/mesh-view.ts';
import { findPort } from '#shared/workload/workload-service.ts';
import type { LoadBalancing, ServicePort, Workload } from '#shared/workload/workload.ts';
import type { BalancedEndpoint, EndpointLoads } from './endpoint.ts';

export interface CandidateOptions {
  /** Port of the service the request is for. */
  readonly servicePort: number;
  /** Workload uids of the chosen subset; undefined for the whole service. */
  readonly subset: readonly string[] | undefined;
  readonly loadBalancing: LoadBalancing | undefined;
}

interface Able {
  readonly workload: Workload;
  readonly port: ServicePort;
}

/**
 * The endpoints a request may go to, near or far: of the subset, with the port, healthy (unless the service takes all), of a
 * capacity above 0. Called when the mesh changes, not per request.
 */
export function candidates(
  endpoints: readonly Endpoint[],
  options: CandidateOptions,
  loads: EndpointLoads,
): readonly BalancedEndpoint[] {
  const subset = options.subset === undefined ? undefined : new Set(options.subset);
  const takesAll = options.loadBalancing?.healthPolicy === 'allow_all';
  const able: Able[] = [];
  for (const { workload, ports } of endpoints) {
    if (subset?.has(workload.uid) === false || workload.capacity <= 0) continue;
    if (workload.status !== 'healthy' && !takesAll) continue;
    const port = findPort(ports, options.servicePort);
    if (port !== undefined) able.push({ workload, port });
  }
  const states = loads.retain(able.map(({ workload }) => workload.uid));
  return able.flatMap(({ workload, port }, i) => {
    const load = states[i];
    const targetPort = port.targetPort === 0 ? port.servicePort : port.targetPort;
    return load === undefined ? [] : [{ uid: workload.uid, workload, targetPort, load }];
  });
}

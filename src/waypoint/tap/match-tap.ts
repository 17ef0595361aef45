import type { RequestHead } from '#shared/http/exchange.ts';
import type { Service } from '#shared/workload/workload.ts';
import type { RequestPeers } from '../telemetry/request-metrics.ts';
import type { StatusRange, TapFilter } from './tap-filter.ts';

/** Whether a request that has just come is one a tap asks for, its status aside. Pure. */
export function matchesTap(
  filter: TapFilter,
  peers: RequestPeers,
  service: Service,
  request: RequestHead,
): boolean {
  const { source, sourceIdentity } = peers;
  return (
    agrees(filter.namespace, service.namespace) &&
    (filter.service === undefined ||
      filter.service === service.name ||
      filter.service === service.hostname) &&
    (filter.source === undefined ||
      filter.source === source?.name ||
      filter.source === source?.workloadName) &&
    agrees(filter.sourceNamespace, source?.namespace) &&
    agrees(filter.sourceIdentity, sourceIdentity) &&
    agrees(filter.method, request.method) &&
    agrees(filter.authority, request.authority) &&
    (filter.path === undefined || request.path.startsWith(filter.path))
  );
}

export function matchesStatus(range: StatusRange | undefined, status: number): boolean {
  return range === undefined || (status >= range.min && status <= range.max);
}

function agrees(wanted: string | undefined, value: string | undefined): boolean {
  return wanted === undefined || wanted === value;
}

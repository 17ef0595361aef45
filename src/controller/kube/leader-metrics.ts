import type { MetricSet } from '#shared/observability/metric-set.ts';
import type { Leadership } from './leadership.ts';

/**
 * By the name that Kubernetes' own components have it under.
 * @param lease that is competed for
 * @returns to be called before each scrape
 */
export function registerLeadership(metrics: MetricSet, lease: string, leadership: Leadership): () => void {
  const leads = metrics
    .gauge({
      name: 'leader_election_master_status',
      help: '1 while this replica leads: writes statuses and makes waypoints. 0: it does not.',
      labels: ['name'],
    })
    .cell([lease]);
  return () => void (leads.value = leadership.isLeader ? 1 : 0);
}

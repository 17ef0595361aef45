import type { JsonObject } from '#shared/config/json.ts';
import { child, text, texts } from '#shared/config/json-fields.ts';
import type { Fact } from './description.ts';

/** How a waypoint spreads the requests for a service, where something says so. @param routes of its dump */
export function balancingFacts(routes: JsonObject | undefined): readonly Fact[] {
  const balancer = child(child(routes ?? {}, 'trafficPolicy'), 'loadBalancer');
  const kind = text(balancer, 'kind');
  if (kind === '') return [];
  if (kind === 'backend_utilization')
    return [{ name: 'balancing', value: reportsText(child(balancer, 'reports')) }];
  const penaltyMs = text(child(balancer, 'penalty'), 'penaltyMs');
  const penalty = penaltyMs === '' ? '' : `, a failure counts as ${Number(penaltyMs) / 1000} s at least`;
  return [{ name: 'balancing', value: `${kind}${penalty}` }];
}

function reportsText(reports: JsonObject): string {
  const metrics = texts(reports, 'metrics');
  const by = metrics.length === 0 ? 'application or cpu utilization' : `the largest of ${metrics.join(', ')}`;
  const everyMs = Number(text(reports, 'updateMs'));
  return `backend_utilization, by what endpoints report: ${by}, every ${everyMs / 1000} s`;
}

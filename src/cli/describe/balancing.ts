import type { JsonObject } from '#shared/config/json.ts';
import { child, text } from '#shared/config/json-fields.ts';
import type { Fact } from './description.ts';

/** How a waypoint spreads the requests for a service, where something says so. @param routes of its dump */
export function balancingFacts(routes: JsonObject | undefined): readonly Fact[] {
  const balancer = child(child(routes ?? {}, 'trafficPolicy'), 'loadBalancer');
  const kind = text(balancer, 'kind');
  if (kind === '') return [];
  const penaltyMs = text(child(balancer, 'penalty'), 'penaltyMs');
  const penalty = penaltyMs === '' ? '' : `, a failure counts as ${Number(penaltyMs) / 1000} s at least`;
  return [{ name: 'balancing', value: `${kind}${penalty}` }];
}

import type { BalancedEndpoint } from '../balance/endpoint.ts';
import type { ServiceDirectory } from './service-directory.ts';
import type { Upstream } from './service-state.ts';

export interface Chosen {
  readonly upstream: Upstream;
  readonly endpoint: BalancedEndpoint;
}

/**
 * Who takes over for an upstream that has no endpoint: the first of the services its policy names, in order, that has one on
 * the same port. @returns undefined when none has
 */
export function failOver(
  services: ServiceDirectory,
  { policy }: Upstream,
  port: number,
  random: number,
  tried: readonly BalancedEndpoint[],
): Chosen | undefined {
  for (const { service, subset } of policy.failover) {
    const upstream = services.get(service)?.upstream(port, subset);
    const endpoint = upstream?.picker.pick(random, tried);
    if (upstream !== undefined && endpoint !== undefined) return { upstream, endpoint };
  }
  return undefined;
}

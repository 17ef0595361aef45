import type { RouteRule } from '#shared/route/model.ts';

/** The rules of one VirtualService for one service, in their own order. */
export interface OrderedRules {
  readonly creationTimestamp: string;
  readonly namespace: string;
  readonly name: string;
  readonly rules: readonly RouteRule[];
}

/**
 * All rules of one service in the order they are tried: those of Gateway API, already in order, then VirtualServices,
 * oldest first, each in the order written. (Istio leaves the mixture of both on one host undefined.)
 */
export function mergeRules(
  gatewayRules: readonly RouteRule[],
  virtualServices: readonly OrderedRules[],
): readonly RouteRule[] {
  const ordered = virtualServices.toSorted((a, b) => compareText(sortKey(a), sortKey(b)));
  return [...gatewayRules, ...ordered.flatMap(virtualService => virtualService.rules)];
}

function sortKey(rules: OrderedRules): string {
  return `${rules.creationTimestamp} ${rules.namespace}/${rules.name}`;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

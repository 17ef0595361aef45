import type { RouteRule } from '#shared/route/model.ts';
import type { StreamRule } from '#shared/route/stream-rule.ts';

/** Whose kinds routes are written in. In this order where their objects are of the same age. */
export const DIALECTS = ['Gateway API', 'Istio', 'Linkerd', 'Consul'] as const;
export type Dialect = (typeof DIALECTS)[number];

/** The routes of one object for one service, in their own order. */
export interface ObjectRoutes {
  readonly dialect: Dialect;
  /** `VirtualService shop/canary`. */
  readonly object: string;
  /** The field by which the object names the service. */
  readonly field: string;
  /** RFC 3339 in UTC; empty is the oldest. */
  readonly creationTimestamp: string;
  /** Names the service by a pattern: gives way to objects of its dialect that name it. */
  readonly wildcard: boolean;
  readonly rules: readonly RouteRule[];
  readonly streamRules: readonly StreamRule[];
}

/** An object whose routes for a service are not applied. */
export interface RefusedRoutes {
  readonly routes: ObjectRoutes;
  /** Of another dialect, or of the same one and more specific. */
  readonly instead: ObjectRoutes;
}

export interface MergedRules {
  readonly rules: readonly RouteRule[];
  readonly streamRules: readonly StreamRule[];
  readonly refused: readonly RefusedRoutes[];
}

/**
 * All rules of one service, in the order they are tried: of the dialect whose oldest object is the oldest of all. No
 * dialect says what it means together with another, so the others are refused, whole; what worked before goes on working.
 * Within a dialect the oldest object comes first, each in the order written.
 */
export function mergeRules(objects: readonly ObjectRoutes[]): MergedRules {
  const ordered = objects.toSorted(compareAge);
  const [oldest] = ordered;
  if (oldest === undefined) return { rules: [], streamRules: [], refused: [] };
  const own = ordered.filter(({ dialect }) => dialect === oldest.dialect);
  const named = own.find(({ wildcard }) => !wildcard);
  const used = named === undefined ? own : own.filter(({ wildcard }) => !wildcard);
  return {
    rules: used.flatMap(({ rules }) => rules),
    streamRules: used.flatMap(({ streamRules }) => streamRules),
    refused: ordered
      .filter(routes => !used.includes(routes))
      .map(routes => ({
        routes,
        instead: routes.dialect === oldest.dialect && named !== undefined ? named : oldest,
      })),
  };
}

function compareAge(a: ObjectRoutes, b: ObjectRoutes): number {
  return (
    compareText(a.creationTimestamp, b.creationTimestamp) ||
    DIALECTS.indexOf(a.dialect) - DIALECTS.indexOf(b.dialect) ||
    compareText(a.object, b.object)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

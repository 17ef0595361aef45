import type { RankedRule } from '#shared/route/precedence.ts';
import type { StreamRule } from '#shared/route/stream-rule.ts';
import type { ReferenceGrantLookup } from '../reference-grant/reference-grant.ts';
import type { ServiceLookup } from '../service-lookup.ts';
import type { ParentOutcome } from './parent-ref.ts';

/** Kinds of routes, the most specific first: on one port of a Service only one kind is applied (GEP-1294). */
export const ROUTE_KINDS = ['GRPCRoute', 'HTTPRoute', 'TLSRoute', 'TCPRoute'] as const;
export type RouteKind = (typeof ROUTE_KINDS)[number];

/** What one route adds to the routes of the Services it is attached to. */
export interface RouteTranslation {
  readonly kind: RouteKind;
  readonly attachments: readonly RouteAttachment[];
  /** Of the parents that are Services or ServiceEntries, in the order written; those of other kinds belong to whoever knows them. */
  readonly parents: readonly ParentOutcome[];
  /** For the condition ResolvedRefs: references that lead nowhere. */
  readonly faults: readonly RefFault[];
}

export interface RouteAttachment {
  /** `<namespace>/<hostname>`. */
  readonly service: string;
  /** Undefined: every port. */
  readonly port: number | undefined;
  /** Namespace of the route where that is not the Service's: it is for callers from there alone. */
  readonly consumer: string | undefined;
  /** To be put in order with those of other routes by `sortByPrecedence`. Without ports and consumer. */
  readonly rules: readonly RankedRule[];
  /** Of a TCPRoute or TLSRoute, likewise. */
  readonly streams: readonly RankedStream[];
}

/** A rule for connections with what such rules are put in order by. */
export interface RankedStream {
  readonly rule: StreamRule;
  readonly creationTimestamp: string;
  readonly namespace: string;
  readonly name: string;
}

/** Why a reference is not resolved, in the words of the condition ResolvedRefs. */
export interface RefFault {
  readonly reason: 'BackendNotFound' | 'RefNotPermitted' | 'InvalidKind' | 'UnsupportedValue';
  readonly field: string;
  readonly message: string;
}

/** What routes ask about other objects. */
export type RouteLookup = ServiceLookup & ReferenceGrantLookup;

export const NO_ROUTES: Omit<RouteTranslation, 'kind'> = Object.freeze({
  attachments: [],
  parents: [],
  faults: [],
});

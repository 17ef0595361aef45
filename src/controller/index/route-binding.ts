import type { RouteRule } from '#shared/route/model.ts';
import { type RankedRule, sortByPrecedence } from '#shared/route/precedence.ts';
import type { StreamRule } from '#shared/route/stream-rule.ts';
import { sortStreams } from '../translate/gateway-route/stream-rule.ts';
import {
  type RankedStream,
  type RouteAttachment,
  type RouteKind,
  ROUTE_KINDS,
} from '../translate/gateway-route/route-translation.ts';

/** One route's wish to be attached to one Service. */
export interface BoundRoute {
  /** `<kind>/<namespace>/<name>`. */
  readonly route: string;
  readonly kind: RouteKind;
  readonly attachment: RouteAttachment;
}

/** Ports of a Service on which a route gives way to one of a more specific kind. */
export interface RouteConflict {
  readonly route: string;
  readonly service: string;
  readonly ports: readonly number[];
  /** Nothing of this attachment is left. */
  readonly whole: boolean;
  /** The kind that is applied instead. */
  readonly winner: RouteKind;
}

export interface RouteBinding {
  readonly rules: readonly RouteRule[];
  readonly streamRules: readonly StreamRule[];
  readonly conflicts: readonly RouteConflict[];
}

/**
 * The rules of all routes attached to one Service, in the order they are tried. Where kinds meet on one port, only the
 * most specific is applied and the others are ignored there (GEP-1294, "Route types"). Consumer routes of each namespace
 * are a world of their own: they mix neither with producer routes nor with those of other namespaces.
 */
export function bindRoutes(bound: readonly BoundRoute[], servicePorts: readonly number[]): RouteBinding {
  const groups = Map.groupBy(bound, ({ attachment }) => attachment.consumer);
  const rules: RouteRule[] = [];
  const streamRules: StreamRule[] = [];
  const conflicts: RouteConflict[] = [];
  const made = { rules, streamRules, conflicts };
  for (const group of groups.values()) bindGroup(group, servicePorts, made);
  return made;
}

function bindGroup(
  group: readonly BoundRoute[],
  servicePorts: readonly number[],
  made: {
    readonly rules: RouteRule[];
    readonly streamRules: StreamRule[];
    readonly conflicts: RouteConflict[];
  },
): void {
  const kinds = ROUTE_KINDS.filter(kind => group.some(one => one.kind === kind));
  for (const [rank, kind] of kinds.entries()) {
    const moreSpecific = kinds.slice(0, rank).flatMap(one => group.filter(other => other.kind === one));
    const ofKind = group.filter(one => one.kind === kind);
    const ranked: RankedRule[] = [];
    const streams: RankedStream[] = [];
    for (const { attachment, route } of ofKind) {
      const left = portsLeft(attachment, moreSpecific, servicePorts);
      if (left.winner !== undefined) {
        const { taken, winner } = left;
        const whole = left.ports.length === 0;
        made.conflicts.push({ route, service: attachment.service, ports: taken, whole, winner });
        if (whole) continue;
      }
      const { consumer } = attachment;
      for (const one of attachment.rules)
        ranked.push({ ...one, rule: { ...one.rule, consumer, ports: left.ports } });
      for (const one of attachment.streams)
        streams.push({ ...one, rule: { ...one.rule, consumer, ports: left.ports } });
    }
    made.rules.push(...sortByPrecedence(ranked));
    made.streamRules.push(...sortStreams(streams));
  }
}

interface PortsLeft {
  /** As in the model: empty is every port, unless all were taken. */
  readonly ports: readonly number[];
  readonly taken: readonly number[];
  readonly winner: RouteKind | undefined;
}

function portsLeft(
  { port }: RouteAttachment,
  moreSpecific: readonly BoundRoute[],
  servicePorts: readonly number[],
): PortsLeft {
  const wanted = port === undefined ? servicePorts : [port];
  const winnerOn = (one: number): RouteKind | undefined =>
    moreSpecific.find(({ attachment }) => attachment.port === undefined || attachment.port === one)?.kind;
  const taken = wanted.filter(one => winnerOn(one) !== undefined);
  const [first] = taken;
  if (first === undefined) return { ports: port === undefined ? [] : [port], taken, winner: undefined };
  return { ports: wanted.filter(one => winnerOn(one) === undefined), taken, winner: winnerOn(first) };
}

import { OF_CANARY } from '#shared/workload/waypoint.ts';
import type { GatewayAddress, WeightedWaypoint } from '#shared/workload/workload.ts';
import type { Cluster } from '../cluster.ts';
import type { Diagnostics } from '../diagnostic.ts';
import {
  USE_WAYPOINT_CANARY,
  USE_WAYPOINT_CANARY_NAMESPACE,
  USE_WAYPOINT_CANARY_WEIGHT,
} from '../mesh-labels.ts';
import type { ObjectMeta } from '../../source/kube-object.ts';
import { attachTo, bindWaypoint, requestedWaypoint, type WaypointLookup } from './bind-waypoint.ts';

type Meta = Pick<ObjectMeta, 'labels' | 'annotations'>;

/** Of a Service or ServiceEntry: workloads have no canaries. */
export interface CanaryRequest {
  readonly namespace: string;
  readonly own: Meta;
  readonly ofNamespace: Meta;
}

/**
 * The second waypoint of a service, which takes a share of its connections. Reasons are those of the condition
 * `istio.io/WaypointBound`. One that cannot be is left out, as in Istio: the waypoint beside it holds the same policies.
 */
export type CanaryBinding =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'refused';
      readonly reason:
        | 'WaypointIsNotReady'
        | 'UnsupportedTrafficType'
        | 'AttachmentDenied'
        | 'CanarySameAsPrimary'
        | 'CanaryInvalidWeight';
      readonly message: string;
    }
  | {
      readonly kind: 'bound';
      readonly name: string;
      readonly namespace: string;
      readonly address: GatewayAddress;
      /** Of 100. */
      readonly weight: number;
      /** The waypoint that takes the others. */
      readonly primary: GatewayAddress;
      readonly primaryName: string;
    };

const NONE: CanaryBinding = { kind: 'none' };

export function bindCanary(request: CanaryRequest, lookup: WaypointLookup, cluster: Cluster): CanaryBinding {
  const { namespace, ofNamespace, own } = request;
  const asked = {
    traffic: 'service',
    namespace,
    labels: own.labels,
    namespaceLabels: ofNamespace.labels,
  } as const;
  const wanted = requestedWaypoint(asked);
  // Whoever has a waypoint of its own has nothing of what the namespace says beside its.
  const sources = wanted?.isOwn === true ? [own] : [own, ofNamespace];
  const source = sources.find(({ labels }) => labels[USE_WAYPOINT_CANARY] !== undefined);
  const name = source?.labels[USE_WAYPOINT_CANARY] ?? '';
  if (wanted === undefined || name === '' || name === 'none') return NONE;
  const primary = bindWaypoint(asked, lookup, cluster);
  if (primary.reason !== 'WaypointAccepted') return NONE;
  const canary = { name, namespace: source?.labels[USE_WAYPOINT_CANARY_NAMESPACE] || namespace };
  const primaryName = `${wanted.namespace}/${wanted.name}`;
  if (canary.name === wanted.name && canary.namespace === wanted.namespace)
    return refused('CanarySameAsPrimary', `${primaryName} is the waypoint itself`, primaryName);
  const share = sources.map(({ annotations }) => annotations[USE_WAYPOINT_CANARY_WEIGHT]);
  const text = share.find(one => one !== undefined) ?? '0';
  const weight = weightOf(text);
  if (weight === undefined) {
    const why = `${USE_WAYPOINT_CANARY_WEIGHT} ${JSON.stringify(text)} must be an integer in [0,100]`;
    return refused('CanaryInvalidWeight', why, primaryName);
  }
  const attachment = attachTo(canary, asked, lookup, cluster);
  if (attachment.reason !== 'WaypointAccepted')
    return refused(attachment.reason, attachment.why, primaryName);
  const { address } = attachment;
  return { kind: 'bound', ...canary, address, weight, primary: primary.address, primaryName };
}

/**
 * What proxies are told: both waypoints with their shares. Empty: the first alone, as where no pod of the canary is ready, for
 * its share would be refused.
 */
export function weightedWaypoints(
  canary: CanaryBinding,
  hasReadyPod: (namespace: string, waypoint: string) => boolean,
): readonly WeightedWaypoint[] {
  if (canary.kind !== 'bound' || !hasReadyPod(canary.namespace, canary.name)) return [];
  const { address, primary, weight } = canary;
  return [
    { destination: primary, weight: 100 - weight },
    { destination: address, weight },
  ];
}

export function sayOfCanary(canary: CanaryBinding, labels: Meta['labels'], diagnostics: Diagnostics): void {
  if (canary.kind !== 'refused') return;
  const message = `${canary.reason}: ${canary.message}`;
  const fix = 'correct the labels and the annotation, or remove them';
  diagnostics.ignore(`metadata.labels.${USE_WAYPOINT_CANARY}`, labels[USE_WAYPOINT_CANARY], message, fix);
}

function weightOf(text: string): number | undefined {
  if (!/^\d{1,9}$/.test(text)) return undefined;
  const weight = Number(text);
  return weight <= 100 ? weight : undefined;
}

function refused(
  reason: Extract<CanaryBinding, { kind: 'refused' }>['reason'],
  why: string,
  primaryName: string,
): CanaryBinding {
  return {
    kind: 'refused',
    reason,
    message: `${OF_CANARY}${why}; all connections go to waypoint ${primaryName}`,
  };
}

import { GATEWAY_NAME } from '../translate/mesh-labels.ts';
import type { Waypoint } from '../translate/waypoint-gateway/waypoint.ts';
import type { MeshObjects } from './mesh-objects.ts';

/** A waypoint as `ambientctl waypoint list` shows it. */
export interface WaypointStatus {
  readonly namespace: string;
  readonly name: string;
  readonly trafficType: Waypoint['waypointFor'];
  readonly revision: string;
  /** Some pod of it is ready: traffic that asks for it is carried. */
  readonly programmed: boolean;
  readonly pods: readonly string[];
}

const REVISION = 'istio.io/rev';

export function waypointList(objects: MeshObjects): WaypointStatus[] {
  const found: WaypointStatus[] = [];
  for (const { object, value } of objects.gateways.all()) {
    if (value === undefined) continue;
    const pods = [...objects.pods.inNamespace(value.namespace)].flatMap(({ value: pod }) =>
      pod?.labels[GATEWAY_NAME] === value.name ? [pod] : [],
    );
    found.push({
      namespace: value.namespace,
      name: value.name,
      trafficType: value.waypointFor,
      revision: object.metadata.labels[REVISION] ?? 'default',
      programmed: pods.some(pod => pod.healthy),
      pods: pods.map(pod => pod.name),
    });
  }
  return found;
}

import type { KubeObject } from '../source/kube-object.ts';
import { bindCanary, type CanaryBinding } from '../translate/waypoint-gateway/bind-canary.ts';
import type { MeshObjects } from './mesh-objects.ts';

/** The second waypoint of a Service or ServiceEntry. */
export function canaryOf(objects: MeshObjects, { metadata }: Pick<KubeObject, 'metadata'>): CanaryBinding {
  const { namespace } = metadata;
  const ofNamespace = objects.namespaceMeta(namespace);
  return bindCanary({ namespace, own: metadata, ofNamespace }, objects, objects.options.cluster);
}

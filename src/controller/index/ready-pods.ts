import { GATEWAY_NAME } from '../translate/mesh-labels.ts';
import type { MeshObjects } from './mesh-objects.ts';

/** How many pods of a waypoint are ready. */
export function readyPods(objects: MeshObjects, namespace: string, gateway: string): number {
  return readyPodsOf(objects, namespace, gateway).reduce<number>(count => count + 1, 0);
}

export function hasReadyPod(objects: MeshObjects, namespace: string, gateway: string): boolean {
  return readyPodsOf(objects, namespace, gateway).some(() => true);
}

function readyPodsOf(objects: MeshObjects, namespace: string, gateway: string): IteratorObject<unknown> {
  return Iterator.from(objects.pods.inNamespace(namespace)).filter(
    ({ value }) => value?.healthy === true && value.labels[GATEWAY_NAME] === gateway,
  );
}

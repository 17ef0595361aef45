import { fullName, type KubeObject } from '../../cluster/kube-object.ts';
import { usedWaypoint } from '../../cluster/mesh-labels.ts';

/** What asks for a waypoint by a label of its own. Pure; sorted. */
export function waypointUsers(
  waypoint: { readonly namespace: string; readonly name: string },
  objects: readonly KubeObject[],
): string[] {
  return objects
    .filter(object => {
      const home = object.kind === 'Namespace' ? object.name : object.namespace;
      const used = usedWaypoint(object.labels, home, {});
      return used?.name === waypoint.name && used.namespace === waypoint.namespace;
    })
    .map(object => `${object.kind.toLowerCase()} ${fullName(object)}`)
    .sort();
}

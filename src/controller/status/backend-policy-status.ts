import type { JsonObject } from '#shared/config/json.ts';
import type { MeshObjects } from '../index/mesh-objects.ts';
import type { Entry, Parsed } from '../index/parsed-kind.ts';
import { waypointOfService } from '../index/waypoint-of-service.ts';
import { keyOf } from '../source/kube-object.ts';
import type { BackendTrafficPolicy } from '../translate/backend-traffic-policy/backend-traffic-policy.ts';
import { isService } from '../translate/gateway-route/parent-ref.ts';
import { objectAt, objectsAt, textAt } from '../translate/loose-fields.ts';
import { type Condition, isFalse, isTrue, messageOf } from './condition.ts';
import type { DesiredAncestor } from './desired-status.ts';
import { plainStatus } from './policy-status.ts';

/** `status.ancestors` of an XBackendTrafficPolicy: one entry for each Service it is for. */
export function backendPolicyAncestors(
  entry: Entry<BackendTrafficPolicy>,
  objects: MeshObjects,
  holding: ReadonlyMap<string, Parsed<BackendTrafficPolicy>>,
): readonly DesiredAncestor[] {
  const { namespace } = entry.latest.metadata;
  return objectsAt(objectAt(entry.latest.spec), 'targetRefs').flatMap(target => {
    const [group = '', kind = '', name = ''] = ['group', 'kind', 'name'].map(key => textAt(target, key));
    if (!isService({ group, kind })) return [];
    const ancestorRef: JsonObject = { group, kind, namespace, name };
    return [{ ancestorRef, conditions: [accepted(entry, name, objects, holding)] }];
  });
}

function accepted(
  entry: Entry<BackendTrafficPolicy>,
  name: string,
  objects: MeshObjects,
  holding: ReadonlyMap<string, Parsed<BackendTrafficPolicy>>,
): Condition {
  const { diagnostics, latest } = entry;
  const { namespace } = latest.metadata;
  const shown = `Service ${namespace}/${name}`;
  const [rejected] = entry.accepted ? [] : plainStatus(entry);
  if (rejected !== undefined) return rejected;
  const service = objects.service(namespace, name);
  if (service === undefined)
    return isFalse('Accepted', 'TargetNotFound', `there is no ${shown}; create it or correct the name`);
  const holder = holding.get(service.key)?.object;
  if (holder !== undefined && keyOf(holder) !== keyOf(latest)) {
    const message = `XBackendTrafficPolicy ${holder.metadata.name} is for ${shown} too, and older; keep one of them`;
    return isFalse('Accepted', 'Conflicted', message);
  }
  const notes = diagnostics.length === 0 ? [] : [messageOf(diagnostics)];
  if (waypointOfService(objects, namespace, name) === undefined)
    notes.push(`${shown} uses no waypoint: only routes of other Services that lead to it heed the policy`);
  return isTrue('Accepted', 'Accepted', notes.join('\n'));
}

import { keyOf } from '../source/kube-object.ts';
import type { OrderedRules } from '../translate/merge-rules.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { BoundRoute } from './route-binding.ts';

/** Every route that is attached to something, by service, so that no service has to look through all of them. */
export interface AttachedRoutes {
  readonly gatewayRoutes: ReadonlyMap<string, readonly BoundRoute[]>;
  readonly virtualServices: ReadonlyMap<string, readonly OrderedRules[]>;
}

export function attachedRoutes(objects: MeshObjects): AttachedRoutes {
  const gatewayRoutes = new Map<string, BoundRoute[]>();
  for (const kind of objects.gatewayRoutes()) {
    for (const { object, value } of kind.all()) {
      const route = keyOf(object);
      for (const attachment of value.attachments)
        push(gatewayRoutes, attachment.service, { route, kind: value.kind, attachment });
    }
  }
  const virtualServices = new Map<string, OrderedRules[]>();
  for (const { object, value } of objects.virtualServices.all()) {
    const { creationTimestamp, name, namespace } = object.metadata;
    for (const { rules, service } of value.attachments)
      push(virtualServices, service, { creationTimestamp, name, namespace, rules });
  }
  return { gatewayRoutes, virtualServices };
}

function push<T>(to: Map<string, T[]>, key: string, item: T): void {
  const list = to.get(key);
  if (list === undefined) to.set(key, [item]);
  else list.push(item);
}

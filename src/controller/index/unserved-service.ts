import type { KubeObject } from '../source/kube-object.ts';
import { type Diagnostic, ignored } from '../translate/diagnostic.ts';
import { objectAt } from '../translate/loose-fields.ts';
import type { MeshObjects } from './mesh-objects.ts';
import { waypointOfService, waypointOfServiceEntry } from './waypoint-of-service.ts';

const FIX = 'label it istio.io/use-waypoint';

/** @param field of the spec, or from `metadata` on. @param consequence what comes of it that no waypoint serves the service */
export function sayIfUnserved(
  objects: MeshObjects,
  object: KubeObject,
  field: string,
  service: string,
  consequence: string,
): readonly Diagnostic[] {
  const unserved = unservedName(objects, service);
  if (unserved === undefined) return [];
  const isOfSpec = !field.startsWith('metadata.');
  const value = isOfSpec ? objectAt(object.spec)[field] : object.metadata.name;
  const message = `${unserved} uses no waypoint that is there: ${consequence}`;
  return ignored(object, isOfSpec ? `spec.${field}` : field, value, message, FIX);
}

/** The Service or ServiceEntry of a host, where no waypoint serves it. @param service `<namespace>/<hostname>` */
export function unservedName(objects: MeshObjects, service: string): string | undefined {
  const [namespace = '', hostname = ''] = service.split('/');
  const [name = ''] = hostname.split('.');
  if (objects.services.get(namespace, name)?.value?.hostname === hostname)
    return waypointOfService(objects, namespace, name) === undefined
      ? `Service ${namespace}/${name}`
      : undefined;
  const entries = [...objects.serviceEntries.inNamespace(namespace)]
    .filter(({ value }) => value.services.some(spec => spec.hostname === hostname))
    .map(({ object }) => object.metadata.name);
  const isServed = entries.some(entry => waypointOfServiceEntry(objects, namespace, entry) !== undefined);
  return isServed || entries.length === 0 ? undefined : `ServiceEntry ${namespace}/${entries[0]}`;
}

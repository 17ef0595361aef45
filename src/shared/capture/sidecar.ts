import type { JsonObject } from '../config/json.ts';
import { children } from '../config/json-fields.ts';

/** Proxies that capture by rules of their own in the pod. */
const SIDECARS: ReadonlySet<unknown> = new Set(['istio-proxy', 'linkerd-proxy', 'consul-dataplane']);

/** Name of the container of a pod's `spec` that is a mesh's sidecar proxy; undefined: none. */
export function sidecarOf(spec: JsonObject): string | undefined {
  const containers = [...children(spec, 'containers'), ...children(spec, 'initContainers')];
  const name = containers.map(container => container['name']).find(found => SIDECARS.has(found));
  return typeof name === 'string' ? name : undefined;
}

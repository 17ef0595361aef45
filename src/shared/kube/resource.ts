/** A kind of objects as the API server serves it. */
export interface KubeResource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Lower case, as in the path: `httproutes`. */
  readonly plural: string;
  readonly namespaced: boolean;
}

/** Path of a collection; of one namespace when it is given. */
export function collectionPath(resource: KubeResource, namespace?: string): string {
  const { group, namespaced, plural, version } = resource;
  const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const scope = namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${base}${scope}/${plural}`;
}

/** Path of one object; `namespace` is passed over for cluster-scoped kinds. */
export function objectPath(
  resource: KubeResource,
  namespace: string,
  name: string,
  subresource?: 'status' | 'token' | 'scale',
): string {
  const tail = subresource === undefined ? '' : `/${subresource}`;
  return `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}${tail}`;
}

export function apiVersionOf({ group, version }: Pick<KubeResource, 'group' | 'version'>): string {
  return group === '' ? version : `${group}/${version}`;
}

/** Where a service is known: everywhere, in its own namespace, or in these alone. */
export type Visibility = 'public' | 'namespace' | readonly string[];

interface Scoped {
  readonly namespace: string;
  readonly visibility: Visibility;
}

/** Whether workloads of a namespace know the service. To others its names and addresses mean what they mean outside the mesh. */
export function isKnownIn(namespace: string, service: Scoped): boolean {
  const { visibility } = service;
  if (visibility === 'public') return true;
  return visibility === 'namespace' ? service.namespace === namespace : visibility.includes(namespace);
}

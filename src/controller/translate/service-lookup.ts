/** A service a route may lead to or be attached to. */
export interface KnownService {
  /** `<namespace>/<hostname>`. */
  readonly key: string;
  readonly namespace: string;
  readonly hostname: string;
  readonly ports: readonly number[];
  /** Those that have a name. */
  readonly portNames: ReadonlyMap<string, number>;
  /** No address of its own: clients connect to its pods, past everything that is attached to it. */
  readonly headless: boolean;
}

/** What translations ask about other objects: pure reads of the index as it is. */
export interface ServiceLookup {
  /** The Kubernetes Service of that name. */
  service(namespace: string, name: string): KnownService | undefined;
  /** The hosts of the ServiceEntry of that name. */
  serviceEntry(namespace: string, name: string): readonly KnownService[] | undefined;
  /** By fully qualified host name. */
  serviceByHostname(hostname: string, preferredNamespace: string): KnownService | undefined;
  /** Those whose host names a wildcard (`*`, `*.<domain>`) matches, in a stable order. */
  servicesMatching(pattern: string): readonly KnownService[];
}

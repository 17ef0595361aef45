/** A Kubernetes object as a source hands it over: its identity is parsed, its body is not. */
export interface KubeObject {
  readonly apiVersion: string;
  /** Its name (`kindName`), which no other kind has. */
  readonly kind: string;
  readonly metadata: ObjectMeta;
  /** As written; each translation parses its own. */
  readonly spec: unknown;
  readonly status?: unknown;
  /** The whole object, for kinds that are not all spec and status (EndpointSlice) and for owner references. */
  readonly body?: unknown;
}

/** Identifies an object in maps: `<kind>/<namespace>/<name>`, the namespace empty for cluster-scoped kinds. */
export function keyOf(object: KubeObject): string {
  return `${object.kind}/${object.metadata.namespace}/${object.metadata.name}`;
}

export interface ObjectMeta {
  readonly name: string;
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** RFC 3339 in UTC; empty when the source does not know. */
  readonly creationTimestamp: string;
  readonly generation: number;
}

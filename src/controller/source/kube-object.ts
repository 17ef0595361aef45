/** A Kubernetes object as a source hands it over: its identity is parsed, its body is not. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  /** As written; each translation parses its own. */
  readonly spec: unknown;
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

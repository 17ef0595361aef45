import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { child, children, text, textMap } from '#shared/config/json-fields.ts';

/** An object as the API server gave it: its identity is parsed, the rest is read where it is needed. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly created: string;
  /** Undefined unless it is being deleted. */
  readonly deleted: string | undefined;
  readonly spec: JsonObject;
  readonly status: JsonObject;
  readonly raw: JsonObject;
}

/** A kind of the API and where it is served. */
export interface ObjectKind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly clusterScoped?: true;
}

/** Items of a list carry neither kind nor version of their own: those are the list's. */
export function decodeKubeObject(value: unknown, kind: ObjectKind): KubeObject {
  const raw = isJsonObject(value) ? value : {};
  const metadata = child(raw, 'metadata');
  return {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    namespace: text(metadata, 'namespace'),
    name: text(metadata, 'name'),
    labels: textMap(metadata, 'labels'),
    annotations: textMap(metadata, 'annotations'),
    created: text(metadata, 'creationTimestamp'),
    deleted: text(metadata, 'deletionTimestamp') || undefined,
    spec: child(raw, 'spec'),
    status: child(raw, 'status'),
    raw: { apiVersion: kind.apiVersion, kind: kind.kind, ...raw },
  };
}

/** `namespace/name`, or the name alone of a cluster-scoped object. */
export function fullName(object: { readonly namespace: string; readonly name: string }): string {
  return object.namespace === '' ? object.name : `${object.namespace}/${object.name}`;
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

export function conditionsOf(status: JsonObject): Condition[] {
  return children(status, 'conditions').map(c => ({
    type: text(c, 'type'),
    status: text(c, 'status'),
    reason: text(c, 'reason'),
    message: text(c, 'message'),
  }));
}

export function isConditionTrue(status: JsonObject, type: string): boolean {
  return conditionsOf(status).some(c => c.type === type && c.status === 'True');
}

import type { JsonObject } from '#shared/config/json.ts';
import type { AdminTarget } from '../admin-client.ts';
import type { KubeObject, ObjectKind } from './kube-object.ts';

export interface ListOptions {
  /** All namespaces without it. */
  readonly namespace?: string;
  readonly labelSelector?: string;
}

export interface LogOptions {
  readonly follow: boolean;
  readonly tailLines: number;
}

/** What commands ask of the Kubernetes API. Every call has a deadline and rejects with a `CliError`. */
export interface KubeApi {
  /** The server's address, for messages. */
  readonly server: string;
  /** The namespace of the chosen context. */
  readonly namespace: string;
  /** As `GET /version` has it, `v1.36.3`. */
  version(): Promise<string>;
  /** Undefined when there is no such object, or the kind is not served. */
  get(kind: ObjectKind, namespace: string, name: string): Promise<KubeObject | undefined>;
  /** Undefined when the kind is not served: its CRD is not installed. */
  list(kind: ObjectKind, options?: ListOptions): Promise<readonly KubeObject[] | undefined>;
  /** Server-side apply as field manager `ambientctl`. */
  apply(kind: ObjectKind, object: JsonObject): Promise<KubeObject>;
  /** A JSON merge patch: null removes a field. */
  merge(kind: ObjectKind, namespace: string, name: string, patch: JsonObject): Promise<KubeObject>;
  /** @returns false when there was none. */
  remove(kind: ObjectKind, namespace: string, name: string): Promise<boolean>;
  /** Whether the caller may do this: a SelfSubjectAccessReview. */
  mayI(verb: string, kind: ObjectKind): Promise<boolean>;
  /** Lines of the log of a pod's only container, as they come; with `follow` until `signal` is aborted. */
  log(
    namespace: string,
    pod: string,
    options: LogOptions,
    onLine: (line: string) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

/** A cluster that a command works with. */
export interface Cluster {
  readonly api: KubeApi;
  /** A port that a pod listens on, on its loopback address too. */
  forward(namespace: string, pod: string, port: number): AdminTarget;
}

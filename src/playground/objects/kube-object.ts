import { parseAllDocuments } from 'yaml';
import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { child, textMap } from '#shared/config/json-fields.ts';
import { groupOf, kindName } from '#shared/kube/kind-name.ts';

/** A Kubernetes object as the playground handles it: identity parsed, the rest left as it came. */
export interface KubeObject {
  readonly apiVersion: string;
  /** Its name (`kindName`), which no other kind has. */
  readonly kind: string;
  readonly name: string;
  /** Empty for kinds without a namespace. */
  readonly namespace: string;
  readonly body: JsonObject;
}

export interface ObjectRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const KIND = /^[A-Z][A-Za-z]{0,62}$/;
const CLUSTER_SCOPED: ReadonlySet<string> = new Set(['Namespace', 'Node', 'GatewayClass']);
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** Every object of a YAML text of one or more documents. Throws, naming the document, when one is not an object of Kubernetes. */
export function parseManifest(text: string, origin: string): KubeObject[] {
  if (Buffer.byteLength(text) > MAX_MANIFEST_BYTES) {
    throw new Error(`${origin}: larger than ${MAX_MANIFEST_BYTES} bytes`);
  }
  return parseAllDocuments(text).flatMap((document, i) => {
    const [error] = document.errors;
    if (error !== undefined) throw new Error(`${origin}: ${error.message}`);
    const value: unknown = document.toJS();
    if (value === null || value === undefined) return [];
    return [objectOf(value, `${origin}, document ${i + 1}`)];
  });
}

function objectOf(value: unknown, where: string): KubeObject {
  if (!isJsonObject(value)) throw new Error(`${where}: not an object`);
  const metadata = child(value, 'metadata');
  const { apiVersion, kind } = value;
  const name = metadata['name'];
  if (typeof apiVersion !== 'string') throw new Error(`${where}: apiVersion is missing`);
  if (typeof kind !== 'string' || !KIND.test(kind))
    throw new Error(`${where}: kind is missing or not a kind`);
  if (typeof name !== 'string' || !NAME.test(name))
    throw new Error(`${where}: metadata.name is missing or not a name`);
  const namespace = CLUSTER_SCOPED.has(kind) ? '' : (metadata['namespace'] ?? 'default');
  if (typeof namespace !== 'string' || (namespace !== '' && !NAME.test(namespace))) {
    throw new Error(`${where}: metadata.namespace is not a name`);
  }
  return { apiVersion, kind: kindName(groupOf(apiVersion), kind), name, namespace, body: value };
}

export function refKey({ kind, namespace, name }: ObjectRef): string {
  return `${kind}/${namespace}/${name}`;
}

export function text(object: JsonObject, field: string): string | undefined {
  const value = object[field];
  return typeof value === 'string' ? value : undefined;
}

export function labels(object: KubeObject): Record<string, string> {
  return textMap(child(object.body, 'metadata'), 'labels');
}

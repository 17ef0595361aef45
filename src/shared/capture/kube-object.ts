import { isJsonObject, type JsonObject } from '../config/json.ts';
import { child } from '../config/json-fields.ts';

const UID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
/** RFC 1123 subdomain, as Kubernetes names objects: these end up in SPIFFE ids and in paths of requests. */
const OBJECT_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** What every object of the API server says of itself. */
export interface ObjectMeta {
  readonly name: string;
  /** Empty for an object of the whole cluster. */
  readonly namespace: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Throws, naming the field, when it is not one of the API server. */
export function objectMeta(object: JsonObject): ObjectMeta {
  const metadata = child(object, 'metadata');
  const namespace = metadata['namespace'];
  return {
    name: objectName(metadata['name'], 'metadata.name'),
    namespace: namespace === undefined ? '' : objectName(namespace, 'metadata.namespace'),
    uid: uidText(metadata['uid']),
    labels: strings(metadata['labels']),
    annotations: strings(metadata['annotations']),
  };
}

export function objectName(value: unknown, field: string): string {
  if (typeof value === 'string' && OBJECT_NAME.test(value)) return value;
  throw new Error(`${field} is not a name`);
}

function uidText(value: unknown): string {
  if (typeof value === 'string' && UID.test(value)) return value;
  throw new Error('metadata.uid is not a uid');
}

function strings(value: unknown): Record<string, string> {
  const found: Record<string, string> = {};
  if (!isJsonObject(value)) return found;
  for (const [key, text] of Object.entries(value)) {
    if (typeof text === 'string') Object.defineProperty(found, key, { value: text, enumerable: true });
  }
  return found;
}

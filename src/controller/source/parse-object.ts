import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { groupOf, kindName } from '#shared/kube/kind-name.ts';
import { KNOWN_KINDS } from './known-kinds.ts';
import type { KubeObject } from './kube-object.ts';

export type ParsedObject =
  | { readonly kind: 'object'; readonly object: KubeObject }
  /** Nothing for us: an empty document or a kind that the mesh does not read. */
  | { readonly kind: 'skipped' }
  | {
      readonly kind: 'bad';
      readonly field: string;
      readonly value: unknown;
      readonly message: string;
      readonly fix: string;
    };

/** RFC 1123 subdomain, as the API server wants it of every name used here. */
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Identity and metadata of a Kubernetes object; its body is left to the translation of its kind. */
export function parseObject(value: unknown): ParsedObject {
  if (value === null || value === undefined) return { kind: 'skipped' };
  if (!isJsonObject(value)) return bad('', value, 'is no object', 'write apiVersion, kind and metadata');
  const { apiVersion, kind } = value;
  if (typeof kind !== 'string' || kind === '')
    return bad('kind', kind, 'is required', 'set kind, e.g. Service');
  if (typeof apiVersion !== 'string' || apiVersion === '') {
    return bad('apiVersion', apiVersion, 'is required', 'set apiVersion, e.g. v1');
  }
  const name = kindName(groupOf(apiVersion), kind);
  const known = KNOWN_KINDS.get(name);
  if (known === undefined || groupOf(apiVersion) !== known.group) return { kind: 'skipped' };
  return parseMetadata(value, apiVersion, name, known.namespaced);
}

function parseMetadata(
  value: JsonObject,
  apiVersion: string,
  kind: string,
  namespaced: boolean,
): ParsedObject {
  const metadata = value['metadata'];
  if (!isJsonObject(metadata)) return bad('metadata', metadata, 'must be an object', 'set metadata.name');
  const { name, namespace = 'default', creationTimestamp, generation } = metadata;
  if (typeof name !== 'string' || !NAME.test(name)) {
    return bad('metadata.name', name, 'is no name', 'use lower-case letters, digits, - and .');
  }
  if (namespaced && (typeof namespace !== 'string' || !NAMESPACE.test(namespace))) {
    return bad(
      'metadata.namespace',
      namespace,
      'is no name of a namespace',
      'use lower-case letters, digits and -',
    );
  }
  const labels = textMap(metadata['labels']);
  if (labels === undefined) return badMap('metadata.labels', metadata['labels']);
  const annotations = textMap(metadata['annotations']);
  if (annotations === undefined) return badMap('metadata.annotations', metadata['annotations']);
  return {
    kind: 'object',
    object: {
      apiVersion,
      kind,
      metadata: {
        name,
        namespace: namespaced && typeof namespace === 'string' ? namespace : '',
        labels,
        annotations,
        creationTimestamp: timestamp(creationTimestamp),
        generation: typeof generation === 'number' ? generation : 0,
      },
      spec: value['spec'],
      status: value['status'],
      body: value,
    },
  };
}

/** YAML turns an unquoted timestamp into text or a Date, by its schema. */
function timestamp(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'string' ? value : '';
}

/** Undefined when it is not a map of texts: `istio.io/rev: 1` is a mistake the API server refuses too. */
function textMap(value: unknown): Record<string, string> | undefined {
  if (value === undefined || value === null) return {};
  if (!isJsonObject(value)) return undefined;
  const texts: Record<string, string> = {};
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== 'string') return undefined;
    texts[name] = text;
  }
  return texts;
}

function badMap(field: string, value: unknown): ParsedObject {
  return bad(field, value, 'must be a map of strings', 'put numbers and true/false in quotes');
}

function bad(field: string, value: unknown, message: string, fix: string): ParsedObject {
  return { kind: 'bad', field, value, message, fix };
}

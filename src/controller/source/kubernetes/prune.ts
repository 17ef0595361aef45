import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { CA_BUNDLE_KEY } from '../../translate/ca-bundle/ca-bundle.ts';
import { MESH_CONFIG_KEY } from '../../translate/mesh-config/mesh-config.ts';
import { CREDENTIAL_KEYS } from '../../translate/tls-credential/tls-credential.ts';
import { readinessOf } from '../../translate/external-workload/external-workload.ts';
import { MIRROR_POD } from '../../translate/mesh-labels.ts';
import { objectAt, objectsAt } from '../../translate/loose-fields.ts';
import type { KubeObject } from '../kube-object.ts';

/**
 * What is kept of an object: the fields that translations read. A pod as the API server sends it has about 10 KB, of which
 * 1 KB says something about a mesh, and each is held once a replica.
 *
 * Status is kept where a translation reads it. Everywhere else it is left out, so that a status we wrote ourselves is no
 * change: whoever writes a status reads the object first.
 */
export function prune(object: KubeObject): KubeObject {
  const { apiVersion, kind, metadata } = object;
  const body = isJsonObject(object.body) ? object.body : {};
  const kept = { apiVersion, kind, metadata: { ...metadata, annotations: annotationsOf(object) } };
  const metadataKept = pick(objectAt(body, 'metadata'), ['uid', 'ownerReferences', 'deletionTimestamp']);
  switch (kind) {
    case 'Pod':
      return {
        ...kept,
        spec: podSpec(objectAt(object.spec)),
        status: podStatus(objectAt(object.status)),
        body: { metadata: metadataKept },
      };
    // Their labels and annotations are all that counts.
    case 'Node':
    case 'Namespace':
      return { ...kept, spec: undefined };
    case 'EndpointSlice':
      return { ...kept, spec: undefined, body: sliceBody(body) };
    case 'ExternalWorkload':
      return {
        ...kept,
        spec: object.spec,
        status: readinessOf(object.status),
        body: { metadata: metadataKept },
      };
    case 'Secret':
      return { ...kept, spec: undefined, body: { data: pick(objectAt(body, 'data'), CREDENTIAL_KEYS) } };
    case 'ConfigMap':
      return { ...kept, spec: undefined, body: { data: pick(objectAt(body, 'data'), CONFIG_KEYS) } };
    default:
      return { ...kept, spec: object.spec, body: { metadata: metadataKept } };
  }
}

/** The configuration of the mesh, authorities. */
const CONFIG_KEYS = [MESH_CONFIG_KEY, CA_BUNDLE_KEY];
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** Domains whose annotations on a pod may mean something to a mesh. */
const MESH_DOMAINS = ['istio.io', 'ambient.mesh', 'linkerd.io', 'hashicorp.com', 'networking.k8s.io'];

function annotationsOf({ kind, metadata }: KubeObject): Readonly<Record<string, string>> {
  if (kind === 'Node') return {};
  const isKept = ([key]: readonly [string, string]): boolean => {
    if (kind !== 'Pod') return key !== LAST_APPLIED;
    if (key === MIRROR_POD) return true;
    const [domain = ''] = key.split('/');
    return MESH_DOMAINS.some(mesh => domain === mesh || domain.endsWith(`.${mesh}`));
  };
  return Object.fromEntries(Object.entries(metadata.annotations).filter(isKept));
}

function podSpec(spec: JsonObject): JsonObject {
  const containers = objectsAt(spec, 'containers')
    .map(container => ({ ports: objectsAt(container, 'ports').map(p => pick(p, ['name', 'containerPort'])) }))
    .filter(({ ports }) => ports.length > 0);
  return {
    ...pick(spec, ['nodeName', 'serviceAccountName', 'hostNetwork', 'hostname', 'subdomain']),
    containers,
  };
}

function podStatus(status: JsonObject): JsonObject {
  const conditions = objectsAt(status, 'conditions')
    .filter(condition => condition['type'] === 'Ready')
    .map(condition => pick(condition, ['type', 'status']));
  return { ...pick(status, ['phase', 'podIP', 'podIPs']), conditions };
}

function sliceBody(body: JsonObject): JsonObject {
  const endpoints = objectsAt(body, 'endpoints').map(endpoint => ({
    ...pick(endpoint, ['addresses', 'conditions', 'hostname', 'nodeName', 'zone']),
    targetRef: pick(objectAt(endpoint, 'targetRef'), ['kind', 'name']),
  }));
  return { ...pick(body, ['addressType', 'ports']), endpoints };
}

function pick(object: JsonObject, fields: readonly string[]): JsonObject {
  const picked: Record<string, unknown> = {};
  for (const field of fields) if (object[field] !== undefined) picked[field] = object[field];
  return picked;
}

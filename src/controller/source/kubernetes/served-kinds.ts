import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import type { KubeApi } from '#shared/kube/client.ts';
import { bareKind, kindName } from '#shared/kube/kind-name.ts';
import { isNotFound } from '#shared/kube/kube-error.ts';
import type { KubeResource } from '#shared/kube/resource.ts';
import type { KnownKind } from '../known-kinds.ts';

/**
 * Which of the wanted kinds the API server serves now, by name (`kindName`), each in the version it likes best: what is not there yet is a CRD
 * that nobody has installed. Rejects when the server cannot be asked; then nothing is known.
 */
export async function servedKinds(
  api: KubeApi,
  wanted: ReadonlyMap<string, KnownKind>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, KubeResource>> {
  const groups = new Set([...wanted.values()].map(({ group }) => group));
  const found = await Promise.all(
    [...groups].map(group => {
      const kinds = [...wanted].filter(([, known]) => known.group === group).map(([name]) => bareKind(name));
      return kindsOfGroup(api, group, new Set(kinds), signal);
    }),
  );
  const kinds = found.flat();
  const isCore = ({ group }: { readonly group: string }): boolean => group === '';
  // A load balancer that has nobody behind it has never heard of anything either: with its kinds every policy would be gone.
  if ([...wanted.values()].some(isCore) && !kinds.some(isCore))
    throw new Error('whoever answers serves nothing of api/v1, and is no API server');
  return new Map(kinds.map(resource => [kindName(resource.group, resource.kind), resource]));
}

async function kindsOfGroup(
  api: KubeApi,
  group: string,
  kinds: Set<string>,
  signal: AbortSignal,
): Promise<readonly KubeResource[]> {
  const found: KubeResource[] = [];
  for (const version of await versionsOf(api, group, signal)) {
    if (kinds.size === 0) break;
    for (const resource of await resourcesOf(api, group, version, signal)) {
      if (kinds.delete(resource.kind)) found.push(resource);
    }
  }
  return found;
}

/** The best first. None: nobody serves the group. */
async function versionsOf(api: KubeApi, group: string, signal: AbortSignal): Promise<readonly string[]> {
  if (group === '') return ['v1'];
  const answer = await getOrNothing(api, `/apis/${group}`, signal);
  return textsOf(answer, 'versions', 'version');
}

/** Those that can be listed and watched. */
async function resourcesOf(
  api: KubeApi,
  group: string,
  version: string,
  signal: AbortSignal,
): Promise<readonly KubeResource[]> {
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const answer = await getOrNothing(api, path, signal);
  const resources = answer['resources'];
  return (Array.isArray(resources) ? resources.filter(isJsonObject) : []).flatMap(resource => {
    const { kind, name, namespaced, verbs } = resource;
    if (typeof kind !== 'string' || typeof name !== 'string' || !Array.isArray(verbs)) return [];
    // `pods/status` is of kind Pod too.
    if (name.includes('/') || !verbs.includes('list') || !verbs.includes('watch')) return [];
    return [{ group, version, kind, plural: name, namespaced: namespaced === true }];
  });
}

async function getOrNothing(api: KubeApi, path: string, signal: AbortSignal): Promise<JsonObject> {
  try {
    return await api.request({ path, signal });
  } catch (error) {
    if (isNotFound(error)) return {};
    throw error;
  }
}

function textsOf(object: JsonObject, list: string, field: string): readonly string[] {
  const items = object[list];
  return (Array.isArray(items) ? items.filter(isJsonObject) : [])
    .map(item => item[field])
    .filter(text => typeof text === 'string');
}

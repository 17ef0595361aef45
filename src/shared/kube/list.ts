import { isJsonObject, type JsonObject } from '../config/json.ts';
import type { KubeApi } from './client.ts';
import { isGone } from './kube-error.ts';
import { collectionPath, type KubeResource } from './resource.ts';

/** What of a kind is looked at. */
export interface Selection {
  readonly resource: KubeResource;
  /** All of them when absent. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Names, labels, annotations and owners alone: the server sends nothing else. */
  readonly metadataOnly?: boolean;
}

export interface ListOptions {
  readonly signal?: AbortSignal;
  /** Called for each page, so that a whole mesh is never held as it came. */
  readonly onPage: (items: readonly JsonObject[]) => void;
}

const PAGE_ITEMS = 250;
const PAGE_DEADLINE_MS = 60_000;
const METADATA = 'g=meta.k8s.io;v=v1';

/**
 * Reads all objects of a selection, page by page. @returns the resourceVersion that a watch can go on from. Objects may
 * be handed over twice when the server forgot its place in between and the list began anew.
 */
export async function listObjects(api: KubeApi, selection: Selection, options: ListOptions): Promise<string> {
  try {
    return await listPages(api, selection, options, String(PAGE_ITEMS));
  } catch (error) {
    if (!isGone(error)) throw error;
    // The place in the list is older than what the server keeps: a whole list cannot lose its place.
    return listPages(api, selection, options, undefined);
  }
}

async function listPages(
  api: KubeApi,
  selection: Selection,
  { onPage, signal }: ListOptions,
  limit: string | undefined,
): Promise<string> {
  let from: string | undefined;
  for (;;) {
    const list = await api.request({
      path: collectionPath(selection.resource, selection.namespace),
      query: { ...selectorQuery(selection), limit, continue: from },
      accept: acceptOf(selection, 'PartialObjectMetadataList'),
      deadlineMs: PAGE_DEADLINE_MS,
      ...(signal && { signal }),
    });
    const { items, resourceVersion, next } = readPage(list, selection.resource.plural);
    onPage(items);
    if (next === '') return resourceVersion;
    from = next;
  }
}

interface Page {
  readonly items: readonly JsonObject[];
  readonly resourceVersion: string;
  /** Empty for the last one. */
  readonly next: string;
}

/** @throws Error for what is no list: taken for an empty one it would delete all there is. */
function readPage(list: JsonObject, what: string): Page {
  const { items, metadata } = list;
  const { continue: next, resourceVersion } = isJsonObject(metadata) ? metadata : {};
  // A server written in Go has null for none.
  const isList = Array.isArray(items) || items === null || items === undefined;
  if (!isList || typeof resourceVersion !== 'string' || resourceVersion === '')
    throw new Error(`list of ${what}: the answer is no list`);
  return {
    items: Array.isArray(items) ? items.filter(isJsonObject) : [],
    resourceVersion,
    next: typeof next === 'string' ? next : '',
  };
}

export function selectorQuery({
  fieldSelector,
  labelSelector,
}: Selection): Readonly<Record<string, string | undefined>> {
  return { fieldSelector, labelSelector };
}

export function acceptOf(
  { metadataOnly = false }: Selection,
  as: 'PartialObjectMetadata' | 'PartialObjectMetadataList',
): string {
  return metadataOnly ? `application/json;as=${as};${METADATA},application/json` : 'application/json';
}

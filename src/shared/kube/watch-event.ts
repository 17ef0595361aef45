import { isJsonObject, type JsonObject, parseJson } from '../config/json.ts';

/** A line of a watch stream. https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes */
export type WatchEvent =
  | { readonly kind: 'changed'; readonly object: JsonObject; readonly resourceVersion: string }
  | { readonly kind: 'deleted'; readonly object: JsonObject; readonly resourceVersion: string }
  /** Nothing happened up to this version: a watch may go on from there. */
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }
  /** The server no longer has what follows the version that was asked for (410): list again. */
  | { readonly kind: 'expired'; readonly message: string }
  | { readonly kind: 'error'; readonly status: number; readonly message: string };

/** Throws when the line is none. */
export function parseWatchEvent(line: string): WatchEvent {
  const event = parseJson(line);
  const object = isJsonObject(event) ? event['object'] : undefined;
  if (!isJsonObject(event) || !isJsonObject(object)) throw new Error('a watch event without an object');
  switch (event['type']) {
    case 'ADDED':
    case 'MODIFIED':
      return { kind: 'changed', object, resourceVersion: resourceVersionOf(object) };
    case 'DELETED':
      return { kind: 'deleted', object, resourceVersion: resourceVersionOf(object) };
    case 'BOOKMARK':
      return { kind: 'bookmark', resourceVersion: resourceVersionOf(object) };
    case 'ERROR':
      return errorEvent(object);
    default:
      throw new Error(`a watch event of type ${String(event['type']).slice(0, 40)}`);
  }
}

/** Of an object or a list. Throws when it has none. */
export function resourceVersionOf(object: JsonObject): string {
  const metadata = object['metadata'];
  const version = isJsonObject(metadata) ? metadata['resourceVersion'] : undefined;
  if (typeof version !== 'string' || version === '') throw new Error('an object without a resourceVersion');
  return version;
}

/** `Status` in place of the object. */
function errorEvent(status: JsonObject): WatchEvent {
  const code = typeof status['code'] === 'number' ? status['code'] : 500;
  const message = typeof status['message'] === 'string' ? status['message'] : `status ${code}`;
  return code === 410 ? { kind: 'expired', message } : { kind: 'error', status: code, message };
}

import { isJsonObject, type JsonObject } from './json.ts';

/*
 * Reading of objects that others have checked, such as those of an API server: what is missing or has another type is empty.
 */

export function child(object: JsonObject, field: string): JsonObject {
  const value = object[field];
  return isJsonObject(value) ? value : {};
}

/** The objects of a list; anything else in it is passed over. */
export function children(object: JsonObject, field: string): JsonObject[] {
  const value = object[field];
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

/** Numbers too: where Kubernetes takes either. */
export function text(object: JsonObject, field: string): string {
  const value = object[field];
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}

export function textMap(object: JsonObject, field: string): Readonly<Record<string, string>> {
  const entries = Object.entries(child(object, field));
  return Object.fromEntries(entries.filter((e): e is [string, string] => typeof e[1] === 'string'));
}

export function texts(object: JsonObject, field: string): string[] {
  const value = object[field];
  return Array.isArray(value) ? value.filter(v => typeof v === 'string') : [];
}

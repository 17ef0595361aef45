import { isJsonObject, type JsonObject } from '#shared/config/json.ts';

/** Empty when it is missing or has another type; so are the others. */
export function child(object: JsonObject, field: string): JsonObject {
  const value = object[field];
  return isJsonObject(value) ? value : {};
}

export function objects(object: JsonObject, field: string): JsonObject[] {
  const value = object[field];
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

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

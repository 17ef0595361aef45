import { isJsonObject, type JsonObject } from '#shared/config/json.ts';

const EMPTY: JsonObject = Object.freeze({});

/*
 * Reading of core kinds (Pod, Service, …), which have hundreds of fields that are none of a mesh's business: what is not
 * asked for is not looked at, and a field of another type reads as absent. Fields that decide something are checked by
 * the translation, which reports them.
 */

/** The object at a path of fields, empty when there is none. */
export function objectAt(value: unknown, ...path: readonly string[]): JsonObject {
  let at: unknown = value;
  for (const field of path) at = isJsonObject(at) ? at[field] : undefined;
  return isJsonObject(at) ? at : EMPTY;
}

/** The objects of a list; anything else in it is passed over. */
export function objectsAt(object: JsonObject, field: string): readonly JsonObject[] {
  const value = object[field];
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

export function textAt(object: JsonObject, field: string): string | undefined {
  const value = object[field];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function textsAt(object: JsonObject, field: string): readonly string[] {
  const value = object[field];
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : [];
}

export function numberAt(object: JsonObject, field: string): number | undefined {
  const value = object[field];
  return typeof value === 'number' ? value : undefined;
}

export function flagAt(object: JsonObject, field: string): boolean {
  return object[field] === true;
}

export function textMapAt(object: JsonObject, field: string): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(objectAt(object, field)).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );
}

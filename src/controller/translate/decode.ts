import type { KubeObject } from '../source/kube-object.ts';
import { Diagnostics } from './diagnostic.ts';
import { parseDurationMs } from '#shared/config/duration.ts';

/**
 * Reads the fields of one object of a Kubernetes resource. A field of the wrong type is reported and read as absent (the
 * whole resource is rejected in the end, so what stands in for it is never used). A field nobody asked for is reported by
 * `done`: a misspelt field must not silently mean nothing.
 */
export class Fields {
  readonly path: string;
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #asked = new Set<string>();
  readonly #diagnostics: Diagnostics;

  constructor(values: ReadonlyMap<string, unknown>, path: string, diagnostics: Diagnostics) {
    this.#values = values;
    this.path = path;
    this.#diagnostics = diagnostics;
  }

  /** Absent and null are the same, as for the Kubernetes API server. */
  has(key: string): boolean {
    this.#asked.add(key);
    return this.raw(key) !== undefined;
  }

  raw(key: string): unknown {
    return this.#values.get(key) ?? undefined;
  }

  keys(): readonly string[] {
    return [...this.#values.keys()];
  }

  at(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }

  reject(key: string, message: string, fix: string): void {
    this.#diagnostics.reject(this.at(key), this.raw(key), message, fix);
  }

  ignore(key: string, message: string, fix: string): void {
    this.#diagnostics.ignore(this.at(key), this.raw(key), message, fix);
  }

  /** A field of the kind's API that this mesh does not act on: said so when it is set. @returns whether it is. */
  unsupported(key: string, fix: string): boolean {
    if (!this.has(key)) return false;
    this.ignore(key, 'is not supported and has no effect', fix);
    return true;
  }

  /** As `unsupported`, where going on without the field would do something else than was asked for. */
  refused(key: string, fix: string): void {
    if (this.has(key)) this.reject(key, 'is not supported', fix);
  }

  string(key: string): string | undefined {
    const value = this.#ask(key);
    if (value === undefined || typeof value === 'string') return value;
    this.#wrongType(key, 'a string');
    return undefined;
  }

  requiredString(key: string): string {
    const value = this.string(key);
    if (value !== undefined && value !== '') return value;
    if (this.raw(key) === undefined || value === '') this.reject(key, 'is required', `set ${this.at(key)}`);
    return '';
  }

  boolean(key: string): boolean | undefined {
    const value = this.#ask(key);
    if (value === undefined || typeof value === 'boolean') return value;
    this.#wrongType(key, 'true or false');
    return undefined;
  }

  integer(key: string, min: number, max: number): number | undefined {
    const value = this.#ask(key);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    this.#wrongType(key, `a whole number from ${min} to ${max}`);
    return undefined;
  }

  /** As protobuf takes them in YAML, where no API server sees to the types: Istio's own examples put numbers in quotes. */
  quotableInteger(key: string, min: number, max: number): number | undefined {
    const value = this.#ask(key);
    if (typeof value !== 'string' || !/^\d{1,15}$/.test(value)) return this.integer(key, min, max);
    const number = Number(value);
    if (number >= min && number <= max) return number;
    this.#wrongType(key, `a whole number from ${min} to ${max}`);
    return undefined;
  }

  number(key: string, min: number, max: number): number | undefined {
    const value = this.#ask(key);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && value >= min && value <= max) return value;
    this.#wrongType(key, `a number from ${min} to ${max}`);
    return undefined;
  }

  port(key: string): number | undefined {
    return this.integer(key, 1, 65535);
  }

  oneOf<const T extends string>(key: string, allowed: readonly T[]): T | undefined {
    const value = this.string(key);
    const found = allowed.find(candidate => candidate === value);
    if (value !== undefined && found === undefined) {
      this.reject(key, 'is not one of the values it can have', `use one of ${allowed.join(', ')}`);
    }
    return found;
  }

  /** Milliseconds; `example` is shown when it is malformed. */
  durationMs(key: string, example: string): number | undefined {
    const value = this.string(key);
    const ms = value === undefined ? undefined : parseDurationMs(value);
    if (value !== undefined && ms === undefined) {
      this.reject(key, 'is not a duration', `write a number with a unit (h, m, s, ms), such as ${example}`);
    }
    return ms;
  }

  strings(key: string): readonly string[] {
    const list = this.#list(key);
    const strings = list.filter(item => typeof item === 'string');
    if (strings.length < list.length) this.#wrongType(key, 'a list of strings');
    return strings;
  }

  /** A map of strings, such as labels. */
  stringMap(key: string): ReadonlyMap<string, string> {
    const read = new Map<string, string>();
    this.object(key, fields => {
      for (const name of fields.keys()) {
        const value = fields.string(name);
        if (value !== undefined) read.set(name, value);
      }
    });
    return read;
  }

  object<T>(key: string, read: (fields: Fields) => T): T | undefined {
    const value = this.#ask(key);
    if (value === undefined) return undefined;
    return readObject(value, this.at(key), this.#diagnostics, read);
  }

  /** Reads each item of a list of objects; items of another type are reported and left out. */
  objects<T>(key: string, read: (fields: Fields, index: number) => T): readonly T[] {
    const items: T[] = [];
    this.#list(key).forEach((item, index) => {
      const path = `${this.at(key)}[${index}]`;
      const value = readObject(item, path, this.#diagnostics, fields => ({ read: read(fields, index) }));
      if (value !== undefined) items.push(value.read);
    });
    return items;
  }

  /** What is here is somebody else's: none of it is reported. */
  leave(): void {
    for (const key of this.#values.keys()) this.#asked.add(key);
  }

  /** Reports what is there and nobody asked for. */
  done(): void {
    for (const key of this.#values.keys()) {
      if (this.#asked.has(key) || this.raw(key) === undefined) continue;
      const known = [...this.#asked].sort().join(', ');
      this.reject(
        key,
        'is no field of this object',
        `remove it or correct its name; fields here are ${known}`,
      );
    }
  }

  #ask(key: string): unknown {
    this.#asked.add(key);
    return this.raw(key);
  }

  #list(key: string): readonly unknown[] {
    const value = this.#ask(key);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value;
    this.#wrongType(key, 'a list');
    return [];
  }

  #wrongType(key: string, expected: string): void {
    this.reject(key, `must be ${expected}`, `change it to ${expected}`);
  }
}

/** Reads the `spec` of an object; an absent one is empty. */
export function readSpec<T>(
  object: KubeObject,
  diagnostics: Diagnostics,
  read: (spec: Fields) => T,
): T | undefined {
  return readObject(object.spec ?? {}, 'spec', diagnostics, read);
}

function readObject<T>(
  value: unknown,
  path: string,
  diagnostics: Diagnostics,
  read: (fields: Fields) => T,
): T | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    diagnostics.reject(path, value, 'must be an object with named fields', 'write fields below it');
    return undefined;
  }
  const fields = new Fields(new Map(Object.entries(value)), path, diagnostics);
  const result = read(fields);
  fields.done();
  return result;
}

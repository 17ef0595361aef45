import {
  MAX_CONDITION_DEPTH,
  MAX_CONDITION_NODES,
  type RequestCondition,
  type ResponseCondition,
} from '#shared/route/condition.ts';
import type { Fields } from '../decode.ts';
import { checkRegex } from '../path-value.ts';

/** A tree while it is read: within bounds. */
export class TreeBounds {
  #nodes = 0;

  /** @returns false, with the reason reported, when the tree goes too far. */
  enter(fields: Fields, depth: number): boolean {
    this.#nodes++;
    if (depth <= MAX_CONDITION_DEPTH && this.#nodes <= MAX_CONDITION_NODES) return true;
    fields.reject(
      fields.keys()[0] ?? 'all',
      `is part of a condition deeper than ${MAX_CONDITION_DEPTH} or of more than ${MAX_CONDITION_NODES} parts`,
      'split the route',
    );
    for (const key of fields.keys()) fields.has(key);
    return false;
  }
}

/** Several fields of one condition must all hold. */
export function readRequestCondition(fields: Fields, bounds = new TreeBounds(), depth = 1): RequestCondition {
  if (!bounds.enter(fields, depth)) return ALWAYS;
  const parts: RequestCondition[] = [];
  const pathRegex = fields.string('pathRegex');
  if (pathRegex !== undefined) {
    checkRegex(fields, 'pathRegex', pathRegex);
    parts.push({ kind: 'path', path: { kind: 'regex', value: pathRegex, ignoreCase: false } });
  }
  const method = fields.string('method');
  if (method !== undefined)
    parts.push({ kind: 'header', header: { name: ':method', kind: 'exact', value: method.toUpperCase() } });
  for (const kind of ['all', 'any'] as const) {
    if (!fields.has(kind)) continue;
    parts.push({ kind, of: fields.objects(kind, item => readRequestCondition(item, bounds, depth + 1)) });
  }
  const not = fields.object('not', item => readRequestCondition(item, bounds, depth + 1));
  if (not !== undefined) parts.push({ kind: 'not', condition: not });
  return joined(fields, parts, ALWAYS);
}

export function readResponseCondition(
  fields: Fields,
  bounds = new TreeBounds(),
  depth = 1,
): ResponseCondition {
  if (!bounds.enter(fields, depth)) return EVERY_STATUS;
  const parts: ResponseCondition[] = [];
  const status = fields.object('status', readStatusRange);
  if (status !== undefined) parts.push(status);
  for (const kind of ['all', 'any'] as const) {
    if (!fields.has(kind)) continue;
    parts.push({ kind, of: fields.objects(kind, item => readResponseCondition(item, bounds, depth + 1)) });
  }
  const not = fields.object('not', item => readResponseCondition(item, bounds, depth + 1));
  if (not !== undefined) parts.push({ kind: 'not', condition: not });
  return joined(fields, parts, EVERY_STATUS);
}

const ALWAYS: RequestCondition = { kind: 'all', of: [] };
const EVERY_STATUS: ResponseCondition = { kind: 'all', of: [] };

function readStatusRange(fields: Fields): ResponseCondition {
  const min = fields.integer('min', 100, 599);
  const max = fields.integer('max', 100, 599);
  if (min === undefined && max === undefined) fields.reject('min', 'is required, or max', 'set one of them');
  if ((min ?? 0) > (max ?? 599)) fields.reject('max', 'is smaller than min', 'turn them round');
  return { kind: 'status', min: min ?? max ?? 100, max: max ?? min ?? 599 };
}

function joined<T>(
  fields: Fields,
  parts: readonly T[],
  none: T | { readonly kind: 'all'; readonly of: readonly T[] },
): T | { readonly kind: 'all'; readonly of: readonly T[] } {
  const [only, ...others] = parts;
  if (only === undefined) {
    fields.reject('all', 'is required, or another field of a condition', 'say what must hold');
    return none;
  }
  return others.length === 0 ? only : { kind: 'all', of: parts };
}

import {
  MAX_CONDITION_DEPTH,
  MAX_CONDITION_NODES,
  type RequestCondition,
  type ResponseClass,
  type ResponseCondition,
} from '../route/condition.ts';
import type { PathMatch, RouteMatch, SourceMatch, ValueMatch } from '../route/model.ts';
import { compileRegex } from '../route/regex/regex.ts';
import {
  InvalidField,
  readEach,
  readEnum,
  readFlag,
  readIfSet,
  readMessage,
  readName,
  readOptionalText,
  readText,
  readTexts,
  readWithin,
  type WireFields,
  within,
} from './wire-fields.ts';

/** `ambient.mesh.v1.RouteMatch` and what it and `RouteRule` are made of ↔ the model's. */

const PATH_KINDS = ['exact', 'prefix', 'string_prefix', 'regex'] as const;
const VALUE_KINDS = ['exact', 'prefix', 'regex', 'present', 'suffix', 'contains'] as const;

/** @throws InvalidField, as all of these. */
export function matchFromWire(wire: WireFields): RouteMatch {
  return {
    path: readIfSet(wire, 'path', pathFromWire),
    method: readOptionalText(wire, 'method'),
    headers: readEach(wire, 'headers', valueMatchFromWire),
    withoutHeaders: readEach(wire, 'without_headers', valueMatchFromWire),
    query: readEach(wire, 'query', valueMatchFromWire),
    source: readIfSet(wire, 'source', sourceFromWire),
    condition: readIfSet(wire, 'condition', requestConditionFromWire),
  };
}

export function matchToWire(match: RouteMatch): object {
  return {
    path: match.path && pathToWire(match.path),
    method: match.method,
    headers: match.headers.map(valueMatchToWire),
    without_headers: match.withoutHeaders.map(valueMatchToWire),
    query: match.query.map(valueMatchToWire),
    source: match.source && sourceToWire(match.source),
    condition: match.condition && requestConditionToWire(match.condition),
  };
}

function pathFromWire(wire: WireFields): PathMatch {
  const kind = readEnum(wire, 'kind', PATH_KINDS);
  const value = readText(wire, 'value');
  if (kind === 'regex') checkRegex(value, 'value');
  return { kind, value, ignoreCase: readFlag(wire, 'ignore_case') };
}

function pathToWire(path: PathMatch): object {
  return { kind: PATH_KINDS.indexOf(path.kind), value: path.value, ignore_case: path.ignoreCase };
}

function valueMatchFromWire(wire: WireFields): ValueMatch {
  const kind = readEnum(wire, 'kind', VALUE_KINDS);
  const value = readText(wire, 'value');
  if (kind === 'regex') checkRegex(value, 'value');
  return { name: readName(wire, 'name'), kind, value };
}

function valueMatchToWire(match: ValueMatch): object {
  return { name: match.name, kind: VALUE_KINDS.indexOf(match.kind), value: match.value };
}

export function sourceFromWire(wire: WireFields): SourceMatch {
  return {
    namespaces: readTexts(wire, 'namespaces'),
    workloads: readIfSet(wire, 'workloads', list => readTexts(list, 'uids')),
  };
}

export function sourceToWire(source: SourceMatch): object {
  return {
    namespaces: source.namespaces,
    workloads: source.workloads && { uids: source.workloads },
  };
}

/** A waypoint compiles it later: an expression that does not compile must not get that far. */
export function checkRegex(expression: string, field: string): void {
  const compiled = compileRegex(expression);
  if (!compiled.ok) throw new InvalidField(field, `${JSON.stringify(expression)}: ${compiled.reason}`);
}

function requestConditionFromWire(wire: WireFields): RequestCondition {
  return conditionFromWire<RequestCondition>(wire, requestLeafFromWire, node => node);
}

function requestLeafFromWire(wire: WireFields): RequestCondition | undefined {
  const path = readIfSet(wire, 'path', pathFromWire);
  if (path !== undefined) return { kind: 'path', path };
  const header = readIfSet(wire, 'header', valueMatchFromWire);
  if (header !== undefined) return { kind: 'header', header };
  const query = readIfSet(wire, 'query', valueMatchFromWire);
  return query && { kind: 'query', query };
}

function requestConditionToWire(condition: RequestCondition): object {
  switch (condition.kind) {
    case 'path':
      return { path: pathToWire(condition.path) };
    case 'header':
      return { header: valueMatchToWire(condition.header) };
    case 'query':
      return { query: valueMatchToWire(condition.query) };
    case 'all':
    case 'any':
      return { [condition.kind]: { of: condition.of.map(requestConditionToWire) } };
    case 'not':
      return { not: requestConditionToWire(condition.condition) };
  }
}

export function responseClassFromWire(wire: WireFields): ResponseClass {
  const condition = readMessage(wire, 'condition') ?? {};
  return {
    condition: within('condition', () => responseConditionFromWire(condition)),
    isFailure: readFlag(wire, 'is_failure'),
  };
}

export function responseClassToWire(of: ResponseClass): object {
  return { condition: responseConditionToWire(of.condition), is_failure: of.isFailure };
}

function responseConditionFromWire(wire: WireFields): ResponseCondition {
  return conditionFromWire<ResponseCondition>(
    wire,
    leaf =>
      readIfSet(leaf, 'status', range => {
        const min = readWithin(range, 'min', 100, 599);
        return { kind: 'status', min, max: readWithin(range, 'max', min, 599) };
      }),
    node => node,
  );
}

function responseConditionToWire(condition: ResponseCondition): object {
  switch (condition.kind) {
    case 'status':
      return { status: { min: condition.min, max: condition.max } };
    case 'all':
    case 'any':
      return { [condition.kind]: { of: condition.of.map(responseConditionToWire) } };
    case 'not':
      return { not: responseConditionToWire(condition.condition) };
  }
}

/** The inner nodes of a condition tree, which are the same for requests and responses. */
type InnerNode<T> =
  | { readonly kind: 'all' | 'any'; readonly of: readonly T[] }
  | { readonly kind: 'not'; readonly condition: T };

/**
 * Reads a tree within bounds.
 *
 * @param readLeaf reads a node that is none of all, any and not; undefined when it is nothing known.
 * @param inner makes a node of the others.
 */
function conditionFromWire<T>(
  wire: WireFields,
  readLeaf: (wire: WireFields) => T | undefined,
  inner: (node: InnerNode<T>) => T,
): T {
  let nodes = 0;
  const read = (node: WireFields, depth: number): T => {
    nodes++;
    if (depth > MAX_CONDITION_DEPTH)
      throw new InvalidField('condition', `nests deeper than ${MAX_CONDITION_DEPTH}`);
    if (nodes > MAX_CONDITION_NODES)
      throw new InvalidField('condition', `has more than ${MAX_CONDITION_NODES} parts`);
    for (const kind of ['all', 'any'] as const) {
      const of = readIfSet(node, kind, list => readEach(list, 'of', item => read(item, depth + 1)));
      if (of !== undefined) return inner({ kind, of });
    }
    const condition = readIfSet(node, 'not', negated => read(negated, depth + 1));
    if (condition !== undefined) return inner({ kind: 'not', condition });
    const leaf = readLeaf(node);
    if (leaf === undefined) throw new InvalidField('condition', 'is of no known kind');
    return leaf;
  };
  return read(wire, 1);
}

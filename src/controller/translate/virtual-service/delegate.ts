import type { PathMatch, RouteMatch, ValueMatch } from '#shared/route/model.ts';
import type { Fields } from '../decode.ts';
import { Diagnostics, formatDiagnostic } from '../diagnostic.ts';
import { readSpec } from '../decode.ts';
import type { VirtualServiceContext } from './context.ts';
import { readExportTo } from '../export-to.ts';
import { entriesForMesh } from './for-mesh.ts';
import { readHttpEntry, type HttpEntry } from './http-entry.ts';
import type { GuardedMatch } from './match.ts';

/**
 * The entries of a VirtualService that another one delegates to, with what the delegating entry adds: its matches hold
 * besides, its settings where the entry has none. Reported at the delegating entry when that cannot be.
 */
export function delegatedEntries(
  fields: Fields,
  entry: HttpEntry,
  context: VirtualServiceContext,
): readonly HttpEntry[] {
  const { delegate, matches } = entry;
  if (delegate === undefined || matches === undefined) return [];
  const at = `${delegate.namespace}/${delegate.name}`;
  const refuse = (reason: string, fix: string): readonly HttpEntry[] => {
    fields.ignore('delegate', `${reason}: the entry takes no request`, fix);
    return [];
  };
  const object = context.delegates(delegate.namespace, delegate.name);
  if (object === undefined)
    return refuse(`there is no VirtualService ${at}`, 'create it or correct the name');
  const diagnostics = new Diagnostics(object);
  const read = readSpec(object, diagnostics, spec => ({
    isRoot: spec.strings('hosts').length > 0,
    callers: readExportTo(spec, object.metadata.namespace, context.exportDefault),
    entries: readEntries(spec, `VirtualService/${at}`, {
      ...context,
      namespace: object.metadata.namespace,
    }),
  }));
  const [first] = diagnostics.found.filter(found => found.severity === 'rejected');
  if (read === undefined || first !== undefined)
    return refuse(`${at} is rejected (${first === undefined ? '' : formatDiagnostic(first)})`, 'correct it');
  if (read.isRoot) return refuse(`${at} has hosts of its own`, 'remove its hosts');
  if (read.callers.length > 0 && !read.callers.includes(context.namespace))
    return refuse(`${at} is not exported to ${context.namespace}`, 'add the namespace to its exportTo');
  if (read.entries.some(leaf => leaf.delegate !== undefined))
    return refuse(`${at} delegates in turn, which only one with hosts can`, 'put the routes there');
  return read.entries.map(leaf => inherit(entry, leaf, matches));
}

function readEntries(spec: Fields, name: string, context: VirtualServiceContext): readonly HttpEntry[] {
  for (const key of ['gateways', 'tls', 'tcp']) spec.has(key);
  return entriesForMesh(spec, 'http', (fields, index) => readHttpEntry(fields, `${name}/${index}`, context));
}

function inherit(root: HttpEntry, leaf: HttpEntry, rootMatches: readonly GuardedMatch[]): HttpEntry {
  return {
    ...leaf,
    matches: joinMatches(rootMatches, leaf.matches),
    headers: leaf.headers ?? root.headers,
    rewrite: leaf.rewrite ?? root.rewrite,
    fault: leaf.fault ?? root.fault,
    cors: leaf.cors ?? root.cors,
    mirrors: leaf.mirrors ?? root.mirrors,
    timeoutMs: leaf.timeoutMs ?? root.timeoutMs,
    retry: leaf.retry ?? root.retry,
  };
}

/** Every pair of them that does not contradict itself; undefined when all do. */
function joinMatches(
  roots: readonly GuardedMatch[],
  leaves: readonly GuardedMatch[] | undefined,
): readonly GuardedMatch[] | undefined {
  if (leaves === undefined || roots.length === 0) return leaves;
  if (leaves.length === 0) return roots;
  const joined = roots.flatMap(root => leaves.flatMap(leaf => joinMatch(root, leaf) ?? []));
  return joined.length === 0 ? undefined : joined;
}

function joinMatch(root: GuardedMatch, leaf: GuardedMatch): GuardedMatch | undefined {
  if (differ(root.port, leaf.port) || differ(root.host, leaf.host)) return undefined;
  const [outer, inner] = [root.match, leaf.match];
  if (differ(outer.method, inner.method) || !isWithin(outer.path, inner.path)) return undefined;
  if (outer.source !== undefined && inner.source !== undefined) return undefined;
  const headers = joinValues(outer.headers, inner.headers);
  const withoutHeaders = joinValues(outer.withoutHeaders, inner.withoutHeaders);
  const query = joinValues(outer.query, inner.query);
  if (headers === undefined || withoutHeaders === undefined || query === undefined) return undefined;
  const match: RouteMatch = {
    path: inner.path ?? outer.path,
    method: inner.method ?? outer.method,
    headers,
    withoutHeaders,
    query,
    source: inner.source ?? outer.source,
    condition: undefined,
  };
  return { port: leaf.port ?? root.port, host: leaf.host ?? root.host, match };
}

function differ<T>(root: T | undefined, leaf: T | undefined): boolean {
  return root !== undefined && leaf !== undefined && root !== leaf;
}

/** Whether the delegate's path is part of the root's. Of patterns that cannot be said: Istio takes it for a contradiction. */
function isWithin(outer: PathMatch | undefined, inner: PathMatch | undefined): boolean {
  if (outer === undefined || inner === undefined) return true;
  if (outer.kind === 'regex' || inner.kind === 'regex' || outer.ignoreCase !== inner.ignoreCase) return false;
  if (outer.kind === 'exact') return inner.kind === 'exact' && inner.value === outer.value;
  return inner.value.startsWith(outer.value);
}

/** Both lists; undefined when they contradict each other in a name. */
function joinValues(
  outer: readonly ValueMatch[],
  inner: readonly ValueMatch[],
): readonly ValueMatch[] | undefined {
  const joined = [...inner];
  for (const value of outer) {
    const same = inner.find(other => other.name === value.name);
    if (same === undefined) joined.push(value);
    else if (!isWithinValue(value, same)) return undefined;
  }
  return joined;
}

function isWithinValue(outer: ValueMatch, inner: ValueMatch): boolean {
  if (outer.kind === 'present') return true;
  if (outer.kind === 'regex' || inner.kind === 'regex' || inner.kind === 'present') return false;
  if (outer.kind === 'exact') return inner.kind === 'exact' && inner.value === outer.value;
  return inner.value.startsWith(outer.value);
}

import type { CompiledMatch, RoutedRequest } from './compiled-match.ts';
import { isPseudo, pseudoHeader } from './value-match.ts';

/**
 * Entries that a path leads to, to be tried one after the other. Those that ask for an exact value of a header are found by
 * it: a thousand rules that differ in one header cost what one does.
 */
export interface EntryList {
  /** Ascending. */
  readonly plain: number[];
  readonly byHeader: HeaderIndex[];
}

/** Entries, ascending, by the value of one header. */
export interface HeaderIndex {
  readonly name: string;
  readonly values: Map<string, number[]>;
}

export function makeEntryList(): EntryList {
  return { plain: [], byHeader: [] };
}

/** Entries must be added in ascending order. */
export function addEntry(list: EntryList, index: number, match: CompiledMatch): void {
  const header = match.headers.find(candidate => candidate.kind === 'exact');
  if (header === undefined) {
    list.plain.push(index);
    return;
  }
  let found = list.byHeader.find(candidate => candidate.name === header.name);
  if (found === undefined) list.byHeader.push((found = { name: header.name, values: new Map() }));
  const entries = found.values.get(header.value);
  if (entries === undefined) found.values.set(header.value, [index]);
  else entries.push(index);
}

export function isEmptyList(list: EntryList): boolean {
  return list.plain.length === 0 && list.byHeader.length === 0;
}

/** Calls `visit` with every list, ascending, of entries the request's headers lead to. @returns true when one ended the search. */
export function visitEntries<T>(
  list: EntryList,
  request: RoutedRequest,
  visit: (indices: readonly number[], context: T) => boolean,
  context: T,
): boolean {
  if (list.plain.length > 0 && visit(list.plain, context)) return true;
  for (const index of list.byHeader) if (visitByHeader(index, request, visit, context)) return true;
  return false;
}

/** Every value of a repeated header leads to its entries. */
function visitByHeader<T>(
  { name, values }: HeaderIndex,
  request: RoutedRequest,
  visit: (indices: readonly number[], context: T) => boolean,
  context: T,
): boolean {
  if (isPseudo(name)) {
    const entries = values.get(pseudoHeader(request, name) ?? '');
    return entries !== undefined && visit(entries, context);
  }
  const { headers } = request;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== name) continue;
    const entries = values.get(headers[i + 1] ?? '');
    if (entries !== undefined && visit(entries, context)) return true;
  }
  return false;
}

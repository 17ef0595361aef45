import type { RouteBackend, RouteRule } from '#shared/route/model.ts';
import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';
import { readFilterBody } from './header-modifier.ts';
import type { RouteContext } from './route-context.ts';

/** In place of a filter that refers to something that is not there: what it would have had to do cannot be done. */
export const UNRESOLVED = 'unresolved';

export type ReadFilter = RouteFilter | typeof UNRESOLVED | undefined;

/** The filters of a list. */
export interface ReadFilters {
  readonly filters: readonly RouteFilter[];
  /** Some of them are not resolved. */
  readonly unresolved: boolean;
}

export function collectFilters(read: readonly ReadFilter[]): ReadFilters {
  const filters: RouteFilter[] = [];
  let unresolved = false;
  for (const filter of read) {
    if (filter === UNRESOLVED) unresolved = true;
    else if (filter !== undefined) filters.push(filter);
  }
  return { filters, unresolved };
}

/** `ExtensionRef`: this mesh has no filters of its own, so that none can be resolved. */
export function readExtensionRef(fields: Fields, context: RouteContext): typeof UNRESOLVED {
  readFilterBody(
    fields,
    'extensionRef',
    ref => {
      const group = ref.string('group') ?? '';
      const kind = ref.requiredString('kind');
      const name = ref.requiredString('name');
      const shown = `${group === '' ? kind : `${group}/${kind}`} ${name}`;
      const message = `${shown} is no filter of this mesh`;
      const found = { reason: 'InvalidKind', message, fix: 'remove the filter' } as const;
      context.fault(ref, 'kind', found, 'requests it would be for are answered with 500');
    },
    undefined,
  );
  return UNRESOLVED;
}

/**
 * A rule some filter of which is not resolved: its requests get an error (HTTP 500), as the filter must not be skipped. Only who may
 * read the answer is still said.
 */
export function refusedRule(rule: RouteRule): RouteRule {
  const nobody = { weight: 1, service: undefined, port: 0, subset: undefined, filters: [] };
  return { ...rule, filters: rule.filters.filter(({ kind }) => kind === 'cors'), backends: [nobody] };
}

/** Likewise: its share of requests. */
export function withBackendFilters(backend: RouteBackend, { unresolved }: ReadFilters): RouteBackend {
  return unresolved ? { ...backend, service: undefined } : backend;
}

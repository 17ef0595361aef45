import {
  ANY_HTTP_REQUEST,
  type Clause,
  EMPTY_MATCH,
  type HttpMatch,
  type Rule,
} from '#shared/authz/policy.ts';
import type { Permission } from './permission.ts';

/**
 * An order as rules without one: what a permission says holds for requests that meet it, and none above it that says
 * otherwise. What meets none is denied.
 *
 * @param source clauses for whom the permissions are
 */
export function allowRules(permissions: readonly Permission[], source: readonly Clause[]): readonly Rule[] {
  return firstMatches('allow', permissions, source);
}

/** The complement of `allowRules` for the same source. */
export function denyRules(permissions: readonly Permission[], source: readonly Clause[]): readonly Rule[] {
  const allows = permissions.filter(({ action }) => action === 'allow');
  const unmentioned: Rule = { clauses: [...source, ...allows.map(notMet)] };
  return allows.length === 0 ? [unmentioned] : [...firstMatches('deny', permissions, source), unmentioned];
}

function firstMatches(
  action: Permission['action'],
  permissions: readonly Permission[],
  source: readonly Clause[],
): readonly Rule[] {
  return permissions.flatMap((permission, index) => {
    if (permission.action !== action) return [];
    const above = permissions.slice(0, index).filter(other => other.action !== action);
    return [{ clauses: [...source, met(permission), ...above.map(notMet)] }];
  });
}

function met({ conditions }: Permission): Clause {
  const http = conditions.reduce(
    (all, condition): HttpMatch => ({
      ...all,
      paths: [...all.paths, ...condition.met.paths],
      methods: [...all.methods, ...condition.met.methods],
      headers: [...all.headers, ...condition.met.headers],
      claims: [...all.claims, ...condition.met.claims],
    }),
    ANY_HTTP_REQUEST,
  );
  return { matches: [{ ...EMPTY_MATCH, http }] };
}

function notMet({ conditions }: Permission): Clause {
  return {
    matches: conditions.flatMap(({ unmet }) => unmet.map(http => ({ ...EMPTY_MATCH, http }))),
  };
}

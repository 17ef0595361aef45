import type { StringMatch } from '#shared/authz/policy.ts';
import { type Condition, either, type Permission } from './permission.ts';
import type { Verdict } from './service-intentions.ts';
import type { TokenWish } from './token-wish.ts';

/** The `iss` of a provider's tokens; undefined: there is no such provider. */
export type IssuerLookup = (provider: string) => string | undefined;

/**
 * A verdict with the tokens that are asked for as conditions. What is allowed takes a token of each list of `required`, of any
 * of its providers, and one of those that the permission names. Nobody has a token of a provider that is not there; what a
 * permission denies for one is denied without it as well.
 */
export function withTokens(
  verdict: Verdict,
  required: readonly (readonly TokenWish[])[],
  issuerOf: IssuerLookup,
): Verdict {
  if (verdict === 'deny') return verdict;
  if (verdict === 'allow' && required.length === 0) return verdict;
  const permissions = verdict === 'allow' ? [EVERYTHING] : verdict;
  const made = permissions.flatMap(permission =>
    permission.action === 'deny' ? denied(permission, issuerOf) : allowed(permission, required, issuerOf),
  );
  return made.some(({ action }) => action === 'allow') ? made : 'deny';
}

const EVERYTHING: Permission = { action: 'allow', conditions: [], tokens: undefined };

function allowed(
  permission: Permission,
  required: readonly (readonly TokenWish[])[],
  issuerOf: IssuerLookup,
): readonly Permission[] {
  const lists = permission.tokens === undefined ? required : [...required, permission.tokens];
  let ways: readonly (readonly Condition[])[] = [[]];
  for (const wishes of lists) {
    const met = wishes.map(wish => conditionOf(wish, issuerOf)).filter(one => one !== undefined);
    ways = ways.flatMap(way => met.map(condition => [...way, condition]));
  }
  return ways.map(way => ({
    ...permission,
    tokens: undefined,
    conditions: [...permission.conditions, ...way],
  }));
}

function denied(permission: Permission, issuerOf: IssuerLookup): readonly Permission[] {
  const { tokens } = permission;
  const conditions = tokens?.map(wish => conditionOf(wish, issuerOf)) ?? [];
  const known = conditions.filter(one => one !== undefined);
  const without: Permission = { ...permission, tokens: undefined };
  if (known.length === 0 || known.length < conditions.length) return [without];
  return known.map(condition => ({ ...without, conditions: [...permission.conditions, condition] }));
}

/** Claims are those of a verified token, whose issuer is one of them. */
function conditionOf({ claims, provider }: TokenWish, issuerOf: IssuerLookup): Condition | undefined {
  const issuer = issuerOf(provider);
  if (issuer === undefined) return undefined;
  const wanted = [{ path: ['iss'], value: issuer }, ...claims];
  return either(
    { claims: wanted.map(({ path, value }) => ({ claim: path, values: [exact(value)], notValues: [] })) },
    ...wanted.map(({ path, value }) => ({
      claims: [{ claim: path, values: [], notValues: [exact(value)] }],
    })),
  );
}

function exact(value: string): StringMatch {
  return { kind: 'exact', value };
}

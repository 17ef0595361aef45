import { EMPTY_MATCH } from '#shared/authz/policy.ts';
import type { Clause, Match, PolicyAction, Rule } from '#shared/authz/policy.ts';
import type { Fields } from '../decode.ts';
import { readCondition } from './condition.ts';
import { readOperation } from './operation.ts';
import { readSource } from './source.ts';
import type { RuleReading } from './unchecked.ts';

/**
 * A rule, or undefined where it holds something this mesh cannot check and leaving that out would let more in: such a
 * rule of an ALLOW policy allows nothing. In a DENY policy it denies without that part. Both are reported.
 */
export function readRule(
  fields: Fields,
  action: PolicyAction,
  namespace: string,
  trustDomain: string,
): Rule | undefined {
  const context: RuleReading = { action, namespace, trustDomain, unchecked: [] };
  const from = fields.objects('from', item =>
    readWrapped(item, 'source', source => readSource(source, context)),
  );
  const to = fields.objects('to', item => readWrapped(item, 'operation', readOperation));
  const when = fields.objects('when', condition => readCondition(condition, context));
  if (action === 'allow' && context.unchecked.length > 0) return undefined;
  const clauses: Clause[] = [];
  if (from.length > 0) clauses.push({ matches: from });
  if (to.length > 0) clauses.push({ matches: to });
  for (const match of when) if (match !== undefined) clauses.push({ matches: [match] });
  return { clauses };
}

function readWrapped(item: Fields, key: string, read: (fields: Fields) => Match): Match {
  const match = item.object(key, read);
  if (match === undefined && !item.has(key)) item.reject(key, 'is required', `set ${item.at(key)}`);
  // Stands in where the policy is rejected anyway.
  return match ?? EMPTY_MATCH;
}

import { EMPTY_MATCH } from '#shared/authz/policy.ts';
import type { Clause, HttpMatch, Match, Rule } from '#shared/authz/policy.ts';
import type { Fields } from '../decode.ts';
import { readCondition } from './condition.ts';
import { readOperation } from './operation.ts';
import { readSource } from './source.ts';

/**
 * A rule, or undefined where it holds something this mesh cannot check and leaving that out would let more in: such a
 * rule of an ALLOW policy allows nothing. In a DENY policy it denies without that part. Both are reported.
 */
export function readRule(fields: Fields, action: 'allow' | 'deny', namespace: string): Rule | undefined {
  const context: RuleReading = { action, namespace, unchecked: [] };
  const from = fields.objects('from', item =>
    readWrapped(item, 'source', source => readSource(source, context)),
  );
  const to = fields.objects('to', item =>
    readWrapped(item, 'operation', operation => readOperation(operation, context)),
  );
  const when = fields.objects('when', condition => readCondition(condition, context));
  if (action === 'allow' && context.unchecked.length > 0) return undefined;
  const clauses: Clause[] = [];
  if (from.length > 0) clauses.push({ matches: from });
  if (to.length > 0) clauses.push({ matches: to });
  for (const match of when) if (match !== undefined) clauses.push({ matches: [match] });
  return { clauses };
}

export interface RuleReading {
  readonly action: 'allow' | 'deny';
  /** Of the policy. */
  readonly namespace: string;
  /** Fields that could not be checked. */
  readonly unchecked: string[];
}

function readWrapped(item: Fields, key: string, read: (fields: Fields) => Match): Match {
  const match = item.object(key, read);
  if (match === undefined && !item.has(key)) item.reject(key, 'is required', `set ${item.at(key)}`);
  // Stands in where the policy is rejected anyway.
  return match ?? EMPTY_MATCH;
}

/** Takes a field that needs something the mesh does not do yet. */
export function unchecked(fields: Fields, key: string, context: RuleReading, why: string): void {
  if (!fields.has(key)) return;
  const effect =
    context.action === 'allow' ? 'the rule allows nothing' : 'the rule denies without regard to it';
  fields.ignore(key, `${why}: ${effect}`, 'remove it or the rule');
  context.unchecked.push(fields.at(key));
}

export const NO_HTTP_MATCH: HttpMatch = Object.freeze<HttpMatch>({
  hosts: [],
  notHosts: [],
  methods: [],
  notMethods: [],
  paths: [],
  notPaths: [],
  headers: [],
});

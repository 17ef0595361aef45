import type { PolicyAction } from '#shared/authz/policy.ts';
import type { Fields } from '../decode.ts';

/** A rule while it is read. */
export interface RuleReading {
  readonly action: PolicyAction;
  /** Of the policy. */
  readonly namespace: string;
  /** Of the mesh. */
  readonly trustDomain: string;
  /** Fields that could not be checked. */
  readonly unchecked: string[];
}

/** Takes a field that needs something the mesh does not do yet. */
export function unchecked(fields: Fields, key: string, context: RuleReading, why: string): void {
  if (!fields.has(key)) return;
  const effect =
    context.action === 'allow' ? 'the rule allows nothing' : 'the rule holds without regard to it';
  fields.ignore(key, `${why}: ${effect}`, 'remove it or the rule');
  context.unchecked.push(fields.at(key));
}

import type { KubeObject } from '../../source/kube-object.ts';
import { Diagnostics } from '../diagnostic.ts';
import {
  type AuthorizationOptions,
  type AuthorizationTranslation,
  readLoosely,
} from './authorization-policy.ts';

/**
 * What holds of a policy that was never good, where it is an ALLOW: that all others are denied, which an ALLOW means by
 * being there. Whom it lets in may be what is wrong with it, so it lets in nobody. Without it its workloads would be open
 * to everybody, and again after each start of a controller that knew an earlier version.
 *
 * @returns undefined: it is no ALLOW, or more than its rules is wrong, so that it may be for others than it seems
 */
export function closedWhereNeverGood(
  object: KubeObject,
  options: AuthorizationOptions,
): AuthorizationTranslation | undefined {
  const diagnostics = new Diagnostics(object);
  const read = readLoosely(object, options, diagnostics);
  const isClear = diagnostics.found.every(
    ({ field, severity }) => severity !== 'rejected' || isOfRules(field),
  );
  if (!isClear || read.full.action !== 'allow') return undefined;
  const full = { ...read.full, rules: [] };
  return { ...read, full, l4: read.l4 && full };
}

/** Anything else may be the action or the selector, misspelt. */
function isOfRules(field: string): boolean {
  return /^spec\.rules([.[]|$)/.test(field);
}

import type { KubeObject } from '../../source/kube-object.ts';
import { Diagnostics } from '../diagnostic.ts';
import { objectAt } from '../loose-fields.ts';
import {
  type AuthorizationOptions,
  type AuthorizationTranslation,
  readLoosely,
  translateAuthorizationPolicy,
} from './authorization-policy.ts';

/**
 * What holds of a policy that was never good, where it is an ALLOW: that all others are denied, which an ALLOW means by
 * being there. A rule that is wrong lets in nobody, those beside it mean what they say. Without the policy its workloads would be
 * open to everybody, and again after each start of a controller that knew an earlier version.
 *
 * @returns undefined: it is no ALLOW, or more than its rules is wrong, so that it may be for others than it seems
 */
export function closedWhereNeverGood(
  object: KubeObject,
  options: AuthorizationOptions,
): AuthorizationTranslation | undefined {
  const diagnostics = new Diagnostics(object);
  const { full } = readLoosely(object, options, diagnostics);
  // Anything else may be the action or the selector, misspelt.
  if (!diagnostics.isRejectedOnlyIn('spec.rules') || full.action !== 'allow') return undefined;
  const { rules } = objectAt(object.spec);
  const translate = (some: readonly unknown[]) =>
    translateAuthorizationPolicy(withRules(object, some), options);
  const good = Array.isArray(rules) ? rules.filter(rule => translate([rule]).ok) : [];
  const closed = translate(good);
  return closed.ok ? closed.value : undefined;
}

function withRules(object: KubeObject, rules: readonly unknown[]): KubeObject {
  return { ...object, spec: { ...objectAt(object.spec), rules } };
}

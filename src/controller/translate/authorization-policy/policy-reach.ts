import type { PolicyScope } from '#shared/authz/policy.ts';
import type { Fields } from '../decode.ts';
import { type PolicyTarget, readTargets } from './target.ts';

/** What a policy is for, of whatever kind it is. */
export interface PolicyReach {
  readonly namespace: string;
  readonly scope: PolicyScope;
  /** Labels of the workloads it is for; undefined: all of its scope. */
  readonly selects: ReadonlyMap<string, string> | undefined;
  /** The selector reaches every namespace (a policy of the root namespace), not just the policy's own. */
  readonly selectsEveryNamespace: boolean;
  /** What it is attached to at waypoints; empty without targetRefs. */
  readonly targets: readonly PolicyTarget[];
}

/** @param isRoot it is in the namespace whose policies hold for the whole mesh */
export function readReach(spec: Fields, namespace: string, isRoot: boolean): PolicyReach {
  const selects = spec.object('selector', selector => selector.stringMap('matchLabels'));
  const targets = readTargets(spec);
  if (selects !== undefined && targets.length > 0)
    spec.reject('selector', 'cannot be together with targetRefs', 'keep the one you mean');
  const hasSelector = selects !== undefined && selects.size > 0;
  return {
    namespace,
    scope: hasSelector ? 'workload_selector' : isRoot ? 'global' : 'namespace',
    selects: hasSelector ? selects : undefined,
    selectsEveryNamespace: hasSelector && isRoot,
    targets,
  };
}

/** Of a policy of which nothing can be read. */
export function noReach(namespace: string): PolicyReach {
  return { namespace, scope: 'namespace', selects: undefined, selectsEveryNamespace: false, targets: [] };
}

import { groupOf } from '#shared/kube/kind-name.ts';
import type { RankedRule } from '#shared/route/precedence.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import type { KnownService } from '../service-lookup.ts';
import type { ParentRef } from './parent-ref.ts';

const LINKERD = ['retry.linkerd.io/', 'timeout.linkerd.io/'];

/**
 * Whether a route is written for Linkerd, as its parent sees it: by its own group, by the name `core` of the group without a
 * name, which nobody else takes, or by annotations. There a rule without backends leads to the parent; by Gateway API it leads nowhere.
 */
export function isForLinkerd(route: KubeObject, { group }: Pick<ParentRef, 'group'>): boolean {
  const keys = Object.keys(route.metadata.annotations);
  const isOfGroup = groupOf(route.apiVersion) === 'policy.linkerd.io';
  return isOfGroup || group === 'core' || keys.some(key => LINKERD.some(prefix => key.startsWith(prefix)));
}

/** One set of rules, and the port it is for; undefined: every port. */
interface RulesOfPort {
  readonly port: number | undefined;
  readonly rules: readonly RankedRule[];
}

/** The rules of a route for Linkerd, port by port where one of them leads to the parent, which has as many backends as ports. */
export function withParentAsBackend(
  rules: readonly RankedRule[],
  parent: KnownService,
  port: number | undefined,
): readonly RulesOfPort[] {
  if (!rules.some(leadsNowhere)) return [{ port, rules }];
  return (port === undefined ? parent.ports : [port]).map(one => {
    const backend = { weight: 1, service: parent.key, port: one, subset: undefined, filters: [] };
    return {
      port: one,
      rules: rules.map(ranked =>
        leadsNowhere(ranked) ? { ...ranked, rule: { ...ranked.rule, backends: [backend] } } : ranked,
      ),
    };
  });
}

function leadsNowhere({ rule }: RankedRule): boolean {
  return rule.backends.length === 0 && !rule.filters.some(({ kind }) => kind === 'redirect');
}

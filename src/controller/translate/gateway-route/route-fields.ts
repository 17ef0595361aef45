import type { RouteRule } from '#shared/route/model.ts';
import type { RankedRule } from '#shared/route/precedence.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import type { Fields } from '../decode.ts';
import { hasForeignParent } from './foreign-parent.ts';
import type { RouteContext } from './route-context.ts';

/** Fields that every kind of route has and that mean nothing where the parent is a Service. A Gateway that is a parent as well may need them. */
export function ignoreGatewayFields(spec: Fields, route: KubeObject): void {
  const isShared = hasForeignParent(route);
  if (spec.strings('hostnames').length > 0 && !isShared) {
    spec.ignore(
      'hostnames',
      'has no meaning for a route attached to a Service',
      'remove it; the Service has its own names',
    );
  }
  if (isShared) spec.has('useDefaultGateways');
  else spec.unsupported('useDefaultGateways', 'remove it');
}

/** How logs, metrics and statuses tell a rule from others: `HTTPRoute/<namespace>/<name>/<rule name or index>`. */
export function ruleName(fields: Fields, index: number, context: RouteContext): string {
  const { route, ruleNames } = context;
  const own = fields.string('name');
  if (own !== undefined && ruleNames.has(own))
    fields.reject('name', 'is the name of another rule of this route', 'give each rule its own name');
  if (own !== undefined) ruleNames.add(own);
  return `${route.kind}/${route.metadata.namespace}/${route.metadata.name}/${own ?? index}`;
}

/** A rule with what it is put in order by. */
export function ranked(
  rule: RouteRule,
  ruleIndex: number,
  context: RouteContext,
  specificity?: readonly number[],
): RankedRule {
  const { creationTimestamp, name, namespace } = context.route.metadata;
  return { rule, creationTimestamp, namespace, name, ruleIndex, specificity };
}

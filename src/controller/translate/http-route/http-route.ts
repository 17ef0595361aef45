import type { RankedRule } from '#shared/route/precedence.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { readSpec, type Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import type { ServiceLookup } from '../service-lookup.ts';
import { readParentRefs, type ServiceParent } from './parent-ref.ts';
import { readRule, type RuleContext } from './rule.ts';

/** What one HTTPRoute adds to the routes of the services it is attached to. */
export interface HttpRouteTranslation {
  readonly attachments: readonly HttpRouteAttachment[];
  /** For the condition ResolvedRefs: false when some backend answers 500 for want of a target. */
  readonly resolvedRefs: boolean;
}

export interface HttpRouteAttachment {
  /** `<namespace>/<hostname>`. */
  readonly service: string;
  /** To be put in order with those of other routes by `sortByPrecedence`. */
  readonly rules: readonly RankedRule[];
}

/** Gateway API HTTPRoute attached to Services (GAMMA). Parents of other kinds are left to whoever they belong to. */
export function translateHttpRoute(
  route: KubeObject,
  services: ServiceLookup,
): Translated<HttpRouteTranslation> {
  const diagnostics = new Diagnostics(route);
  const translation = readSpec(route, diagnostics, spec => readRoute(route, spec, services));
  return diagnostics.conclude(translation ?? { attachments: [], resolvedRefs: true });
}

function readRoute(route: KubeObject, spec: Fields, services: ServiceLookup): HttpRouteTranslation {
  const parents = readParentRefs(spec, route.metadata.namespace, services);
  if (spec.strings('hostnames').length > 0) {
    spec.ignore(
      'hostnames',
      'has no meaning for a route attached to a Service',
      'remove it; the Service has its own names',
    );
  }
  spec.unsupported('useDefaultGateways', 'remove it');
  const context: RuleContext = { route, services, unresolved: [] };
  const rules = spec.objects('rules', (fields, index) => readRule(fields, index, context));
  return {
    attachments: parents.map(parent => ({
      service: parent.service.key,
      rules: rules.map(rule => forParent(rule, parent)),
    })),
    resolvedRefs: context.unresolved.length === 0,
  };
}

function forParent(ranked: RankedRule, parent: ServiceParent): RankedRule {
  const ports = parent.port === undefined ? [] : [parent.port];
  return { ...ranked, rule: { ...ranked.rule, ports } };
}

import { PLAIN_RULE } from '#shared/route/model.ts';
import type { RankedRule } from '#shared/route/precedence.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import type { Fields } from '../decode.ts';
import type { Translated } from '../diagnostic.ts';
import { readBackendRef, sayIfNowhere } from '../gateway-route/backend-ref.ts';
import { readParentRefs } from '../gateway-route/parent-ref.ts';
import { translateRoute } from '../gateway-route/translate-route.ts';
import { RouteContext } from '../gateway-route/route-context.ts';
import { ignoreGatewayFields, ranked, ruleName } from '../gateway-route/route-fields.ts';
import { readSession, sessionName } from '../gateway-route/session-persistence.ts';
import type { RouteLookup, RouteTranslation } from '../gateway-route/route-translation.ts';
import { refusedRule, withBackendFilters } from '../gateway-route/unresolved-filter.ts';
import { readGrpcBackendFilters, readGrpcFilters } from './filter.ts';
import { EVERY_CALL, readGrpcMatch } from './match.ts';

/**
 * Gateway API GRPCRoute attached to Services (GAMMA). A gRPC call is a request for `/<service>/<method>`, so its rules
 * become rules on paths, put in order by the length of service and method.
 */
export function translateGrpcRoute(route: KubeObject, objects: RouteLookup): Translated<RouteTranslation> {
  return translateRoute('GRPCRoute', route, spec => readRoute(route, spec, objects));
}

function readRoute(route: KubeObject, spec: Fields, objects: RouteLookup): RouteTranslation {
  const parents = readParentRefs(spec, route.metadata.namespace, objects);
  ignoreGatewayFields(spec, route);
  const context = new RouteContext(route, objects, parents);
  const rules = spec.objects('rules', (fields, index) => readRule(fields, index, context)).flat();
  const attachments = context.attach(rules);
  return { kind: 'GRPCRoute', attachments, parents, faults: context.faults };
}

/** Each match is ranked by its own service and method, and so is a rule of its own. */
function readRule(fields: Fields, index: number, context: RouteContext): readonly RankedRule[] {
  const name = ruleName(fields, index, context);
  const matches = fields.objects('matches', readGrpcMatch);
  const { filters, unresolved } = readGrpcFilters(fields, context);
  const backends = fields.objects('backendRefs', backend => {
    const read = readGrpcBackendFilters(backend, context);
    return withBackendFilters(readBackendRef(backend, context, read.filters), read);
  });
  if (!unresolved) sayIfNowhere(fields, backends, context);
  const session = fields.object('sessionPersistence', of => readSession(of, sessionName(name)));
  return (matches.length > 0 ? matches : [EVERY_CALL]).map(({ match, specificity }) => {
    const rule = { ...PLAIN_RULE, name, matches: [match], filters, backends, session };
    return ranked(unresolved ? refusedRule(rule) : rule, index, context, specificity);
  });
}

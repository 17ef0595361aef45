import type { KubeObject } from '../../source/kube-object.ts';
import type { Fields } from '../decode.ts';
import type { Translated } from '../diagnostic.ts';
import { readParentRefs } from '../gateway-route/parent-ref.ts';
import { translateRoute } from '../gateway-route/translate-route.ts';
import { RouteContext } from '../gateway-route/route-context.ts';
import type { RouteLookup, RouteTranslation } from '../gateway-route/route-translation.ts';
import { ignoreGatewayFields } from '../gateway-route/route-fields.ts';
import { readRule } from './rule.ts';

/** Gateway API HTTPRoute attached to Services (GAMMA). Parents of other kinds are left to whoever they belong to. */
export function translateHttpRoute(route: KubeObject, objects: RouteLookup): Translated<RouteTranslation> {
  return translateRoute('HTTPRoute', route, spec => readRoute(route, spec, objects));
}

function readRoute(route: KubeObject, spec: Fields, objects: RouteLookup): RouteTranslation {
  const parents = readParentRefs(spec, route.metadata.namespace, objects);
  ignoreGatewayFields(spec, route);
  const context = new RouteContext(route, objects, parents);
  const rules = spec.objects('rules', (fields, index) => readRule(fields, index, context));
  const attachments = context.attach(rules);
  return { kind: 'HTTPRoute', attachments, parents, faults: context.faults };
}

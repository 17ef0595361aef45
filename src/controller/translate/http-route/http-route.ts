import type { KubeObject } from '../../source/kube-object.ts';
import { readSpec, type Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { readParentRefs } from '../gateway-route/parent-ref.ts';
import { RouteContext } from '../gateway-route/route-context.ts';
import { NO_ROUTES, type RouteLookup, type RouteTranslation } from '../gateway-route/route-translation.ts';
import { ignoreGatewayFields } from '../gateway-route/route-fields.ts';
import { readRule } from './rule.ts';

/** Gateway API HTTPRoute attached to Services (GAMMA). Parents of other kinds are left to whoever they belong to. */
export function translateHttpRoute(route: KubeObject, objects: RouteLookup): Translated<RouteTranslation> {
  const diagnostics = new Diagnostics(route);
  const translation = readSpec(route, diagnostics, spec => readRoute(route, spec, objects));
  return diagnostics.conclude(translation ?? { kind: 'HTTPRoute', ...NO_ROUTES });
}

function readRoute(route: KubeObject, spec: Fields, objects: RouteLookup): RouteTranslation {
  const parents = readParentRefs(spec, route.metadata.namespace, objects);
  ignoreGatewayFields(spec);
  const context = new RouteContext('HTTPRoute', route, objects);
  const rules = spec.objects('rules', (fields, index) => readRule(fields, index, context));
  const attachments = context.attach(parents, rules);
  return { kind: 'HTTPRoute', attachments, parents, faults: context.faults };
}

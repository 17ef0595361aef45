import type { KubeObject } from '../../source/kube-object.ts';
import type { Fields } from '../decode.ts';
import type { Translated } from '../diagnostic.ts';
import { readParentRefs } from '../gateway-route/parent-ref.ts';
import { translateRoute } from '../gateway-route/translate-route.ts';
import { RouteContext } from '../gateway-route/route-context.ts';
import { ignoreGatewayFields } from '../gateway-route/route-fields.ts';
import type { RouteLookup, RouteTranslation } from '../gateway-route/route-translation.ts';
import { readStreamRule } from '../gateway-route/stream-rule.ts';

/** Gateway API TCPRoute attached to Services: connections, whatever they speak, by weight. */
export function translateTcpRoute(route: KubeObject, objects: RouteLookup): Translated<RouteTranslation> {
  return translateRoute('TCPRoute', route, spec => readRoute(route, spec, objects));
}

function readRoute(route: KubeObject, spec: Fields, objects: RouteLookup): RouteTranslation {
  const parents = readParentRefs(spec, route.metadata.namespace, objects);
  ignoreGatewayFields(spec, route);
  const context = new RouteContext(route, objects, parents);
  const streams = spec.objects('rules', (fields, index) =>
    readStreamRule(fields, index, context, { protocol: 'tcp', matches: [] }),
  );
  const attachments = context.attach([], streams);
  return { kind: 'TCPRoute', attachments, parents, faults: context.faults };
}

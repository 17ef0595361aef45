import type { KubeObject } from '../../source/kube-object.ts';
import { readSpec, type Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { readParentRefs } from '../gateway-route/parent-ref.ts';
import { RouteContext } from '../gateway-route/route-context.ts';
import { ignoreGatewayFields } from '../gateway-route/route-fields.ts';
import { NO_ROUTES, type RouteLookup, type RouteTranslation } from '../gateway-route/route-translation.ts';
import { readStreamRule } from '../gateway-route/stream-rule.ts';

/** Gateway API TCPRoute attached to Services: connections, whatever they speak, by weight. */
export function translateTcpRoute(route: KubeObject, objects: RouteLookup): Translated<RouteTranslation> {
  const diagnostics = new Diagnostics(route);
  const translation = readSpec(route, diagnostics, spec => readRoute(route, spec, objects));
  return diagnostics.conclude(translation ?? { kind: 'TCPRoute', ...NO_ROUTES });
}

function readRoute(route: KubeObject, spec: Fields, objects: RouteLookup): RouteTranslation {
  const parents = readParentRefs(spec, route.metadata.namespace, objects);
  ignoreGatewayFields(spec);
  const context = new RouteContext('TCPRoute', route, objects);
  const streams = spec.objects('rules', (fields, index) =>
    readStreamRule(fields, index, context, { protocol: 'tcp', matches: [] }),
  );
  const attachments = context.attach(parents, [], streams);
  return { kind: 'TCPRoute', attachments, parents, faults: context.faults };
}

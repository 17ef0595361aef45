import type { KubeObject } from '../../source/kube-object.ts';
import type { Fields } from '../decode.ts';
import type { Translated } from '../diagnostic.ts';
import { readParentRefs } from '../gateway-route/parent-ref.ts';
import { translateRoute } from '../gateway-route/translate-route.ts';
import { RouteContext } from '../gateway-route/route-context.ts';
import type { RouteLookup, RouteTranslation } from '../gateway-route/route-translation.ts';
import { readStreamRule } from '../gateway-route/stream-rule.ts';

const HOSTNAME = /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const IP_ADDRESS = /^[\d.]+$|:/;

/**
 * Gateway API TLSRoute attached to Services: TLS is passed through unopened, by the server name the client asks for. (For
 * other kinds a mesh does not go by `hostnames`; a TLSRoute says nothing else.)
 */
export function translateTlsRoute(route: KubeObject, objects: RouteLookup): Translated<RouteTranslation> {
  return translateRoute('TLSRoute', route, spec => readRoute(route, spec, objects));
}

function readRoute(route: KubeObject, spec: Fields, objects: RouteLookup): RouteTranslation {
  const parents = readParentRefs(spec, route.metadata.namespace, objects);
  spec.unsupported('useDefaultGateways', 'remove it');
  const serverNames = readHostnames(spec);
  const matches = [{ serverNames, destinationIps: [], sourceIps: [], source: undefined }];
  const context = new RouteContext(route, objects, parents);
  const streams = spec.objects('rules', (fields, index) =>
    readStreamRule(fields, index, context, { protocol: 'tls', matches }),
  );
  const attachments = context.attach([], streams);
  return { kind: 'TLSRoute', attachments, parents, faults: context.faults };
}

function readHostnames(spec: Fields): readonly string[] {
  const names = spec.strings('hostnames').map(name => name.toLowerCase());
  if (names.length === 0) spec.reject('hostnames', 'is required', 'name what clients ask for in their SNI');
  for (const name of names) {
    if (IP_ADDRESS.test(name))
      spec.reject('hostnames', `holds ${name}: an address is never in an SNI`, 'use a host name');
    else if (!HOSTNAME.test(name))
      spec.reject(
        'hostnames',
        `holds "${name}", which is no host name`,
        'write a.example.com or *.example.com',
      );
  }
  return names;
}

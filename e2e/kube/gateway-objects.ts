import type { JsonObject } from '#shared/config/json.ts';

/** Gateway API objects of the tests. */
export function waypoint(name: string, labels: Readonly<Record<string, string>> = {}): JsonObject {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name, labels },
    spec: {
      gatewayClassName: 'istio-waypoint',
      listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
    },
  };
}

export interface Backend {
  readonly name: string;
  readonly weight?: number;
  readonly port?: number;
}

/** A route for all requests to a Service. */
export function httpRoute(service: string, rule: JsonObject, name = service): JsonObject {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: service, port: 80 }], rules: [rule] },
  };
}

export function backends(...refs: readonly Backend[]): JsonObject[] {
  return refs.map(({ name, weight, port = 80 }) => ({
    name,
    port,
    ...(weight === undefined ? {} : { weight }),
  }));
}

/** Sets a header of responses, by which a test sees that the waypoint was passed. */
export function marked(value: string): JsonObject {
  return { type: 'ResponseHeaderModifier', responseHeaderModifier: { set: [{ name: 'x-passed', value }] } };
}

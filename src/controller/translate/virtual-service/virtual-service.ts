import type { RouteRule } from '#shared/route/model.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { readSpec, type Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { lookUpHost, type HostContext } from '../istio-host.ts';
import type { KnownService, ServiceLookup } from '../service-lookup.ts';
import { readHttpRoute } from './http-route.ts';

/** What one VirtualService adds to the routes of the services it is for. */
export interface VirtualServiceTranslation {
  readonly attachments: readonly VirtualServiceAttachment[];
}

export interface VirtualServiceAttachment {
  /** `<namespace>/<hostname>`. */
  readonly service: string;
  /** In the order written: the first that matches is taken. */
  readonly rules: readonly RouteRule[];
}

export interface VirtualServiceOptions {
  readonly services: ServiceLookup;
  readonly clusterDomain: string;
}

/** Istio VirtualService, its `http` part, for traffic inside the mesh. */
export function translateVirtualService(
  object: KubeObject,
  options: VirtualServiceOptions,
): Translated<VirtualServiceTranslation> {
  const diagnostics = new Diagnostics(object);
  const context: HostContext = { namespace: object.metadata.namespace, ...options };
  const translation = readSpec(object, diagnostics, spec => readVirtualService(object, spec, context));
  return diagnostics.conclude(translation ?? { attachments: [] });
}

function readVirtualService(
  object: KubeObject,
  spec: Fields,
  context: HostContext,
): VirtualServiceTranslation {
  const services = readHosts(spec, context);
  const inMesh = isForMesh(spec);
  spec.unsupported('exportTo', 'remove it; a VirtualService holds for the whole mesh');
  spec.unsupported('tcp', 'remove it; TCP is balanced by the Service');
  spec.unsupported('tls', 'remove it; TLS is passed through to the Service');
  const name = `VirtualService/${object.metadata.namespace}/${object.metadata.name}`;
  const routes = spec.objects('http', (fields, index) => readHttpRoute(fields, `${name}/${index}`, context));
  if (!inMesh) return { attachments: [] };
  return {
    attachments: services.map(service => ({
      service: service.key,
      rules: routes.flatMap(route => route(service)),
    })),
  };
}

function readHosts(spec: Fields, context: HostContext): readonly KnownService[] {
  const hosts = spec.strings('hosts');
  if (hosts.length === 0) spec.reject('hosts', 'is required', 'name the services the routes are for');
  const found = hosts.map(host => lookUpHost(spec, 'hosts', host, context, 'nothing is routed for it'));
  return [...new Set(found)].filter(service => service !== undefined);
}

/** Without `gateways` it is for the mesh; with them only when `mesh` is one. */
function isForMesh(spec: Fields): boolean {
  const gateways = spec.strings('gateways');
  const inMesh = gateways.length === 0 || gateways.includes('mesh');
  if (!inMesh) spec.ignore('gateways', 'is not for traffic inside the mesh: nothing is routed', 'add "mesh"');
  return inMesh;
}

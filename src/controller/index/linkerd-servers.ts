import { keyOf, type KubeObject } from '../source/kube-object.ts';
import { type Diagnostic, Diagnostics } from '../translate/diagnostic.ts';
import {
  type InboundMatch,
  type InboundRoute,
  isGrpcRoute,
  serverParents,
} from '../translate/linkerd-policy/inbound-route.ts';
import { closedWhereNeverGood, type LinkerdServer } from '../translate/linkerd-policy/server.ts';
import type { MeshObjects } from './mesh-objects.ts';
import { addTo } from './multimap.ts';
import type { Entry } from './parsed-kind.ts';

/** A Server with the routes that are attached to it. */
export interface HeldServer {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly object: KubeObject;
  readonly server: LinkerdServer;
  readonly routes: readonly HeldRoute[];
}

export interface HeldRoute {
  /** Of its object. */
  readonly key: string;
  readonly matches: readonly InboundMatch[];
}

export interface HeldServers {
  /** By namespace, the oldest first, then by name. */
  readonly servers: ReadonlyMap<string, readonly HeldServer[]>;
  readonly diagnostics: readonly Diagnostic[];
}

export function heldServers(objects: MeshObjects): HeldServers {
  const diagnostics: Diagnostic[] = [];
  const routes = routesByServer(objects, diagnostics);
  const found = [...objects.linkerd.servers.entries()].flatMap(entry => {
    const held = inForce(entry, diagnostics);
    if (held === undefined) return [];
    const { creationTimestamp, labels, name, namespace } = held.object.metadata;
    const own = (routes.get(`${namespace}/${name}`) ?? []).filter(route =>
      isFor(route, held.server, diagnostics),
    );
    return [{ age: `${creationTimestamp} ${name}`, name, namespace, labels, ...held, routes: own }];
  });
  found.sort((a, b) => (a.age < b.age ? -1 : 1));
  return { servers: Map.groupBy(found, ({ namespace }) => namespace), diagnostics };
}

function inForce(
  { good, latest }: Entry<LinkerdServer>,
  diagnostics: Diagnostic[],
): { readonly object: KubeObject; readonly server: LinkerdServer } | undefined {
  if (good !== undefined) return { object: good.object, server: good.value };
  const server = closedWhereNeverGood(latest);
  if (server === undefined) return undefined;
  const said = new Diagnostics(latest);
  const message = 'was never valid: its port lets in nobody but whom policies name';
  said.reject('spec', latest.spec, message, 'correct what is rejected, or remove the Server');
  diagnostics.push(...said.found);
  return { object: latest, server };
}

interface AttachedRoute extends HeldRoute {
  readonly object: KubeObject;
  readonly isGrpc: boolean;
}

/** A route that was never good is one of no requests: what it is for is not let through as if there were none. */
function routesByServer(
  objects: MeshObjects,
  diagnostics: Diagnostic[],
): ReadonlyMap<string, readonly AttachedRoute[]> {
  const found = new Map<string, AttachedRoute[]>();
  for (const kind of objects.linkerd.inboundRoutes.values()) {
    for (const { diagnostics: said, good, latest } of kind.entries()) {
      diagnostics.push(...said);
      const object = good?.object ?? latest;
      const route: InboundRoute = good?.value ?? {
        servers: serverParents(latest),
        isGrpc: isGrpcRoute(latest),
        matches: [],
      };
      const { namespace } = object.metadata;
      for (const server of route.servers) {
        if (objects.linkerd.servers.entry(namespace, server) === undefined)
          missing(object, server, diagnostics);
        const attached = { key: keyOf(object), matches: route.matches, object, isGrpc: route.isGrpc };
        addTo(found, `${namespace}/${server}`, attached);
      }
    }
  }
  return found;
}

function missing(route: KubeObject, server: string, diagnostics: Diagnostic[]): void {
  const said = new Diagnostics(route);
  const message = `there is no Server ${route.metadata.namespace}/${server}: the route does nothing for it`;
  said.ignore('spec.parentRefs', server, message, 'create it or correct the name');
  diagnostics.push(...said.found);
}

function isFor({ isGrpc, object }: AttachedRoute, server: LinkerdServer, diagnostics: Diagnostic[]): boolean {
  const refused = protocolRefuses(isGrpc, server);
  if (refused === undefined) return true;
  const said = new Diagnostics(object);
  said.ignore('spec.parentRefs', serverParents(object), refused.message, refused.fix);
  diagnostics.push(...said.found);
  return false;
}

/** As with Linkerd: the protocol of a Server says which kind of routes it has, if any. */
export function protocolRefuses(
  isGrpc: boolean,
  { protocol }: LinkerdServer,
): { readonly message: string; readonly fix: string } | undefined {
  if (protocol !== 'opaque' && protocol !== 'TLS' && (protocol === 'gRPC') === isGrpc) return undefined;
  return {
    message: `does nothing for a Server of protocol ${protocol}`,
    fix: `set proxyProtocol: ${isGrpc ? 'gRPC' : 'HTTP/2'} on the Server`,
  };
}

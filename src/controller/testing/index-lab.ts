import type { ServiceRoutes } from '#shared/route/model.ts';
import type { AuthorizationPolicy } from '#shared/authz/policy.ts';
import {
  ADDRESS_TYPE,
  AUTHORIZATION_TYPE,
  type MeshResource,
  SERVICE_ROUTES_TYPE,
} from '#shared/discovery/mesh-resource.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import type { Service, Workload } from '#shared/workload/workload.ts';
import { ResourceStore } from '../discovery/resource-store.ts';
import { keyOf } from '../source/kube-object.ts';
import { parseObjectFile } from '../source/object-file.ts';
import { MeshIndex } from '../index/mesh-index.ts';

/** An index whose objects are YAML, and what comes of them. */
export class IndexLab {
  readonly store = new ResourceStore();
  readonly index: MeshIndex;
  /** Names of resources that changed, since the last call of `take`. */
  #changed: string[] = [];

  constructor(...yaml: readonly string[]) {
    this.index = new MeshIndex({
      cluster: { clusterId: 'c', clusterDomain: 'cluster.local', trustDomain: 'td', network: '' },
      rootNamespace: 'root',
      store: this.store,
      logger: quietLogger,
    });
    this.store.onChange(changes => this.#changed.push(...changes.map(change => change.name)));
    this.apply(...yaml);
    this.take();
  }

  apply(...yaml: readonly string[]): void {
    const { objects, problems } = parseObjectFile(yaml.join('\n---\n'), 'test', undefined);
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
    this.index.apply({ upserts: [...objects.values()], deletes: [] });
  }

  remove(...yaml: readonly string[]): void {
    const { objects } = parseObjectFile(yaml.join('\n---\n'), 'test', undefined);
    this.index.apply({ upserts: [], deletes: [...objects.values()].map(keyOf) });
  }

  take(): readonly string[] {
    return this.#changed.splice(0).sort();
  }

  workload(name: string, namespace = 'shop'): Workload | undefined {
    const found = this.#get(ADDRESS_TYPE, `c//Pod/${namespace}/${name}`);
    return found?.kind === 'workload' ? found.workload : undefined;
  }

  service(name: string, namespace = 'shop'): Service | undefined {
    const found = this.#get(ADDRESS_TYPE, `${namespace}/${name}.${namespace}.svc.cluster.local`);
    return found?.kind === 'service' ? found.service : undefined;
  }

  policy(name: string): AuthorizationPolicy | undefined {
    const found = this.#get(AUTHORIZATION_TYPE, name);
    return found?.kind === 'policy' ? found.policy : undefined;
  }

  routes(name: string, namespace = 'shop'): ServiceRoutes | undefined {
    return this.routesOf(`${namespace}/${name}.${namespace}.svc.cluster.local`);
  }

  /** By `<namespace>/<hostname>`. */
  routesOf(service: string): ServiceRoutes | undefined {
    const found = this.#get(SERVICE_ROUTES_TYPE, service);
    return found?.kind === 'routes' ? found.routes : undefined;
  }

  /** A workload or service by its name on the wire. */
  resource(name: string): MeshResource | undefined {
    return this.#get(ADDRESS_TYPE, name);
  }

  #get(
    type: typeof ADDRESS_TYPE | typeof AUTHORIZATION_TYPE | typeof SERVICE_ROUTES_TYPE,
    name: string,
  ): MeshResource | undefined {
    return this.store.get(type, name)?.resource;
  }
}

export interface PodOptions {
  readonly namespace?: string;
  readonly labels?: string;
  readonly annotations?: string;
  readonly ip?: string;
  readonly account?: string;
  readonly ready?: string;
}

export function pod(name: string, options: PodOptions = {}): string {
  const {
    namespace = 'shop',
    labels = `{app: ${name}}`,
    ip = '10.0.0.1',
    account = name,
    ready = 'True',
  } = options;
  const { annotations = '{ambient.istio.io/redirection: enabled}' } = options;
  return `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: ${namespace}, labels: ${labels}, annotations: ${annotations}}
spec:
  nodeName: node-a
  serviceAccountName: ${account}
  containers: [{ports: [{name: web, containerPort: 8080}]}]
status: {phase: Running, podIPs: [{ip: ${ip}}], conditions: [{type: Ready, status: "${ready}"}]}`;
}

export function service(
  name: string,
  options: { labels?: string; ports?: string; more?: string; namespace?: string } = {},
): string {
  const {
    labels = '{}',
    ports = '[{name: http, port: 80, targetPort: web}]',
    more = '',
    namespace = 'shop',
  } = options;
  return `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}, labels: ${labels}}
spec: {clusterIP: 10.96.0.1, selector: {app: ${name}}, ports: ${ports}${more}}`;
}

export const WAYPOINT = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: shop}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}`;

export const SHOP = namespace('shop', '{}');

export function namespace(name: string, labels: string): string {
  return `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}, labels: ${labels}}`;
}

export function policy(name: string, spec: string, ns = 'shop'): string {
  return `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: ${name}, namespace: ${ns}}\nspec: ${spec}`;
}

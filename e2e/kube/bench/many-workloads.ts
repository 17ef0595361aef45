import type { JsonObject } from '#shared/config/json.ts';
import type { KubeApi } from '#shared/kube/client.ts';
import { NAMESPACES, NODES, PODS, SERVICES } from '#shared/kube/core-resources.ts';
import { collectionPath, type KubeResource, objectPath } from '#shared/kube/resource.ts';

/** On a node that nobody runs: the mesh is told of the pods, and none of them exists. */
const NODE = 'scale-node';
const NAMESPACE = 'scale-workloads';
const PODS_PER_SERVICE = 4;
const CONCURRENCY = 16;
const NOW = { gracePeriodSeconds: '0' };

/** Pods of a mesh, four to a Service, that are there for the control plane alone. */
export class ManyWorkloads {
  readonly #api: KubeApi;
  #count = 0;

  constructor(api: KubeApi) {
    this.#api = api;
  }

  get count(): number {
    return this.#count;
  }

  async start(): Promise<void> {
    const labels = { 'kubernetes.io/os': 'none', 'ambient-e2e': 'true' };
    await this.#create(NODES, '', { metadata: { name: NODE, labels }, spec: { unschedulable: true } });
    await this.#create(NAMESPACES, '', { metadata: { name: NAMESPACE, labels } });
  }

  /** As many as asked for, ready and in the mesh. */
  async grow(count: number): Promise<void> {
    const numbers = Array.from({ length: count - this.#count }, (_, i) => this.#count + i);
    for (let i = 0; i < numbers.length; i += CONCURRENCY)
      await Promise.all(numbers.slice(i, i + CONCURRENCY).map(n => this.#add(n)));
    this.#count = count;
  }

  async remove(): Promise<void> {
    const pods = { method: 'DELETE', path: collectionPath(PODS, NAMESPACE), query: NOW } as const;
    await this.#api.request(pods);
    await this.#api.request({ method: 'DELETE', path: objectPath(NAMESPACES, '', NAMESPACE) });
    await this.#api.request({ method: 'DELETE', path: objectPath(NODES, '', NODE) });
    this.#count = 0;
  }

  async #add(n: number): Promise<void> {
    const app = `app-${Math.floor(n / PODS_PER_SERVICE)}`;
    if (n % PODS_PER_SERVICE === 0) {
      const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
      await this.#create(SERVICES, NAMESPACE, {
        metadata: { name: app },
        spec: { selector: { app }, ports },
      });
    }
    const name = `${app}-${n}`;
    const made = await this.#create(PODS, NAMESPACE, {
      metadata: { name, labels: { app }, annotations: { 'ambient.istio.io/redirection': 'enabled' } },
      spec: {
        nodeName: NODE,
        containers: [{ name: 'app', image: 'none', ports: [{ containerPort: 8080 }] }],
      },
    });
    const podIP = `10.200.${n >> 8}.${n & 255}`;
    const conditions = [{ type: 'Ready', status: 'True' }];
    await this.#api.request({
      method: 'PUT',
      path: objectPath(PODS, NAMESPACE, name, 'status'),
      body: { ...made, status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions } },
    });
  }

  #create(resource: KubeResource, namespace: string, object: JsonObject): Promise<JsonObject> {
    const body = { apiVersion: 'v1', kind: resource.kind, ...object };
    const path = collectionPath(resource, namespace === '' ? undefined : namespace);
    return this.#api.request({ method: 'POST', path, body });
  }
}

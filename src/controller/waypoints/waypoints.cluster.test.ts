import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import type { JsonObject } from '#shared/config/json.ts';
import { NAMESPACES, SERVICE_ACCOUNTS } from '#shared/kube/core-resources.ts';
import type { KubeClient } from '#shared/kube/client.ts';
import { MERGE_PATCH } from '#shared/kube/client.ts';
import { isNotFound } from '#shared/kube/kube-error.ts';
import { collectionPath, type KubeResource, objectPath } from '#shared/kube/resource.ts';
import { ClusterLab } from '../testing/cluster-lab.ts';
import { installOpenCrd } from '../testing/crds.ts';
import { cannotRunApiServer } from '../testing/kube-binaries.ts';
import { objectAt } from '../translate/loose-fields.ts';
import { GATEWAYS } from './auto-waypoint.ts';
import { GATEWAY_CLASSES } from './gateway-classes.ts';
import { DEPLOYMENTS, DISRUPTION_BUDGETS, SERVICES } from './managed-kinds.ts';

/** Waypoints made by controllers against a real API server. (Nothing there collects what an owner left behind.) */
const skip = cannotRunApiServer();
const DEADLINE_POLLS = 400;

class Cluster {
  readonly client: KubeClient;

  constructor(client: KubeClient) {
    this.client = client;
  }

  async get(resource: KubeResource, name: string, namespace = 'shop'): Promise<JsonObject | undefined> {
    try {
      return await this.client.request({ path: objectPath(resource, namespace, name) });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Polls until the object is as wanted. Rejects with what it is. */
  async until(
    resource: KubeResource,
    name: string,
    isWanted: (object: JsonObject | undefined) => boolean,
  ): Promise<JsonObject> {
    let last: JsonObject | undefined;
    for (let i = 0; i < DEADLINE_POLLS; i++) {
      last = await this.get(resource, name);
      if (isWanted(last)) return last ?? {};
      await sleep(25);
    }
    throw new Error(`${resource.kind} ${name} is ${JSON.stringify(last)}`);
  }

  async patch(resource: KubeResource, name: string, body: object, namespace = 'shop'): Promise<void> {
    const path = objectPath(resource, namespace, name);
    await this.client.request({ method: 'PATCH', path, contentType: MERGE_PATCH, body });
  }

  async remove(resource: KubeResource, name: string): Promise<void> {
    await this.client.request({ method: 'DELETE', path: objectPath(resource, 'shop', name) });
  }

  async gateway(name: string, className = 'istio-waypoint'): Promise<JsonObject> {
    return this.client.request({
      method: 'POST',
      path: collectionPath(GATEWAYS, 'shop'),
      body: {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'Gateway',
        metadata: { name, namespace: 'shop' },
        spec: { gatewayClassName: className, listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
      },
    });
  }
}

const exists = (object: JsonObject | undefined): boolean => object !== undefined;
const isGone = (object: JsonObject | undefined): boolean => object === undefined;
const imageOf = (deployment: JsonObject | undefined): unknown => {
  const containers = objectAt(deployment, 'spec', 'template', 'spec')['containers'];
  return Array.isArray(containers) ? objectAt(containers[0])['image'] : undefined;
};

test('waypoints of a cluster', { skip, timeout: 120_000 }, async t => {
  const lab = await ClusterLab.start(t);
  for (const resource of [GATEWAYS, GATEWAY_CLASSES]) await installOpenCrd(lab.client, resource);
  const cluster = new Cluster(lab.client);
  await lab.controller('a');

  await t.test('the classes are made', async t => {
    for (const name of ['istio-waypoint', 'ambient-waypoint']) {
      const found = await cluster.until(GATEWAY_CLASSES, name, exists);
      t.match(found, { spec: { controllerName: 'ambient.mesh/waypoint-controller' } });
    }
  });

  await t.test('a Gateway gets what a waypoint is made of, owned by it', async t => {
    const gateway = await cluster.gateway('waypoint');
    const uid = objectAt(gateway, 'metadata')['uid'];
    for (const kind of [SERVICE_ACCOUNTS, SERVICES, DISRUPTION_BUDGETS, DEPLOYMENTS]) {
      const made = await cluster.until(kind, 'waypoint', exists);
      t.match(
        made,
        { metadata: { ownerReferences: [{ kind: 'Gateway', uid, controller: true }] } },
        kind.kind,
      );
    }
    const service = await cluster.get(SERVICES, 'waypoint');
    t.match(service, { spec: { trafficDistribution: 'PreferClose', ports: [{ port: 15008 }] } });
  });

  await t.test('what is changed is put right, and what others add stays', async t => {
    const image = imageOf(await cluster.get(DEPLOYMENTS, 'waypoint'));
    const containers = [{ name: 'waypoint', image: 'other:1' }];
    await cluster.patch(DEPLOYMENTS, 'waypoint', {
      metadata: { annotations: { 'kept.by/others': 'yes' } },
      spec: { template: { spec: { containers } } },
    });
    const repaired = await cluster.until(DEPLOYMENTS, 'waypoint', found => imageOf(found) === image);
    t.match(repaired, { metadata: { annotations: { 'kept.by/others': 'yes' } } });
  });

  await t.test('what is deleted comes back', async () => {
    await cluster.remove(SERVICES, 'waypoint');
    await cluster.until(SERVICES, 'waypoint', exists);
    await cluster.remove(DEPLOYMENTS, 'waypoint');
    await cluster.until(DEPLOYMENTS, 'waypoint', exists);
  });

  await t.test('it goes with its Gateway', async () => {
    await cluster.remove(GATEWAYS, 'waypoint');
    for (const kind of [DEPLOYMENTS, DISRUPTION_BUDGETS, SERVICES, SERVICE_ACCOUNTS])
      await cluster.until(kind, 'waypoint', isGone);
  });

  await t.test('what has the name already and is somebody else’s is left alone', async t => {
    const body = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'orders', namespace: 'shop' },
      spec: { ports: [{ port: 80 }] },
    };
    await cluster.client.request({ method: 'POST', path: collectionPath(SERVICES, 'shop'), body });
    await cluster.gateway('orders');
    await cluster.until(SERVICE_ACCOUNTS, 'orders', exists);
    const service = await cluster.get(SERVICES, 'orders');
    t.match(service, { spec: { ports: [{ port: 80 }] } });
    t.equal(await cluster.get(DEPLOYMENTS, 'orders'), undefined, 'nothing after it is made');
    await cluster.remove(GATEWAYS, 'orders');
    await cluster.until(SERVICE_ACCOUNTS, 'orders', isGone);
    t.ok(await cluster.get(SERVICES, 'orders'), 'nor is it removed with the Gateway');
  });

  await t.test('a namespace gets a waypoint by its label alone, as long as it has it', async t => {
    await cluster.patch(NAMESPACES, 'shop', {
      metadata: { labels: { 'ambient.mesh/auto-waypoint': 'true' } },
    });
    const made = await cluster.until(GATEWAYS, 'waypoint', exists);
    t.match(made, { spec: { gatewayClassName: 'ambient-waypoint' } });
    await cluster.until(DEPLOYMENTS, 'waypoint', exists);
    await cluster.remove(GATEWAYS, 'waypoint');
    await cluster.until(GATEWAYS, 'waypoint', found => found !== undefined);
    await cluster.patch(NAMESPACES, 'shop', { metadata: { labels: { 'ambient.mesh/auto-waypoint': null } } });
    await cluster.until(GATEWAYS, 'waypoint', isGone);
    await cluster.until(DEPLOYMENTS, 'waypoint', isGone);
  });

  await t.test('a Gateway of a class that another controller has is not ours', async t => {
    await cluster.client.request({
      method: 'DELETE',
      path: objectPath(GATEWAY_CLASSES, '', 'istio-waypoint'),
    });
    const body = {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'GatewayClass',
      metadata: { name: 'istio-waypoint' },
      spec: { controllerName: 'istio.io/mesh-controller' },
    };
    await cluster.client.request({ method: 'POST', path: collectionPath(GATEWAY_CLASSES), body });
    await cluster.gateway('theirs');
    await cluster.gateway('ours', 'ambient-waypoint');
    await cluster.until(DEPLOYMENTS, 'ours', exists);
    t.equal(await cluster.get(DEPLOYMENTS, 'theirs'), undefined);
  });
});

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import type { JsonObject } from '#shared/config/json.ts';
import { type KubeClient, MERGE_PATCH } from '#shared/kube/client.ts';
import { isNotFound } from '#shared/kube/kube-error.ts';
import { collectionPath, type KubeResource, objectPath } from '#shared/kube/resource.ts';
import { ClusterLab } from '../testing/cluster-lab.ts';
import { installCrds } from '../testing/crds.ts';
import { cannotRunApiServer, gatewayApiCrds } from '../testing/kube-binaries.ts';
import { pluralOf } from './status-kinds.ts';
import { objectAt, objectsAt } from '../translate/loose-fields.ts';
import { GATEWAYS } from '../waypoints/auto-waypoint.ts';
import { GATEWAY_CLASSES } from '../waypoints/gateway-classes.ts';
import { SERVICES } from '../waypoints/managed-kinds.ts';

/** Statuses written by controllers to a real API server, with the real definitions of Gateway API. */
const crds = gatewayApiCrds();
const skip = cannotRunApiServer() || (crds === undefined && 'needs GATEWAY_API_CRDS');
const POLLS = 400;
const HTTP_ROUTES: KubeResource = {
  group: 'gateway.networking.k8s.io',
  version: 'v1',
  kind: 'HTTPRoute',
  plural: 'httproutes',
  namespaced: true,
};

const route = (backend: string): JsonObject => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'orders', namespace: 'shop' },
  spec: {
    parentRefs: [{ group: '', kind: 'Service', name: 'orders' }],
    rules: [{ backendRefs: [{ name: backend, port: 80 }] }],
  },
});

async function create(client: KubeClient, resource: KubeResource, body: JsonObject): Promise<void> {
  await client.request({ method: 'POST', path: collectionPath(resource, 'shop'), body });
}

/** Polls until a condition of the object has this status and reason. Rejects with the status as it is. */
async function until(
  client: KubeClient,
  [resource, name]: readonly [KubeResource, string],
  isWanted: (status: JsonObject, object: JsonObject) => boolean,
): Promise<JsonObject> {
  let status: JsonObject = {};
  for (let i = 0; i < POLLS; i++) {
    const object = await client.request({ path: objectPath(resource, 'shop', name) }).catch(noneIfMissing);
    status = objectAt(object, 'status');
    if (isWanted(status, object)) return status;
    await sleep(25);
  }
  throw new Error(`${resource.kind} ${name}: ${JSON.stringify(status)}`);
}

function noneIfMissing(error: unknown): JsonObject {
  if (isNotFound(error)) return {};
  throw error;
}

const has = (conditions: readonly JsonObject[], type: string, status: string, reason: string): boolean =>
  conditions.some(c => c['type'] === type && c['status'] === status && c['reason'] === reason);
const ofParent = (status: JsonObject): readonly JsonObject[] =>
  objectsAt(status, 'parents').flatMap(parent => objectsAt(parent, 'conditions'));

const kind = (name: string, group: string, version: string): KubeResource => ({
  group,
  version,
  kind: name,
  plural: pluralOf(name),
  namespaced: true,
});
const CONSUL = 'consul.hashicorp.com';
/** What the API server lets pass and the translation does not. */
const DIALECTS: readonly (readonly [KubeResource, JsonObject])[] = [
  [
    kind('ServiceEntry', 'networking.istio.io', 'v1'),
    { hosts: ['a b'], ports: [{ number: 80, name: 'http' }], resolution: 'DNS' },
  ],
  [kind('ServiceIntentions', CONSUL, 'v1alpha1'), { destination: { name: 'a' }, sources: [] }],
  [kind('ServiceRouter', CONSUL, 'v1alpha1'), { routes: [{ match: { http: { pathRegex: '(' } } }] }],
  [kind('ServiceSplitter', CONSUL, 'v1alpha1'), { splits: [{ weight: 50 }] }],
  [kind('ServiceResolver', CONSUL, 'v1alpha1'), { defaultSubset: 'v1' }],
  [
    kind('ServiceProfile', 'linkerd.io', 'v1alpha2'),
    { routes: [{ name: 'a', condition: { pathRegex: '(' } }] },
  ],
];

test('statuses in a cluster', { skip, timeout: 120_000 }, async t => {
  const lab = await ClusterLab.start(t);
  const { client } = lab;
  await installCrds(client, join(crds ?? '', 'experimental'));
  await installCrds(client, 'charts/base/files/crds');
  const first = await lab.controller('a');
  await lab.controller('b');

  await t.test('a GatewayClass of ours is accepted', async () => {
    await until(client, [GATEWAY_CLASSES, 'ambient-waypoint'], status =>
      has(objectsAt(status, 'conditions'), 'Accepted', 'True', 'Accepted'),
    );
  });

  await t.test('a route, before and after its Service and backend are there', async t => {
    await create(client, HTTP_ROUTES, route('orders-v2'));
    const at = [HTTP_ROUTES, 'orders'] as const;
    await until(client, at, status => has(ofParent(status), 'Accepted', 'False', 'NoMatchingParent'));
    for (const name of ['orders', 'orders-v2']) {
      if (name === 'orders-v2')
        await until(client, at, status => has(ofParent(status), 'ResolvedRefs', 'False', 'BackendNotFound'));
      const spec = { ports: [{ port: 80 }] };
      await create(client, SERVICES, { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec });
    }
    const status = await until(
      client,
      at,
      found =>
        has(ofParent(found), 'Accepted', 'True', 'Accepted') &&
        has(ofParent(found), 'ResolvedRefs', 'True', 'ResolvedRefs'),
    );
    t.match(status, {
      parents: [
        {
          controllerName: 'ambient.mesh/waypoint-controller',
          parentRef: { kind: 'Service', name: 'orders' },
          conditions: [{ observedGeneration: 1 }, { observedGeneration: 1 }],
        },
      ],
    });
  });

  await t.test(
    'what others say stays, what they overwrite of ours comes back with the next change',
    async t => {
      const at = [HTTP_ROUTES, 'orders'] as const;
      const theirs = {
        parentRef: { name: 'gw' },
        controllerName: 'example.com/gateway',
        conditions: [
          {
            type: 'Accepted',
            status: 'True',
            reason: 'Accepted',
            message: '',
            lastTransitionTime: '2026-01-01T00:00:00Z',
          },
        ],
      };
      const path = objectPath(HTTP_ROUTES, 'shop', 'orders', 'status');
      await client.request({
        method: 'PATCH',
        path,
        contentType: MERGE_PATCH,
        body: { status: { parents: [theirs] } },
      });
      const body = { spec: route('orders')['spec'] };
      await client.request({
        method: 'PATCH',
        path: objectPath(HTTP_ROUTES, 'shop', 'orders'),
        contentType: MERGE_PATCH,
        body,
      });
      const status = await until(client, at, found => objectsAt(found, 'parents').length === 2);
      t.match(status, { parents: [theirs, { conditions: [{ observedGeneration: 2 }] }] });
    },
  );

  await t.test('a Service that asks for a waypoint, and no longer does', async t => {
    const label = async (value: string | null): Promise<void> => {
      const body = { metadata: { labels: { 'istio.io/use-waypoint': value } } };
      const path = objectPath(SERVICES, 'shop', 'orders');
      await client.request({ method: 'PATCH', path, contentType: MERGE_PATCH, body });
    };
    await label('waypoint');
    const at = [SERVICES, 'orders'] as const;
    const type = 'istio.io/WaypointBound';
    await until(client, at, status =>
      has(objectsAt(status, 'conditions'), type, 'False', 'WaypointIsNotReady'),
    );
    await label(null);
    const status = await until(client, at, found => objectsAt(found, 'conditions').length === 0);
    t.ok(status, 'the condition is taken away');
  });

  await t.test('a waypoint gets its addresses; without a kubelet no pod of it is ever ready', async t => {
    await create(client, GATEWAYS, {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'waypoint' },
      spec: {
        gatewayClassName: 'istio-waypoint',
        listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
      },
    });
    const status = await until(
      client,
      [GATEWAYS, 'waypoint'],
      found => objectsAt(found, 'addresses').length === 2,
    );
    t.ok(has(objectsAt(status, 'conditions'), 'Accepted', 'True', 'Accepted'));
    t.ok(has(objectsAt(status, 'conditions'), 'Programmed', 'False', 'Pending'));
    t.match(status, { listeners: [{ name: 'mesh', attachedRoutes: 0 }] });
  });

  for (const [kind, wrong] of DIALECTS) {
    await t.test(`a ${kind.kind} that is wrong says what`, async t => {
      const { group, version } = kind;
      const body = {
        apiVersion: `${group}/${version}`,
        kind: kind.kind,
        metadata: { name: 'it' },
        spec: wrong,
      };
      await create(client, kind, body);
      const status = await until(client, [kind, 'it'], found =>
        has(objectsAt(found, 'conditions'), 'Accepted', 'False', 'Invalid'),
      );
      t.match(status, { conditions: [{ message: /it rejected: / }] });
    });
  }

  await t.test('an XBackendTrafficPolicy has an ancestor for each Service', async t => {
    const policies = kind('XBackendTrafficPolicy', 'gateway.networking.x-k8s.io', 'v1alpha1');
    const targetRefs = ['orders', 'nope'].map(name => ({ group: '', kind: 'Service', name }));
    const spec = { targetRefs, sessionPersistence: { type: 'Cookie' } };
    const apiVersion = 'gateway.networking.x-k8s.io/v1alpha1';
    await create(client, policies, { apiVersion, kind: policies.kind, metadata: { name: 'it' }, spec });
    const status = await until(client, [policies, 'it'], found => objectsAt(found, 'ancestors').length === 2);
    const controllerName = 'ambient.mesh/waypoint-controller';
    t.match(status, {
      ancestors: [
        {
          controllerName,
          ancestorRef: { name: 'orders' },
          conditions: [{ type: 'Accepted', status: 'True' }],
        },
        { controllerName, ancestorRef: { name: 'nope' }, conditions: [{ reason: 'TargetNotFound' }] },
      ],
    });
  });

  await t.test('an HTTPLocalRateLimitPolicy names its target, as Linkerd writes it', async t => {
    const policies = kind('HTTPLocalRateLimitPolicy', 'policy.linkerd.io', 'v1alpha1');
    const targetRef = { group: 'policy.linkerd.io', kind: 'Server', name: 'web' };
    const apiVersion = 'policy.linkerd.io/v1alpha1';
    const spec = { targetRef, total: { requestsPerSecond: 10 } };
    await create(client, policies, { apiVersion, kind: policies.kind, metadata: { name: 'it' }, spec });
    const at = [policies, 'it'] as const;
    const reasonIs = (reason: string) => (found: JsonObject) =>
      has(objectsAt(found, 'conditions'), 'Accepted', 'False', reason);
    t.match(await until(client, at, reasonIs('NoMatchingTarget')), { targetRef });
    const server = { podSelector: {}, port: 'http', accessPolicy: 'all-unauthenticated' };
    const servers = kind('Server', 'policy.linkerd.io', 'v1beta3');
    const body = { apiVersion: 'policy.linkerd.io/v1beta3', kind: 'Server', metadata: { name: 'web' } };
    await create(client, servers, { ...body, spec: server });
    await until(client, at, reasonIs('AncestorNotBound'));
  });

  await t.test('filters of a route that Gateway API itself lets pass', async () => {
    const backendRef = { name: 'orders-v2', port: 80 };
    const externalAuth = {
      protocol: 'HTTP',
      backendRef,
      http: { path: '/check', allowedHeaders: ['x-a'], allowedResponseHeaders: ['x-user'] },
      forwardBody: { maxSize: 1024 },
    };
    const grpcAuth = { protocol: 'GRPC', backendRef, grpc: { allowedHeaders: ['x-a'] } };
    const extensionRef = { group: 'example.net', kind: 'Magic', name: 'm' };
    for (const [name, filter, resolved, reason] of [
      ['by-http', { type: 'ExternalAuth', externalAuth }, 'True', 'ResolvedRefs'],
      ['by-grpc', { type: 'ExternalAuth', externalAuth: grpcAuth }, 'True', 'ResolvedRefs'],
      ['by-magic', { type: 'ExtensionRef', extensionRef }, 'False', 'InvalidKind'],
    ] as const) {
      const parentRefs = [{ group: '', kind: 'Service', name: 'orders' }];
      const spec = { parentRefs, rules: [{ filters: [filter], backendRefs: [backendRef] }] };
      await create(client, HTTP_ROUTES, { ...route(''), metadata: { name }, spec });
      await until(
        client,
        [HTTP_ROUTES, name],
        found =>
          has(ofParent(found), 'Accepted', 'True', 'Accepted') &&
          has(ofParent(found), 'ResolvedRefs', resolved, reason),
      );
    }
  });

  await t.test('a status that is as it should be is not written again, by a new leader neither', async t => {
    const read = async (): Promise<unknown> => {
      const object = await client.request({ path: objectPath(HTTP_ROUTES, 'shop', 'orders') });
      return objectAt(object, 'metadata')['resourceVersion'];
    };
    const before = await read();
    await lab.stop(first);
    // The next leader looks at everything; that it has is seen by what it writes.
    await create(client, HTTP_ROUTES, { ...route('orders'), metadata: { name: 'later', namespace: 'shop' } });
    await until(client, [HTTP_ROUTES, 'later'], status =>
      has(ofParent(status), 'Accepted', 'True', 'Accepted'),
    );
    t.equal(await read(), before);
  });
});

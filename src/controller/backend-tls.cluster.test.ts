import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import type { JsonObject } from '#shared/config/json.ts';
import { MERGE_PATCH } from '#shared/kube/client.ts';
import { CONFIG_MAPS } from '#shared/kube/core-resources.ts';
import { type KubeResource, objectPath } from '#shared/kube/resource.ts';
import { createTestCa } from '#shared/testing/test-ca.ts';
import { ClusterLab } from './testing/cluster-lab.ts';
import { installCrds } from './testing/crds.ts';
import { cannotRunApiServer, gatewayApiCrds } from './testing/kube-binaries.ts';
import { LoopbackClient } from './testing/loopback-controller.ts';
import { createToken, ensureObject } from './testing/service-account.ts';
import { objectAt, objectsAt } from './translate/loose-fields.ts';
import { GATEWAYS } from './waypoints/auto-waypoint.ts';
import { SERVICES } from './waypoints/managed-kinds.ts';

/** BackendTLSPolicies and ConfigMaps of a real API server, on their way to a waypoint, and what is said of them there. */
const crds = gatewayApiCrds();
const skip = cannotRunApiServer() || (crds === undefined && 'needs GATEWAY_API_CRDS');
const POLICIES: KubeResource = {
  group: 'gateway.networking.k8s.io',
  version: 'v1',
  kind: 'BackendTLSPolicy',
  plural: 'backendtlspolicies',
  namespaced: true,
};
const POLLS = 400;
const GATEWAY = {
  metadata: { name: 'wp', namespace: 'shop' },
  spec: {
    gatewayClassName: 'ambient-waypoint',
    listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
  },
};
const SERVICE = {
  metadata: { name: 'api', namespace: 'shop', labels: { 'istio.io/use-waypoint': 'wp' } },
  spec: { ports: [{ name: 'https', port: 443 }] },
};
const policy = (name: string, configMap: string): JsonObject => ({
  metadata: { name, namespace: 'shop' },
  spec: {
    targetRefs: [{ group: '', kind: 'Service', name: 'api', sectionName: 'https' }],
    validation: {
      hostname: `${name}.example.com`,
      caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: configMap }],
      subjectAltNames: [{ type: 'URI', uri: 'spiffe://example.com/api' }],
    },
  },
});

test('BackendTLSPolicies, from an API server to the waypoint', { skip, timeout: 120_000 }, async t => {
  const lab = await ClusterLab.start(t);
  const { client } = lab;
  await lab.account('shop', 'wp');
  const [one, two] = await Promise.all([createTestCa('one'), createTestCa('two')]);
  const [ONE, TWO] = [one.rootPem.trim(), two.rootPem.trim()];
  const patch = (
    resource: KubeResource,
    name: string,
    body: JsonObject,
    what?: 'status',
  ): Promise<JsonObject> =>
    client.request({
      method: 'PATCH',
      path: objectPath(resource, 'shop', name, what),
      contentType: MERGE_PATCH,
      body,
    });
  const configMap = (name: string, pem: string): Promise<void> =>
    ensureObject(client, CONFIG_MAPS, { metadata: { name, namespace: 'shop' }, data: { 'ca.crt': pem } });
  /** Polls until the status is as wanted. Rejects with the one that is there. */
  const untilStatus = async (
    name: string,
    isWanted: (status: JsonObject) => boolean,
  ): Promise<JsonObject> => {
    let status: JsonObject = {};
    for (let i = 0; i < POLLS; i++) {
      status = objectAt(await client.request({ path: objectPath(POLICIES, 'shop', name) }), 'status');
      if (isWanted(status)) return status;
      await sleep(25);
    }
    throw new Error(`${name}: ${JSON.stringify(status)}`);
  };
  const until = (name: string, conditions: RegExp): Promise<JsonObject> =>
    untilStatus(name, status => conditions.test(ourConditions(status)));

  // Nothing of Gateway API is there yet.
  const controller = await lab.controller('a');
  await configMap('ca', one.rootPem);
  await ensureObject(client, SERVICES, SERVICE);
  await installCrds(client, join(crds ?? '', 'standard'));
  await ensureObject(client, GATEWAYS, GATEWAY);
  await ensureObject(client, POLICIES, policy('it', 'ca'));
  const token = await createToken(client, 'shop', 'wp', { audiences: ['istio-ca'] });
  const waypoint = await new LoopbackClient(lab.endpoint(controller, token)).start();
  t.teardown(() => waypoint.client.stop());
  const tls = () => waypoint.store.routes('shop/api.shop.svc.cluster.local')?.portPolicies[0]?.policy.tls;
  const trusts = (pem: string) => (): boolean => {
    const roots = tls()?.trustedRoots;
    return roots?.kind === 'pem' && roots.pem === pem;
  };

  await t.test(
    'the kind is picked up when its definition is installed, and the waypoint is its ancestor',
    async t => {
      await waypoint.until(trusts(ONE));
      t.match(tls(), { serverName: 'it.example.com', subjectAltNames: ['spiffe://example.com/api'] });
      const status = await until('it', /^Accepted True Accepted, ResolvedRefs True ResolvedRefs$/);
      t.match(status, {
        ancestors: [
          {
            controllerName: 'ambient.mesh/waypoint-controller',
            ancestorRef: {
              group: 'gateway.networking.k8s.io',
              kind: 'Gateway',
              namespace: 'shop',
              name: 'wp',
            },
            conditions: [{ observedGeneration: 1 }, { observedGeneration: 1 }],
          },
        ],
      });
    },
  );

  await t.test('a change of the ConfigMap comes, one that makes it useless does not', async t => {
    await patch(CONFIG_MAPS, 'ca', { data: { 'ca.crt': two.rootPem } });
    await waypoint.until(trusts(TWO));
    await patch(CONFIG_MAPS, 'ca', { data: { 'ca.crt': null, other: 'x' } });
    const status = await until('it', /NoValidCACertificate, ResolvedRefs False InvalidCACertificateRef$/);
    t.match(JSON.stringify(status), /data\.ca\.crt: is required; what it held before is in use/);
    t.ok(trusts(TWO)());
  });

  await t.test(
    'a policy that names another one has it at once; of one that is deleted nothing is left',
    async () => {
      await configMap('next', one.rootPem);
      await patch(POLICIES, 'it', { spec: policy('it', 'next')['spec'] });
      await waypoint.until(trusts(ONE));
      await until('it', /^Accepted True Accepted, ResolvedRefs True/);
      await client.request({ method: 'DELETE', path: objectPath(CONFIG_MAPS, 'shop', 'next') });
      await waypoint.until(() => tls()?.trustedRoots.kind === 'unresolved');
      await until('it', /NoValidCACertificate/);
      await configMap('next', two.rootPem);
      await waypoint.until(trusts(TWO));
    },
  );

  await t.test('what others say of it stays, and a younger one gives way', async t => {
    const theirs = {
      ancestorRef: { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'unmanaged' },
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
    await until('it', /^Accepted True Accepted/);
    const path = objectPath(POLICIES, 'shop', 'it');
    const before = objectsAt(objectAt(await client.request({ path }), 'status'), 'ancestors');
    await patch(POLICIES, 'it', { status: { ancestors: [...before, theirs] } }, 'status');
    await patch(POLICIES, 'it', { spec: { validation: { hostname: 'second.example.com' } } });
    await waypoint.until(() => tls()?.serverName === 'second.example.com');
    const status = await untilStatus('it', found => ourText(found).includes('"observedGeneration":3'));
    const kept = objectsAt(status, 'ancestors').find(one => one['controllerName'] === theirs.controllerName);
    t.match(kept, theirs);
    await ensureObject(client, POLICIES, policy('late', 'ca'));
    await until('late', /^Accepted False Conflicted/);
    t.equal(tls()?.serverName, 'second.example.com');
  });
});

function ours(status: JsonObject): readonly JsonObject[] {
  return objectsAt(status, 'ancestors').filter(
    one => one['controllerName'] === 'ambient.mesh/waypoint-controller',
  );
}

function ourText(status: JsonObject): string {
  return JSON.stringify(ours(status));
}

function ourConditions(status: JsonObject): string {
  return ours(status)
    .flatMap(one => objectsAt(one, 'conditions'))
    .map(({ reason, status: value, type }) => `${String(type)} ${String(value)} ${String(reason)}`)
    .join(', ');
}

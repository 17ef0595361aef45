import { test } from 'tap';
import { readPod } from '../../translate/pod-to-workload/pod.ts';
import { parseTrustDomain } from '#shared/spiffe/trust-domain.ts';
import type { KubeObject } from '../kube-object.ts';
import { parseObject } from '../parse-object.ts';
import { ChangeBatch } from './change-batch.ts';
import { prune } from './prune.ts';

function parsed(value: unknown): KubeObject {
  const result = parseObject(value);
  if (result.kind !== 'object') throw new Error(`no object: ${JSON.stringify(result)}`);
  return result.object;
}

function pod(changes: { readonly ready?: string; readonly heartbeat?: string } = {}): KubeObject {
  return parsed({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web-6d4cf56db6-x2x5p',
      namespace: 'shop',
      uid: 'u-1',
      resourceVersion: changes.heartbeat ?? '7',
      labels: { app: 'web', 'pod-template-hash': '6d4cf56db6' },
      annotations: {
        'ambient.istio.io/redirection': 'enabled',
        'linkerd.io/inject': 'disabled',
        'kubectl.kubernetes.io/last-applied-configuration': '{"very": "long"}',
        'prometheus.io/scrape': 'true',
        'kubernetes.io/config.mirror': 'abc',
      },
      ownerReferences: [{ kind: 'ReplicaSet', name: 'web-6d4cf56db6', controller: true }],
      managedFields: [{ manager: 'kubelet', fieldsV1: { 'f:status': {} } }],
    },
    spec: {
      nodeName: 'n1',
      serviceAccountName: 'web',
      hostname: 'web-0',
      subdomain: 'web',
      containers: [
        { name: 'app', image: 'web:1', env: [{ name: 'A' }], ports: [{ name: 'http', containerPort: 8080 }] },
      ],
      tolerations: [{ key: 'a' }],
    },
    status: {
      phase: 'Running',
      podIP: '10.0.0.1',
      podIPs: [{ ip: '10.0.0.1' }],
      conditions: [
        { type: 'Ready', status: changes.ready ?? 'True', lastProbeTime: changes.heartbeat },
        { type: 'PodScheduled', status: 'True' },
      ],
      containerStatuses: [{ name: 'app', containerID: 'x' }],
    },
  });
}

test('of a pod what the translation reads is kept, and no more', t => {
  const cluster = { clusterId: 'c', clusterDomain: 'd', trustDomain: parseTrustDomain('td'), network: '' };
  t.same(readPod(prune(pod()), cluster), readPod(pod(), cluster));
  t.same(Object.keys(prune(pod()).metadata.annotations).sort(), [
    'ambient.istio.io/redirection',
    'kubernetes.io/config.mirror',
    'linkerd.io/inject',
  ]);
  t.notMatch(JSON.stringify(prune(pod())), /managedFields|containerStatuses|tolerations|image|scrape|long/);
  t.end();
});

test('a status is kept of pods alone: one that we wrote is no change', t => {
  const route = parsed({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'r', namespace: 'shop', uid: 'u-2', generation: 3 },
    spec: { hostnames: ['a'] },
    status: { parents: [{}] },
  });
  t.match(prune(route), {
    metadata: { generation: 3 },
    spec: { hostnames: ['a'] },
    body: { metadata: { uid: 'u-2' } },
  });
  t.equal(prune(route).status, undefined);
  t.end();
});

test('of the status of a machine what says whether it is ready is kept: a probe that repeats it is no change', t => {
  const machine = (probed: string): KubeObject =>
    parsed({
      apiVersion: 'workload.linkerd.io/v1beta1',
      kind: 'ExternalWorkload',
      metadata: { name: 'vm', namespace: 'shop', uid: 'u-4' },
      spec: { workloadIPs: [{ ip: '192.0.2.1' }] },
      status: {
        conditions: [
          { type: 'Ready', status: 'True', lastProbeTime: probed },
          { type: 'Reachable', status: 'True' },
        ],
      },
    });
  t.same(prune(machine('a')).status, { conditions: [{ type: 'Ready', status: 'True' }] });
  t.same(prune(machine('a')), prune(machine('b')));
  t.end();
});

test('an EndpointSlice is all body', t => {
  const slice = parsed({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 's', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'db' } },
    addressType: 'IPv4',
    ports: [{ port: 5432 }],
    endpoints: [
      {
        addresses: ['10.0.0.9'],
        conditions: { ready: true, serving: true, terminating: false },
        hostname: 'db-0',
        targetRef: { kind: 'Pod', name: 'db-0', uid: 'u-3' },
        deprecatedTopology: {},
      },
    ],
  });
  t.same(prune(slice).body, {
    addressType: 'IPv4',
    ports: [{ port: 5432 }],
    endpoints: [
      {
        addresses: ['10.0.0.9'],
        conditions: { ready: true, serving: true, terminating: false },
        hostname: 'db-0',
        targetRef: { kind: 'Pod', name: 'db-0' },
      },
    ],
  });
  t.end();
});

test('a heartbeat is no change, another readiness is', t => {
  const batch = new ChangeBatch();
  batch.upsert(prune(pod()));
  t.equal(batch.take().upserts.length, 1);
  batch.upsert(prune(pod({ heartbeat: '8' })));
  t.ok(batch.isEmpty);
  batch.upsert(prune(pod({ ready: 'False' })));
  t.match(batch.take(), { upserts: [{ kind: 'Pod' }], deletes: [] });
  batch.delete('Pod/shop/web-6d4cf56db6-x2x5p');
  batch.delete('Pod/shop/never-told');
  t.same(batch.take(), { upserts: [], deletes: ['Pod/shop/web-6d4cf56db6-x2x5p'] });
  batch.upsert(prune(pod()));
  batch.delete('Pod/shop/web-6d4cf56db6-x2x5p');
  t.same(batch.take(), { upserts: [], deletes: ['Pod/shop/web-6d4cf56db6-x2x5p'] });
  t.end();
});

test('of a ConfigMap what the mesh reads is kept: its configuration, authorities', t => {
  const data = { mesh: 'a: b', 'ca.crt': 'PEM', 'program.lua': 'x'.repeat(1000) };
  const object = parsed({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'ca' }, data });
  t.same(prune(object).body, { data: { mesh: 'a: b', 'ca.crt': 'PEM' } });
  t.end();
});

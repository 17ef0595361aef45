import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { quietLogger } from '../testing/quiet-logger.ts';
import { MetricSet } from '../observability/metric-set.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { policy, workload } from '../testing/topology.ts';
import type { MeshDelta } from '../workload/mesh-view.ts';
import { DiscoveryClient, type DiscoveryClientOptions } from './client.ts';
import type { DeltaResource } from './delta-message.ts';
import { testStateFile } from '../testing/state-file.ts';
import { SnapshotFile } from './snapshot-file.ts';
import { createDiscoveryMetrics } from './discovery-metrics.ts';
import { FakeTransport } from '../testing/fake-transport.ts';
import {
  ADDRESS_TYPE,
  AUTHORIZATION_TYPE,
  encodeResource,
  TLS_CREDENTIAL_TYPE,
  TRUST_BUNDLE_TYPE,
} from './mesh-resource.ts';

const NODE = { id: 'ztunnel~1', metadata: {} };

interface SetUp {
  readonly client: DiscoveryClient;
  readonly clock: FakeClock;
  readonly deltas: MeshDelta[];
  readonly metrics: MetricSet;
  readonly seen: { synced: number };
  readonly transport: FakeTransport;
}

function setUp(options: Partial<DiscoveryClientOptions> = {}): SetUp {
  const clock = new FakeClock();
  const transport = new FakeTransport();
  const deltas: MeshDelta[] = [];
  const seen = { synced: 0 };
  const metrics = new MetricSet();
  const client = new DiscoveryClient({
    transport,
    node: NODE,
    types: [ADDRESS_TYPE, AUTHORIZATION_TYPE],
    listener: { onDelta: delta => void deltas.push(delta), onSynced: () => void seen.synced++ },
    clock,
    random: () => 0.5,
    logger: quietLogger,
    metrics: createDiscoveryMetrics(metrics, () => clock.now()),
    ...options,
  });
  return { client, clock, deltas, metrics, seen, transport };
}

function pod(name: string, version: string, ip = '10.0.0.1'): DeltaResource {
  const resource = { kind: 'workload', workload: workload(name, { addresses: [ip] }) } as const;
  const { uid } = resource.workload;
  return { name: uid, version, aliases: [], typeUrl: ADDRESS_TYPE, value: encodeResource(resource) };
}

test('it subscribes to each type, applies, acknowledges, and says once when all is there', async t => {
  const { client, clock, deltas, seen, transport } = setUp();
  client.start();
  t.same(
    transport.last.sent.map(r => [r.typeUrl, r.node?.id]),
    [
      [ADDRESS_TYPE, 'ztunnel~1'],
      [AUTHORIZATION_TYPE, undefined],
    ],
  );
  transport.last.respond({ typeUrl: ADDRESS_TYPE, nonce: 'a', resources: [pod('x', '1')] });
  t.equal(seen.synced, 0);
  transport.last.respond({ typeUrl: AUTHORIZATION_TYPE, nonce: 'b' });
  transport.last.respond({ typeUrl: AUTHORIZATION_TYPE, nonce: 'c' });
  t.equal(seen.synced, 1);
  t.same(
    transport.last.sent.slice(2).map(r => r.nonce),
    ['a', 'b', 'c'],
  );
  t.same(
    deltas.flatMap(d => d.workloads.map(w => w.name)),
    ['x'],
    'empty responses are no deltas',
  );
  await client.stop();
  t.ok(transport.last.cancelled);
  t.equal(clock.pendingTimers, 0);
});

test('no workload is known before the policies are, also when the stream breaks between them', async t => {
  const { client, clock, deltas, seen, transport } = setUp();
  client.start();
  transport.last.respond({ typeUrl: ADDRESS_TYPE, nonce: 'a', resources: [pod('x', '1')] });
  t.equal(transport.last.sent.at(-1)?.nonce, 'a', 'acknowledged');
  t.same(deltas, [], 'and not told: whoever came in now would meet no policy');
  transport.last.end('reset');
  clock.advance(200);
  transport.last.respond({ typeUrl: ADDRESS_TYPE, resources: [pod('y', '1')] });
  const deny = { kind: 'policy', policy: policy('deny', 'deny', [{}]) } as const;
  transport.last.respond({
    typeUrl: AUTHORIZATION_TYPE,
    resources: [
      {
        name: 'default/deny',
        version: '1',
        aliases: [],
        typeUrl: AUTHORIZATION_TYPE,
        value: encodeResource(deny),
      },
    ],
  });
  t.equal(seen.synced, 1);
  t.same(
    deltas.map(d => [...d.policies.map(p => p.name), ...d.workloads.map(w => w.name)]),
    [['deny'], ['x'], ['y']],
  );
  await client.stop();
});

test('after a lost stream it comes back with backoff and says what it holds', async t => {
  const { client, clock, transport } = setUp();
  client.start();
  transport.last.respond({ typeUrl: ADDRESS_TYPE, resources: [pod('x', '5')] });
  transport.last.end('connection reset');
  t.match(client.status(), { connectedSince: undefined, lastError: 'connection reset' });
  clock.advance(200);
  t.equal(transport.streams.length, 2);
  t.same([...(transport.last.sent[0]?.initialVersions ?? [])], [['Kubernetes//Pod/default/x', '5']]);
  transport.last.end('refused');
  clock.advance(399);
  t.equal(transport.streams.length, 2, 'the second delay is longer');
  clock.advance(1);
  t.equal(transport.streams.length, 3);
  transport.last.respond({ typeUrl: ADDRESS_TYPE });
  transport.last.end('reset');
  clock.advance(200);
  t.equal(transport.streams.length, 4, 'a stream that worked makes the first delay short again');
  await client.stop();
  t.equal(clock.pendingTimers, 0);
});

test('credentials that cannot be read are tried again', async t => {
  const { client, clock, transport } = setUp();
  transport.failure = new Error('token file /x is empty');
  client.start();
  t.equal(client.status().lastError, 'token file /x is empty');
  transport.failure = undefined;
  clock.advance(1_000);
  t.equal(transport.streams.length, 1);
  await client.stop();
});

test('a controller that never answers is left', async t => {
  const { client, clock, transport } = setUp();
  client.start();
  const [first] = transport.streams;
  clock.advance(30_000);
  t.ok(first?.cancelled);
  t.match(client.status().lastError, /no response within 30000 ms/);
  await client.stop();
});

test('a bad resource is answered with a NACK and shown, the last good one stays', async t => {
  const { client, deltas, transport } = setUp();
  client.start();
  transport.last.respond({ typeUrl: AUTHORIZATION_TYPE });
  transport.last.respond({ typeUrl: ADDRESS_TYPE, resources: [pod('x', '1')] });
  const bad = { ...pod('x', '2'), value: Buffer.from([1, 2, 3]) };
  const named = { ...pod('y', '1'), name: 'Kubernetes//Pod/default/z' };
  transport.last.respond({ typeUrl: ADDRESS_TYPE, nonce: 'n', resources: [bad, named, pod('w', '1')] });
  const nack = transport.last.sent.at(-1);
  t.equal(nack?.nonce, 'n');
  t.match(nack?.error?.message, /default\/x: 3 bytes are not a Address.*default\/z: is named/);
  t.same(
    deltas.at(-1)?.workloads.map(w => w.name),
    ['w'],
  );
  t.same(deltas.at(-1)?.removedWorkloads, []);
  const status = client.status().types.find(type => type.type === ADDRESS_TYPE);
  t.equal(status?.rejected.length, 2);
  t.equal(status?.resources, 2);
  await client.stop();
});

test('roots are accepted only when the listener takes them, and traffic does not wait for them', async t => {
  const trust: string[] = [];
  const { client, seen, transport } = setUp({
    types: [ADDRESS_TYPE, TRUST_BUNDLE_TYPE],
    listener: {
      onDelta: () => undefined,
      onSynced: () => void seen.synced++,
      onTrust: ({ version }) => {
        if (version === 'bad') throw new Error('no root');
        trust.push(version);
      },
    },
  });
  client.start();
  transport.last.respond({ typeUrl: ADDRESS_TYPE });
  t.equal(seen.synced, 1);
  for (const version of ['one', 'bad']) {
    const value = encodeResource({ kind: 'trust', trust: { trustDomain: 'td', rootsPem: 'PEM', version } });
    const resource = { name: 'td', version, aliases: [], typeUrl: TRUST_BUNDLE_TYPE, value };
    transport.last.respond({ typeUrl: TRUST_BUNDLE_TYPE, nonce: version, resources: [resource] });
  }
  t.same(trust, ['one']);
  t.match(transport.last.sent.at(-1)?.error?.message, 'td: no root');
  await client.stop();
});

test('credentials go to the listener alone: nothing waits for them, and none is kept', async t => {
  const heard: [string, string | undefined][] = [];
  const directory = mkdtempSync(join(tmpdir(), 'discovery-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'snapshot');
  const { client, clock, deltas, seen, transport } = setUp({
    types: [ADDRESS_TYPE, TLS_CREDENTIAL_TYPE],
    listener: {
      onDelta: delta => void deltas.push(delta),
      onSynced: () => void seen.synced++,
      onCredential: (name, credential) => void heard.push([name, credential?.trustedRootsPem]),
    },
    snapshot: snapshotAt(path),
  });
  client.start();
  transport.last.respond({ typeUrl: ADDRESS_TYPE, resources: [pod('a', '1')] });
  t.equal(seen.synced, 1);
  const texts = { certificateChainPem: '', privateKeyPem: 'KEY', revocationListsPem: '' };
  const credential = { name: 'shop/api', trustedRootsPem: 'PEM', ...texts };
  const value = encodeResource({ kind: 'credential', credential, audience: [] });
  const typeUrl = TLS_CREDENTIAL_TYPE;
  const resource = { name: 'shop/api', version: '1', aliases: [], typeUrl, value };
  transport.last.respond({ typeUrl, nonce: 'a', resources: [resource] });
  t.equal(deltas.length, 1);
  transport.last.end('gone');
  clock.advance(60_000);
  const reopened = transport.last.sent.find(request => request.typeUrl === typeUrl);
  t.same(
    [...(reopened?.initialVersions ?? [])],
    [['shop/api', '1']],
    'what is held is said, to hear of its end',
  );
  transport.last.respond({ typeUrl, nonce: 'b', removed: ['shop/api'] });
  t.same(heard, [
    ['shop/api', 'PEM'],
    ['shop/api', undefined],
  ]);
  await client.stop();
  const written = readFileSync(path, 'latin1');
  t.match(written, /Pod/);
  t.notMatch(written, /KEY|shop/);
});

test('what is being written is waited for at the end, what came since is written, and nothing is afterwards', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'discovery-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'snapshot');
  const clock = new FakeClock();
  const snapshot = snapshotAt(path, clock);
  const { client, transport } = setUp({ types: [ADDRESS_TYPE], clock, snapshot });
  client.start();
  transport.last.respond({ typeUrl: ADDRESS_TYPE, resources: [pod('first', '1')] });
  clock.advance(1_000);
  transport.last.respond({ typeUrl: ADDRESS_TYPE, resources: [pod('second', '1')] });
  await client.stop();
  t.match(readFileSync(path, 'latin1'), /Pod\/default\/first[^]*Pod\/default\/second/);
  t.same(readdirSync(directory), ['snapshot'], 'and nothing half written beside it');
  t.equal(clock.pendingTimers, 0, 'nothing that would begin another one');
});

test('what arrives is counted', async t => {
  const { client, metrics, transport } = setUp();
  client.start();
  transport.last.respond({ typeUrl: ADDRESS_TYPE });
  transport.last.end('gone');
  const value = (name: string, label: string): number | undefined =>
    metrics
      .snapshot()
      .find(f => f.name === name)
      ?.series.find(s => s.labelValues[0] === label)?.value;
  t.equal(value('istio_xds_message_total', ADDRESS_TYPE), 1);
  t.equal(value('istio_xds_message_bytes_total', ADDRESS_TYPE), 100);
  t.equal(value('istio_xds_connection_terminations_total', 'disconnect'), 1);
  t.equal(value('istio_xds_message_total', AUTHORIZATION_TYPE), 0, 'from the first scrape on');
  await client.stop();
});

function snapshotAt(path: string, clock = new FakeClock()): SnapshotFile {
  return new SnapshotFile({ file: testStateFile(path, clock), clock, logger: quietLogger });
}

import { test } from 'tap';
import type { DeltaRequest, DeltaResponse } from '#shared/discovery/delta-message.ts';
import { ADDRESS_TYPE, type MeshResource } from '#shared/discovery/mesh-resource.ts';
import { MetricSet } from '#shared/observability/metric-set.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { seriesOf } from '#shared/testing/series.ts';
import { workload } from '#shared/testing/topology.ts';
import { DepartedClients } from './departed-clients.ts';
import { DiscoveryServer } from './discovery-server.ts';
import { ResourceStore } from './resource-store.ts';
import { createServerMetrics } from './server-metrics.ts';

const NODE = { id: 'ztunnel~10.0.0.1~ztunnel-a.istio-system~cluster.local', metadata: {} };

function pod(ip: string): MeshResource {
  return { kind: 'workload', workload: workload('orders', { addresses: [ip] }) };
}

/** A server, and one client that answers when it is told to. */
function setUp() {
  const clock = new FakeClock();
  const store = new ResourceStore();
  const set = new MetricSet();
  const metrics = createServerMetrics(set);
  const departed = new DepartedClients(clock);
  const server = new DiscoveryServer({ store, clock, logger: quietLogger, metrics, departed });
  const sent: DeltaResponse[] = [];
  const link = { send: (response: DeltaResponse) => void sent.push(response), close: () => undefined };
  const client = server.accept('spiffe://td/ns/istio-system/sa/ztunnel', '10.0.0.1', link);
  const request = (fields: Partial<DeltaRequest>): void => {
    const nothing = { subscribe: [], unsubscribe: [], initialVersions: new Map<string, string>() };
    client.onRequest({
      typeUrl: ADDRESS_TYPE,
      node: undefined,
      nonce: '',
      error: undefined,
      ...nothing,
      ...fields,
    });
  };
  const answer = (error?: string): void => {
    const nonce = sent.at(-1)?.nonce ?? '';
    request({ nonce, ...(error !== undefined && { error: { code: 3, message: error } }) });
  };
  const families = () => {
    metrics.update(server.states());
    return set.snapshot();
  };
  return { answer, clock, families, request, sent, server, store };
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

test('convergence: from the first change that a client has not confirmed until it has confirmed them all', async t => {
  const { answer, clock, families, request, sent, server, store } = setUp();
  t.teardown(() => server.stop());
  const convergence = () => families().find(f => f.name === 'pilot_proxy_convergence_time')?.series[0];
  request({ node: NODE });
  answer();
  t.same(convergence()?.value, 0, 'what was there before it came is no change');
  store.publish([pod('10.0.0.1')]);
  await turn();
  clock.advance(700);
  store.publish([pod('10.0.0.2')]);
  answer();
  t.equal(convergence()?.value, 0, 'not all of it: the second change waited for the answer to the first');
  clock.advance(300);
  answer();
  t.equal(convergence()?.value, 1);
  t.same(Array.from(convergence()?.bucketCounts ?? []), [0, 0, 1, 0, 0, 0, 0, 0, 0]);
  answer();
  t.equal(convergence()?.value, 1, 'told once');
  t.equal(sent.length, 3);
});

test('how many clients have everything, wait for an answer, or have refused something', async t => {
  const { answer, families, request, server, store } = setUp();
  t.teardown(() => server.stop());
  const states = () => seriesOf(families(), 'ambient_xds_clients');
  request({ node: NODE });
  t.same(states(), { synced: 0, stale: 1, nack: 0 });
  answer();
  t.same(states(), { synced: 1, stale: 0, nack: 0 });
  store.publish([pod('10.0.0.1')]);
  await turn();
  answer('the address is none');
  t.same(states(), { synced: 0, stale: 0, nack: 1 });
  store.publish([pod('10.0.0.2')]);
  await turn();
  answer();
  t.same(states(), { synced: 1, stale: 0, nack: 0 });
});

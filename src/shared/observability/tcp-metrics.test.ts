import { test } from 'tap';
import { MetricSet } from './metric-set.ts';
import { service, workload } from '../testing/topology.ts';
import type { ConnectionPeers } from './connection-peers.ts';
import { TCP_LABELS, TcpMetrics } from './tcp-metrics.ts';

const client = workload('client-7d9f', {
  workloadName: 'client',
  canonicalName: 'client',
  canonicalRevision: 'v2',
  locality: { region: 'r1', zone: 'z1', subzone: '' },
});
const server = workload('orders-1', { namespace: 'shop', workloadName: 'orders', canonicalName: 'orders' });
const peers: ConnectionPeers = {
  reporter: 'source',
  source: client,
  sourceIdentity: 'spiffe://cluster.local/ns/default/sa/client',
  destination: server,
  destinationIdentity: 'spiffe://cluster.local/ns/shop/sa/orders',
  service: service('orders', { namespace: 'shop' }),
  security: 'mutual_tls',
};

function labelsOf(metrics: MetricSet, family: string): Record<string, string>[] {
  const found = metrics.snapshot().find(f => f.name === family);
  return (found?.series ?? []).map(s =>
    Object.fromEntries(s.labelValues.map((value, i) => [TCP_LABELS[i] ?? '', value])),
  );
}

test('the labels of a connection, golden', t => {
  const metrics = new MetricSet();
  new TcpMetrics(metrics).cells(peers).opened.value++;
  t.strictSame(labelsOf(metrics, 'istio_tcp_connections_opened_total'), [
    {
      reporter: 'source',
      source_workload: 'client',
      source_canonical_service: 'client',
      source_canonical_revision: 'v2',
      source_workload_namespace: 'default',
      source_principal: 'spiffe://cluster.local/ns/default/sa/client',
      source_app: 'client',
      source_version: 'v2',
      source_cluster: 'Kubernetes',
      source_region: 'r1',
      source_zone: 'z1',
      destination_workload: 'orders',
      destination_canonical_service: 'orders',
      destination_canonical_revision: 'latest',
      destination_workload_namespace: 'shop',
      destination_principal: 'spiffe://cluster.local/ns/shop/sa/orders',
      destination_app: 'orders',
      destination_version: 'latest',
      destination_cluster: 'Kubernetes',
      destination_region: 'unknown',
      destination_zone: 'unknown',
      destination_service: 'orders.shop.svc.cluster.local',
      destination_service_name: 'orders',
      destination_service_namespace: 'shop',
      request_protocol: 'tcp',
      response_flags: '-',
      connection_security_policy: 'mutual_tls',
    },
  ]);
  t.end();
});

test('what is not known is "unknown"', t => {
  const metrics = new MetricSet();
  const nobody = {
    source: undefined,
    sourceIdentity: undefined,
    destination: undefined,
    destinationIdentity: undefined,
    service: undefined,
  };
  new TcpMetrics(metrics).countFailure({ ...peers, ...nobody, security: 'unknown' }, 'CONNECT');
  const [labels = {}] = labelsOf(metrics, 'istio_tcp_connections_failed_total');
  const known = Object.entries(labels).filter(([, value]) => value !== 'unknown');
  t.strictSame(known, [
    ['reporter', 'source'],
    ['request_protocol', 'tcp'],
    ['response_flags', 'CONNECT'],
  ]);
  t.end();
});

test('the same peers get the same cells, without looking labels up again; others get others', t => {
  const metrics = new MetricSet();
  const tcp = new TcpMetrics(metrics);
  const first = tcp.cells(peers);
  t.equal(tcp.cells({ ...peers }), first);
  t.not(tcp.cells({ ...peers, security: 'unknown' }), first);
  t.not(tcp.cells({ ...peers, sourceIdentity: 'spiffe://cluster.local/ns/default/sa/waypoint' }), first);
  const renamed = { ...server, canonicalRevision: 'v9' };
  t.not(tcp.cells({ ...peers, destination: renamed }), first, 'an updated workload gets its new labels');
  t.end();
});

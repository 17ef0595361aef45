import { test } from 'tap';
import { MetricSet } from '#shared/observability/metric-set.ts';
import { service, workload } from '#shared/testing/topology.ts';
import { RequestMetrics } from './request-metrics.ts';

const PEERS = { source: workload('client'), sourceIdentity: 'spiffe://cluster.local/ns/default/sa/client' };

test('a status that gRPC does not know makes one series, however many an upstream invents', t => {
  const metrics = new MetricSet();
  const pair = new RequestMetrics(metrics).pair(PEERS, service('echo'), workload('echo-1'));
  const cells = new Set(Array.from({ length: 1_000 }, (_, i) => pair.get(true, 200, '-', `odd-${i}`)));
  t.equal(cells.size, 1);
  t.not(pair.get(true, 200, '-', '0'), pair.get(true, 200, '-', '14'));
  const requests = metrics.snapshot().find(({ name }) => name === 'istio_requests_total');
  const at = requests?.labels.indexOf('grpc_response_status') ?? -1;
  t.same(
    requests?.series.map(({ labelValues }) => labelValues[at]),
    ['other', '0', '14'],
  );
  t.end();
});

test('a service may switch a metric off, and say other values for labels', t => {
  const metrics = new MetricSet();
  const family = new RequestMetrics(metrics);
  const labels = [
    { name: 'source_principal', value: '' },
    { name: 'destination_version', value: 'v0' },
  ];
  const overrides = [
    { metric: 'duration' as const, disabled: true, labels: [] },
    { metric: 'requests' as const, disabled: false, labels },
  ];
  const pair = family.pair(PEERS, service('echo'), workload('echo-1'), overrides);
  const cells = pair.get(false, 200, '-', '');
  cells.requests.value++;
  cells.durationMs.observe(5);
  cells.requestBytes.observe(5);
  const seriesOf = (name: string) => {
    const found = metrics.snapshot().find(candidate => candidate.name === name);
    const at = (label: string): number => found?.labels.indexOf(label) ?? -1;
    return found?.series.map(({ labelValues }) => [
      labelValues[at('source_principal')],
      labelValues[at('destination_version')],
    ]);
  };
  t.same(seriesOf('istio_requests_total'), [['', 'v0']]);
  t.same(seriesOf('istio_request_duration_milliseconds'), [], 'none of what is switched off');
  t.match(seriesOf('istio_request_bytes'), [[/^spiffe:/, String]], 'others are as they were');
  t.not(family.pair(PEERS, service('echo'), workload('echo-1')), pair);
  t.end();
});

test('messages are counted for gRPC alone', t => {
  const pair = new RequestMetrics(new MetricSet()).pair(PEERS, service('echo'), undefined);
  t.ok(pair.get(true, 200, '-', '0').messages);
  t.equal(pair.get(false, 200, '-', '').messages, undefined);
  t.end();
});

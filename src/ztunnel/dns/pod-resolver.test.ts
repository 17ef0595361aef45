import { test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { createTestEngine } from '#shared/testing/engine.ts';
import { mesh } from '#shared/testing/topology.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { MetricSet } from '#shared/observability/metric-set.ts';
import { testSettings } from '../testing/settings.ts';
import { createDnsMetrics } from './dns-metrics.ts';
import { PodResolver } from './pod-resolver.ts';
import { encodeQuery } from './testing/messages.ts';
import { UnderWay } from './under-way.ts';

test('a fault of our own is logged, and is not the end of the proxy', async t => {
  const clock = new FakeClock();
  const lines: string[] = [];
  const context = {
    view: mesh({}),
    isCurrent: () => true,
    engine: createTestEngine({ clock }),
    clock,
    random: () => 0,
    settings: testSettings,
    metrics: createDnsMetrics(new MetricSet()),
    logger: loggerInto(lines, { scope: 'dns' }),
    underWay: new UnderWay(),
    ownServers: [],
  };
  const info = { uid: 'u', name: 'client', namespace: 'default', serviceAccount: 'client', ips: [] };
  const resolver = new PodResolver(context, info, -1);
  await resolver.handle({
    bytes: encodeQuery({ name: 'far.example' }),
    transport: 'udp',
    askedServer: () => {
      throw new Error('broken');
    },
    reply: () => t.fail('there is no answer'),
  });
  t.match(lines, [/error\tdns\t.*dns query failed\tpod="client" error="broken"/]);
  t.equal(context.underWay.total, 0);
});

import { test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { createTestEngine } from '#shared/testing/engine.ts';
import { mesh } from '#shared/testing/topology.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { MetricSet } from '#shared/observability/metric-set.ts';
import { testSettings } from '../testing/settings.ts';
import { ResponseCode } from './answer.ts';
import { createDnsMetrics } from './dns-metrics.ts';
import { PodResolver } from './pod-resolver.ts';
import { encodeQuery } from './testing/messages.ts';
import { UnderWay } from './under-way.ts';

function setup(isKnown = true) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const context = {
    view: mesh({}),
    isKnown: () => isKnown,
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
  return { lines, context, resolver: new PodResolver(context, info, -1) };
}

test('a fault of our own is logged, and is not the end of the proxy', async t => {
  const { lines, context, resolver } = setup();
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

test('before the mesh is known nobody is asked: the answer could be that there is no such name', async t => {
  const { resolver } = setup(false);
  const codes: number[] = [];
  for (const name of ['orders.shop.svc.cluster.local', 'far.example'])
    await resolver.handle({
      bytes: encodeQuery({ name }),
      transport: 'udp',
      askedServer: () => {
        throw new Error('nobody is to be asked');
      },
      reply: answer => codes.push((answer[3] ?? 0) & 0xf),
    });
  t.same(codes, [ResponseCode.serverFailure, ResponseCode.serverFailure]);
});

import { test } from 'tap';
import { testEngineName } from '#shared/testing/engine.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { MetricSet } from '#shared/observability/metric-set.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { FakeWorkers } from '#shared/testing/fake-workers.ts';
import { delta, mesh, workload } from '#shared/testing/topology.ts';
import type { WorkloadAssignment, ZtunnelProtocol } from './messages.ts';
import { countMemory } from '../connections/shared-count.ts';
import { testSettings } from '../testing/settings.ts';
import { WorkerPool } from './worker-pool.ts';

const noListeners = { outbound: [], inboundPlaintext: [], inboundHbone: [], socks5: [] };
const pod: WorkloadAssignment = {
  info: { uid: 'u-1', name: 'p', namespace: 'default', serviceAccount: 'p', ips: ['10.0.0.1'] },
  netnsFd: undefined,
  listeners: noListeners,
};
const material = { certChainPem: 'c', privateKeyPem: 'k', trustBundlePem: 't' };

function setup(count = 2) {
  const clock = new FakeClock();
  const metrics = new MetricSet();
  const workers = new FakeWorkers<ZtunnelProtocol>();
  const pool = new WorkerPool({
    count,
    spawn: workers.spawn,
    init: {
      settings: {
        ...testSettings,
        connections: { ...testSettings.connections, threads: count, used: countMemory(count, 1) },
      },
      log: { format: 'text', level: 'info', scopes: {} },
      engine: testEngineName(),
    },
    wholeMesh: () => mesh({ workloads: [workload('known')] }).toDelta(),
    clock,
    random: () => 0.5,
    logger: quietLogger,
    metrics,
  });
  const restarts = (): number => metrics.snapshot()[0]?.series[0]?.value ?? 0;
  return {
    clock,
    pool,
    restarts,
    threads: workers.threads,
    thread: workers.thread.bind(workers),
    kinds: workers.kinds.bind(workers),
    answer: workers.answer.bind(workers),
    start: () => workers.start(pool),
  };
}

test('a worker that is ready is told the whole mesh, and then each change', async t => {
  const { pool, start, thread, kinds } = setup();
  await start();
  t.strictSame(kinds(0), ['delta']);
  pool.sendDelta(delta({ workloads: [workload('new')] }));
  pool.setCertificate('spiffe://cluster.local/ns/default/sa/p', material);
  t.strictSame(kinds(1), ['delta', 'delta', 'certificate']);
  t.match(thread(0).received[0], { delta: { workloads: [{ name: 'known' }] } });
});

test('a workload is enrolled when every worker accepts for it', async t => {
  const { pool, start, answer } = setup();
  await start();
  let enrolled = false;
  const done = pool.enrol(pod).then(() => (enrolled = true));
  answer(0, 'enrol');
  await Promise.resolve();
  t.notOk(enrolled);
  answer(1, 'enrol');
  await done;
  t.ok(enrolled);
});

test('one worker that cannot accept is not the end; none is', async t => {
  const { pool, start, answer } = setup();
  await start();
  const some = pool.enrol(pod);
  answer(0, 'enrol', 'EBADF');
  answer(1, 'enrol');
  await some;
  const none = pool.enrol(pod);
  answer(0, 'enrol', 'EBADF');
  answer(1, 'enrol', 'EBADF');
  await t.rejects(none, { message: /no worker can accept for default\/p: .*EBADF/ });
});

test('a worker that crashes is started again with backoff, told everything, and counted', async t => {
  const { pool, start, threads, thread, kinds, answer, clock, restarts } = setup();
  await start();
  const enrolled = pool.enrol(pod);
  answer(0, 'enrol');
  answer(1, 'enrol');
  await enrolled;
  pool.setCertificate('spiffe://cluster.local/ns/default/sa/p', material);
  pool.setLogLevel('debug', undefined);
  thread(0).events.onExit('out of memory');
  t.equal(restarts(), 1);
  t.equal(pool.readyWorkers, 1);
  t.equal(threads.length, 2, 'not at once');
  clock.advance(50);
  t.equal(threads.length, 3);
  t.strictSame(kinds(2), [], 'nothing before it is ready');
  thread(2).say({ kind: 'ready' });
  t.strictSame(kinds(2), ['log_level', 'delta', 'certificate', 'enrol']);
  t.equal(pool.readyWorkers, 2);
  thread(2).events.onExit('again');
  clock.advance(50);
  t.equal(threads.length, 3, 'the second time it takes longer');
  clock.advance(50);
  t.equal(threads.length, 4);
});

test('leaving does not hang on a worker that hangs', async t => {
  const { pool, start, clock } = setup(1);
  await start();
  const left = pool.leave('u-1', 1_000);
  clock.advance(3_000);
  await left;
  t.pass();
});

test('that the mesh is known is said behind all of it, however much of it waits for the worker', async t => {
  const { pool, start, thread, kinds, clock } = setup(1);
  await start();
  for (let i = 0; i < 6; i++) pool.sendDelta(delta({ workloads: [workload(`w${i}`)] }));
  pool.meshKnown();
  t.same(kinds(0), ['delta', 'delta', 'delta', 'delta'], 'the rest is held until it has taken some');
  thread(0).say({ kind: 'applied' });
  t.same(kinds(0).slice(4), ['delta', 'mesh_known']);
  thread(0).events.onExit('out of memory');
  clock.advance(50);
  thread(1).say({ kind: 'ready' });
  t.same(kinds(1), ['delta', 'mesh_known'], 'one that is started again hears of it too');
});

import { test } from 'tap';
import { testEngineName } from '#shared/testing/engine.ts';
import { createLogger, LogLevels } from '#shared/observability/logger.ts';
import { MetricSet } from '#shared/observability/metric-set.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { EMPTY_DELTA } from '#shared/workload/mesh-view.ts';
import { workerThreads } from '#shared/workers/worker-link.ts';
import { testSettings } from '../testing/settings.ts';
import { WorkerPool } from './worker-pool.ts';

test('a thread that ends is started again after a while, and counted', async t => {
  const clock = new FakeClock();
  const metrics = new MetricSet();
  let crashed = Promise.withResolvers<string>();
  const pool = new WorkerPool({
    count: 1,
    spawn: workerThreads({
      entry: new URL('data:text/javascript,process.exit(3)'),
      maxHeapMb: 64,
      youngGenerationMb: 4,
    }),
    init: {
      settings: testSettings,
      log: { format: 'text', level: 'error', scopes: {} },
      engine: testEngineName(),
    },
    wholeMesh: () => EMPTY_DELTA,
    clock,
    random: () => 0.5,
    logger: createLogger({
      scope: 'test',
      levels: new LogLevels('error'),
      format: 'text',
      writer: { writeLine: line => crashed.resolve(line) },
      now: () => 0,
    }),
    metrics,
    onSpans: () => undefined,
  });
  t.teardown(() => pool.stop());
  const restarts = (): unknown => metrics.snapshot().map(({ name, series }) => [name, series[0]?.value]);
  t.same(restarts(), [['ambient_worker_restarts_total', 0]]);
  void pool.start();
  t.match(await crashed.promise, /reason="exit code 3"/);
  t.same(restarts(), [['ambient_worker_restarts_total', 1]]);
  crashed = Promise.withResolvers();
  clock.advance(50);
  await crashed.promise;
  t.same(restarts(), [['ambient_worker_restarts_total', 2]]);
});

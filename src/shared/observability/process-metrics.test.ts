import { totalmem } from 'node:os';
import { test } from 'tap';
import { VERSION } from '../config/version.ts';
import { Readiness } from '../lifecycle/readiness.ts';
import { seriesOf } from '../testing/series.ts';
import { MetricSet } from './metric-set.ts';
import { registerProcess } from './process-metrics.ts';

test('a process says which it is, and whether it is ready now', t => {
  const metrics = new MetricSet();
  const readiness = new Readiness();
  const done = readiness.register('configuration');
  const update = registerProcess(metrics, 'ztunnel', readiness);
  update();
  t.same(seriesOf(metrics.snapshot(), 'istio_build'), { [`ztunnel ${VERSION}`]: 1 });
  t.same(seriesOf(metrics.snapshot(), 'ambient_ready'), { '': 0 });
  const { '': limit = 0 } = seriesOf(metrics.snapshot(), 'ambient_memory_limit_bytes');
  t.ok(limit > 0 && limit <= totalmem(), `${limit}`);
  done();
  update();
  t.same(seriesOf(metrics.snapshot(), 'ambient_ready'), { '': 1 });
  readiness.register('drain');
  update();
  t.same(seriesOf(metrics.snapshot(), 'ambient_ready'), { '': 0 }, 'no longer');
  t.end();
});

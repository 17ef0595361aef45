import { test } from 'tap';
import { MetricSet } from './metric-set.ts';
import { createMetricsExposition } from './metrics.ts';

function thread(opened: number, durations: readonly number[]): MetricSet {
  const set = new MetricSet();
  const counter = set.counter({ name: 'opened_total', help: 'Opened.', labels: ['reporter'] });
  counter.cell(['source']).value += opened;
  const histogram = set.histogram({ name: 'duration_ms', help: 'Duration.', labels: [], buckets: [1, 10] });
  for (const d of durations) histogram.cell([]).observe(d);
  return set;
}

test('the same series of several threads are added up', async t => {
  const text = await createMetricsExposition().render([
    thread(2, [0.5, 5]).snapshot(),
    thread(3, [1, 50]).snapshot(),
  ]);
  t.match(text, /opened_total\{reporter="source"\} 5\n/);
  t.match(text, /duration_ms_bucket\{le="1"\} 2\n/, 'a bound is inclusive');
  t.match(text, /duration_ms_bucket\{le="10"\} 3\n/, 'buckets are cumulative');
  t.match(text, /duration_ms_bucket\{le="\+Inf"\} 4\n/);
  t.match(text, /duration_ms_count 4\n/);
  t.match(text, /duration_ms_sum 56.5\n/);
  t.match(text, /process_open_fds/);
});

test('series beyond the bound share one whose labels are "other", and are counted', async t => {
  const set = new MetricSet();
  const counter = set.counter({ name: 'c_total', help: 'C.', labels: ['host'], maxSeries: 2 });
  for (const host of ['a', 'b', 'c', 'd']) counter.cell([host]).value++;
  const text = await createMetricsExposition().render([set.snapshot()]);
  t.match(text, /c_total\{host="other"\} 2\n/);
  t.match(text, /ambient_metric_series_overflow_total\{metric="c_total"\} 2\n/);
});

test('a cell asked for with the wrong number of labels is a programming error', t => {
  const set = new MetricSet();
  t.throws(() => set.counter({ name: 'c', help: '', labels: ['a'] }).cell([]), /takes 1 labels, not 0/);
  t.end();
});

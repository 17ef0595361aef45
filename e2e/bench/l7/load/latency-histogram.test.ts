import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '#shared/testing/fuzz-run.ts';
import { percentilesMs } from '../h2load.ts';
import { LatencyHistogram } from './latency-histogram.ts';

function histogramOf(values: readonly number[]): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

test('percentiles are those of the sorted values, to within a 128th', async t => {
  const latency = fc.oneof(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.double({ min: 0, max: 100, noNaN: true }),
    fc.double({ min: 0, max: 100_000, noNaN: true }),
  );
  const shares = [0, 0.5, 0.9, 0.99, 1];
  fc.assert(
    fc.property(fc.array(latency, { minLength: 1, maxLength: 300 }), values => {
      const histogram = histogramOf(values);
      const exact = percentilesMs(
        values.map(ms => ms * 1000),
        shares,
      );
      for (const [i, share] of shares.entries()) {
        const [found, expected] = [histogram.percentileMs(share), exact[i] ?? Number.NaN];
        // Half a tenth of a microsecond, by which a value is rounded, and half of a bucket.
        if (!(Math.abs(found - expected) <= 0.000_05 + expected / 256))
          throw new Error(`${found} instead of ${expected} at ${share}`);
      }
    }),
    fuzzRun(1),
  );
  t.pass('held for all values tried');
});

test('values at the borders of buckets, and beyond the last one', async t => {
  const one = (ms: number): number => histogramOf([ms]).percentileMs(0.5);
  t.equal(one(0), 0);
  t.equal(one(0.0127), 0.0127, 'told to the tenth of a microsecond');
  t.equal(one(0.0128), 0.0128);
  t.equal(one(-1), 0, 'a clock that went back');
  t.ok(one(1e9) > 400_000, 'seven minutes stand for everything that is longer');
  t.same(new LatencyHistogram().percentileMs(0.5), Number.NaN, 'nothing was recorded');
  t.equal(histogramOf([1, 2, 3]).total, 3);
});

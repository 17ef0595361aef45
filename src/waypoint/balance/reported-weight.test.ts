import { test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { completeWeights, ReportedWeight, weightOf } from './reported-weight.ts';

const REPORTS = {
  stabilizationMs: 10_000,
  expirationMs: 180_000,
  updateMs: 1_000,
  errorPenalty: 0,
  metrics: [] as readonly string[],
};

const CASES: readonly [string, Record<string, number>, Partial<typeof REPORTS>, number | undefined][] = [
  [
    'by what the application says',
    { rps_fractional: 100, application_utilization: 0.5, cpu_utilization: 0.9 },
    {},
    200,
  ],
  ['by the processor where it says nothing', { rps_fractional: 90, cpu_utilization: 0.9 }, {}, 100],
  ['without requests a second there is nothing to go by', { cpu_utilization: 0.9 }, {}, undefined],
  ['nor without utilization', { rps_fractional: 100, mem_utilization: 0.9 }, {}, undefined],
  ['errors count as nothing', { rps_fractional: 100, eps: 50, cpu_utilization: 0.5 }, {}, 200],
  ['unless they are to', { rps_fractional: 100, eps: 50, cpu_utilization: 0.5 }, { errorPenalty: 1 }, 100],
  ['errors alone are utilization', { rps_fractional: 100, eps: 50 }, { errorPenalty: 1 }, 200],
  [
    'the largest of the metrics that are named',
    { rps_fractional: 100, mem_utilization: 0.5, 'named_metrics.queue': 2, application_utilization: 4 },
    { metrics: ['mem_utilization', 'named_metrics.queue'] },
    50,
  ],
  [
    'all of a kind',
    { rps_fractional: 100, 'utilization.a': 0.1, 'utilization.b': 0.25, 'named_metrics.c': 9 },
    { metrics: ['utilization.*'] },
    400,
  ],
  [
    'where none of them is there, as without them',
    { rps_fractional: 100, application_utilization: 0.5 },
    { metrics: ['named_metrics.queue'] },
    200,
  ],
  ['never nothing', { rps_fractional: 1e-9, cpu_utilization: 1e9 }, {}, 0.001],
  ['never without end', { rps_fractional: 1e300, cpu_utilization: 1e-300 }, {}, 2 ** 32 - 1],
];

test('the weight of a report', t => {
  for (const [name, report, reports, expected] of CASES)
    t.equal(weightOf(new Map(Object.entries(report)), { ...REPORTS, ...reports }), expected, name);
  t.end();
});

test('reports count when there have been some for long enough, and not when they have ceased', t => {
  const clock = new FakeClock();
  const reported = new ReportedWeight(clock, REPORTS);
  const report = (perSecond: number): void =>
    reported.observe(['endpoint-load-metrics', `TEXT rps_fractional=${perSecond},cpu_utilization=1`]);
  t.equal(reported.current, undefined, 'none yet');
  report(5);
  t.equal(reported.current, undefined, 'not for long enough');
  clock.advance(9_999);
  report(7);
  t.equal(reported.current, undefined);
  clock.advance(1);
  t.equal(reported.current, 7, 'the newest');
  reported.observe(['endpoint-load-metrics', 'TEXT cpu_utilization=1']);
  reported.observe(['content-type', 'text/plain']);
  t.equal(reported.current, 7, 'a report that says too little changes nothing');
  clock.advance(179_999);
  t.equal(reported.current, 7);
  clock.advance(2);
  t.equal(reported.current, undefined, 'expired');
  report(9);
  t.equal(reported.current, undefined, 'and begins anew');
  clock.advance(10_000);
  t.equal(reported.current, 9);
  t.end();
});

test('who has no weight gets the median of the others, and all get the same where none has', t => {
  const rows: readonly [readonly (number | undefined)[], readonly number[]][] = [
    [[], []],
    [
      [undefined, undefined],
      [1, 1],
    ],
    [
      [4, undefined],
      [4, 4],
    ],
    [
      [1, 100, 7, undefined],
      [1, 100, 7, 7],
    ],
    [
      [10, 2, 4, 100, undefined],
      [10, 2, 4, 100, 7],
    ],
  ];
  for (const [known, expected] of rows) t.same(completeWeights(known), expected);
  t.end();
});

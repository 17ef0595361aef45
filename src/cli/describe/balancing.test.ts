import { test } from 'tap';
import type { LoadBalancer } from '#shared/route/traffic-policy.ts';
import { balancingFacts } from './balancing.ts';

const REPORTS = { stabilizationMs: 0, expirationMs: 1, updateMs: 1_000, errorPenalty: 0, metrics: [] };

const CASES: readonly [LoadBalancer, string][] = [
  [{ kind: 'round_robin' }, 'round_robin'],
  [{ kind: 'peak_ewma', penalty: undefined }, 'peak_ewma'],
  [
    { kind: 'peak_ewma', penalty: { penaltyMs: 2_500, maxRetryAfterMs: 0 } },
    'peak_ewma, a failure counts as 2.5 s at least',
  ],
  [
    { kind: 'backend_utilization', reports: REPORTS },
    'backend_utilization, by what endpoints report: application or cpu utilization, every 1 s',
  ],
  [
    {
      kind: 'backend_utilization',
      reports: { ...REPORTS, updateMs: 250, metrics: ['named_metrics.a', 'eps'] },
    },
    'backend_utilization, by what endpoints report: the largest of named_metrics.a, eps, every 0.25 s',
  ],
];

test('how requests are spread is told where something says so', t => {
  for (const [loadBalancer, value] of CASES)
    t.same(balancingFacts({ trafficPolicy: { loadBalancer } }), [{ name: 'balancing', value }]);
  t.same(balancingFacts({ trafficPolicy: {} }), []);
  t.same(balancingFacts(undefined), []);
  t.end();
});

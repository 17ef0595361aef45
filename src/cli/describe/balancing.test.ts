import { test } from 'tap';
import type { LoadBalancer } from '#shared/route/traffic-policy.ts';
import { balancingFacts } from './balancing.ts';

const CASES: readonly [LoadBalancer, string][] = [
  [{ kind: 'round_robin' }, 'round_robin'],
  [{ kind: 'peak_ewma', penalty: undefined }, 'peak_ewma'],
  [
    { kind: 'peak_ewma', penalty: { penaltyMs: 2_500, maxRetryAfterMs: 0 } },
    'peak_ewma, a failure counts as 2.5 s at least',
  ],
];

test('how requests are spread is told where something says so', t => {
  for (const [loadBalancer, value] of CASES)
    t.same(balancingFacts({ trafficPolicy: { loadBalancer } }), [{ name: 'balancing', value }]);
  t.same(balancingFacts({ trafficPolicy: {} }), []);
  t.same(balancingFacts(undefined), []);
  t.end();
});

import { test } from 'tap';
import { kubeObject } from '../golden-pairs.ts';
import { translateBackendTrafficPolicy } from './backend-traffic-policy.ts';

const TARGET = { group: '', kind: 'Service', name: 'orders' };
const policy = (retryConstraint?: object): object => ({ targetRefs: [TARGET], retryConstraint });

const BUDGETS: readonly [string, object | undefined, object | undefined][] = [
  ['none', undefined, undefined],
  ['the defaults', {}, { ratio: 0.2, minPerSecond: 10, ttlMs: 10_000 }],
  [
    'a share and an interval',
    { budget: { percent: 50, interval: '1m' } },
    { ratio: 0.5, minPerSecond: 10, ttlMs: 60_000 },
  ],
  [
    'a floor',
    { minRetryRate: { count: 30, interval: '1m' } },
    { ratio: 0.2, minPerSecond: 0.5, ttlMs: 10_000 },
  ],
];

test('the budget of retries', async t => {
  for (const [name, constraint, retryBudget] of BUDGETS) {
    const result = translateBackendTrafficPolicy(kubeObject('XBackendTrafficPolicy', policy(constraint)));
    t.same(result.ok && result.value, { services: ['orders'], retryBudget }, name);
  }
});

const REJECTED: readonly [string, object, string][] = [
  ['a misspelt field', { targetRef: [] }, 'spec.targetRef'],
  ['over 100 %', policy({ budget: { percent: 101 } }), 'spec.retryConstraint.budget.percent'],
  [
    'an interval under a second',
    policy({ budget: { interval: '10ms' } }),
    'spec.retryConstraint.budget.interval',
  ],
  [
    'an interval over an hour',
    policy({ minRetryRate: { interval: '2h' } }),
    'spec.retryConstraint.minRetryRate.interval',
  ],
];

test('a wrong XBackendTrafficPolicy is rejected with the field that is wrong', async t => {
  for (const [name, spec, field] of REJECTED) {
    const result = translateBackendTrafficPolicy(kubeObject('XBackendTrafficPolicy', spec));
    t.equal(result.ok, false, name);
    t.match(result.diagnostics[0], { field, fix: /./ }, name);
  }
});

test('a target that is no Service is passed over, and said so', async t => {
  const object = kubeObject('XBackendTrafficPolicy', { targetRefs: [{ ...TARGET, kind: 'Bucket' }] });
  t.match(translateBackendTrafficPolicy(object), {
    ok: true,
    value: { services: [] },
    diagnostics: [{ field: 'spec.targetRefs[0].kind' }],
  });
});

import { test } from 'tap';
import { goldenPairs, kubeObject } from '../../testing/golden-pairs.ts';
import { translateBackendTrafficPolicy } from './backend-traffic-policy.ts';

const TARGET = { group: '', kind: 'Service', name: 'orders' };
const policy = (retryConstraint?: object): object => ({ targetRefs: [TARGET], retryConstraint });

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(translateBackendTrafficPolicy),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

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
    t.same(result.ok && result.value, { services: ['orders'], retryBudget, session: undefined }, name);
  }
});

const session = (sessionPersistence: object): object => ({ targetRefs: [TARGET], sessionPersistence });

const REJECTED: readonly [string, object, string][] = [
  ['no target', {}, 'spec.targetRefs'],
  ['a misspelt field', { targetRefs: [TARGET], retry: {} }, 'spec.retry'],
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
  ['an unknown kind of session', session({ type: 'Query' }), 'spec.sessionPersistence.type'],
  ['a session name that is no token', session({ sessionName: 'a b' }), 'spec.sessionPersistence.sessionName'],
  [
    'a session name that is too long',
    session({ sessionName: 'a'.repeat(129) }),
    'spec.sessionPersistence.sessionName',
  ],
  ['a session of no time', session({ absoluteTimeout: '0s' }), 'spec.sessionPersistence.absoluteTimeout'],
  [
    'a permanent cookie without a time',
    session({ cookieConfig: { lifetimeType: 'Permanent' } }),
    'spec.sessionPersistence.absoluteTimeout',
  ],
  [
    'settings of a cookie for a header',
    session({ type: 'Header', cookieConfig: {} }),
    'spec.sessionPersistence.cookieConfig',
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

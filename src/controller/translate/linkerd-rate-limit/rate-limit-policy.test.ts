import { test } from 'tap';
import { goldenPairs, kubeObject } from '../../testing/golden-pairs.ts';
import { translateRateLimitPolicy } from './rate-limit-policy.ts';

const CONTEXT = { trustDomain: 'cluster.local' };

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(object => translateRateLimitPolicy(object, CONTEXT)),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const TARGET = { group: 'policy.linkerd.io', kind: 'Server', name: 'web' };
const total = { requestsPerSecond: 10 };
const override = (fields: object): object => ({
  targetRef: TARGET,
  total,
  overrides: [{ requestsPerSecond: 5, ...fields }],
});
const clients = (fields: object): object => override({ clientRefs: [fields] });
const CLIENT = 'spec.overrides[0].clientRefs[0]';

const REJECTED: readonly [string, object, string, RegExp][] = [
  ['a misspelt field', { targetRef: TARGET, totals: total }, 'spec.totals', /no field of this object/],
  ['no target', { total }, 'spec.targetRef', /is required/],
  [
    'a target that is no Server',
    { targetRef: { kind: 'Service', name: 'web' }, total },
    'spec.targetRef.kind',
    /no target of such a policy/,
  ],
  [
    'a Server of another group',
    { targetRef: { kind: 'Server', name: 'web' }, total },
    'spec.targetRef.kind',
    /no target of such a policy/,
  ],
  ['a rate of none', { targetRef: TARGET, total: {} }, 'spec.total.requestsPerSecond', /is required/],
  [
    'a rate of zero',
    { targetRef: TARGET, total: { requestsPerSecond: 0 } },
    'spec.total.requestsPerSecond',
    /whole number from 1/,
  ],
  [
    'a client may do more than all',
    { targetRef: TARGET, total, identity: { requestsPerSecond: 11 } },
    'spec.identity.requestsPerSecond',
    /more than the 10 of total/,
  ],
  [
    'an override of more than all',
    override({ requestsPerSecond: 11, clientRefs: [{ kind: 'ServiceAccount', name: 'a' }] }),
    'spec.overrides[0].requestsPerSecond',
    /more than the 10 of total/,
  ],
  ['an override for nobody', override({}), 'spec.overrides[0].clientRefs', /is required/],
  ['a client that is no account', clients({ kind: 'Pod', name: 'a' }), `${CLIENT}.kind`, /no client/],
  ['a client without a name', clients({ kind: 'ServiceAccount' }), `${CLIENT}.name`, /is required/],
];

test('a wrong HTTPLocalRateLimitPolicy is rejected with the field that is wrong', async t => {
  for (const [name, spec, field, message] of REJECTED) {
    const result = translateRateLimitPolicy(kubeObject('HTTPLocalRateLimitPolicy', spec), CONTEXT);
    t.equal(result.ok, false, name);
    const rejected = result.diagnostics.find(one => one.severity === 'rejected');
    t.match(rejected, { field, message, fix: /./ }, name);
  }
});

test('a policy that limits nothing is said to', async t => {
  const result = translateRateLimitPolicy(
    kubeObject('HTTPLocalRateLimitPolicy', { targetRef: TARGET }),
    CONTEXT,
  );
  t.match(result, { ok: true, diagnostics: [{ field: 'spec.total', message: /nothing is limited/ }] });
});

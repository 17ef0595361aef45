import { test } from 'tap';
import { selectsLabels } from '#shared/kube/label-selector.ts';
import type { Translated } from '../diagnostic.ts';
import { goldenPairs, kubeObject } from '../../testing/golden-pairs.ts';
import { translateRateLimitPolicy } from './rate-limit-policy.ts';
import { translateServer } from './server.ts';

const CONTEXT = { trustDomain: 'cluster.local' };

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(
      (object): Translated<unknown> =>
        object.kind === 'Server' ? translateServer(object) : translateRateLimitPolicy(object, CONTEXT),
    ),
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

const WRONG_SERVERS: readonly [string, object, string, RegExp][] = [
  ['a Server for nobody', { port: 80 }, 'spec.podSelector', /is required/],
  ['a Server without a port', { podSelector: {} }, 'spec.port', /is required/],
  ['a port above all', { podSelector: {}, port: 70_000 }, 'spec.port', /whole number from 1 to 65535/],
  [
    'an operator nobody knows',
    { port: 80, podSelector: { matchExpressions: [{ key: 'a', operator: 'Is' }] } },
    'spec.podSelector.matchExpressions[0].operator',
    /not one of/,
  ],
  [
    'values of none',
    { port: 80, podSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } },
    'spec.podSelector.matchExpressions[0].values',
    /is required with In/,
  ],
  [
    'values that mean nothing',
    { port: 80, podSelector: { matchExpressions: [{ key: 'a', operator: 'Exists', values: ['b'] }] } },
    'spec.podSelector.matchExpressions[0].values',
    /In and NotIn only/,
  ],
];

test('a wrong Server is rejected with the field that is wrong', async t => {
  for (const [name, spec, field, message] of WRONG_SERVERS) {
    const result = translateServer(kubeObject('Server', spec));
    t.equal(result.ok, false, name);
    const rejected = result.diagnostics.find(one => one.severity === 'rejected');
    t.match(rejected, { field, message, fix: /./ }, name);
  }
});

test('what a Server says of access is not held, and said so', async t => {
  const said = (spec: object): unknown =>
    translateServer(kubeObject('Server', { podSelector: {}, port: 80, ...spec })).diagnostics;
  t.match(said({}), [
    { field: 'spec.accessPolicy', message: /nobody is denied by it, although its default is deny/ },
  ]);
  t.match(said({ accessPolicy: 'deny' }), [{ field: 'spec.accessPolicy', message: /not held here/ }]);
  t.same(said({ accessPolicy: 'all-unauthenticated' }), []);
});

const SELECTED: readonly [string, object, Record<string, string>, boolean][] = [
  ['an empty selector selects all', {}, {}, true],
  ['a label', { matchLabels: { a: 'x' } }, { a: 'x', b: 'y' }, true],
  ['another value', { matchLabels: { a: 'x' } }, { a: 'y' }, false],
  ['In', { matchExpressions: [{ key: 'a', operator: 'In', values: ['x', 'y'] }] }, { a: 'y' }, true],
  ['In, without the label', { matchExpressions: [{ key: 'a', operator: 'In', values: ['x'] }] }, {}, false],
  ['NotIn', { matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['x'] }] }, { a: 'x' }, false],
  [
    'NotIn, without the label',
    { matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['x'] }] },
    {},
    true,
  ],
  ['Exists', { matchExpressions: [{ key: 'a', operator: 'Exists' }] }, { a: '' }, true],
  ['DoesNotExist', { matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] }, { a: '' }, false],
  [
    'all must agree',
    { matchLabels: { a: 'x' }, matchExpressions: [{ key: 'b', operator: 'Exists' }] },
    { a: 'x' },
    false,
  ],
  ['no label is inherited', { matchExpressions: [{ key: 'toString', operator: 'Exists' }] }, {}, false],
];

test('label selectors', async t => {
  for (const [name, podSelector, labels, expected] of SELECTED) {
    const result = translateServer(kubeObject('Server', { podSelector, port: 80 }));
    const pods = result.ok ? result.value.pods : undefined;
    t.equal(pods && selectsLabels(pods, labels), expected, name);
  }
});

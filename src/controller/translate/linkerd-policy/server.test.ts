import { test } from 'tap';
import { selectsLabels } from '#shared/kube/label-selector.ts';
import { kubeObject } from '../../testing/golden-pairs.ts';
import { closedWhereNeverGood, selectedBy, translateServer } from './server.ts';

const WRONG_SERVERS: readonly [string, object, string, RegExp][] = [
  ['a Server for nobody', { port: 80 }, 'spec.podSelector', /is required/],
  [
    'a Server for pods and machines',
    { podSelector: {}, externalWorkloadSelector: {}, port: 80 },
    'spec.externalWorkloadSelector',
    /cannot be together with podSelector/,
  ],
  [
    'an operator nobody knows, of machines',
    { port: 80, externalWorkloadSelector: { matchExpressions: [{ key: 'a', operator: 'Is' }] } },
    'spec.externalWorkloadSelector.matchExpressions[0].operator',
    /not one of/,
  ],
  ['a Server without a port', { podSelector: {} }, 'spec.port', /is required/],
  [
    'an access policy nobody knows',
    { port: 80, podSelector: {}, accessPolicy: 'all-authentcated' },
    'spec.accessPolicy',
    /not one of the values/,
  ],
  [
    'a protocol nobody knows',
    { port: 80, podSelector: {}, proxyProtocol: 'HTTP' },
    'spec.proxyProtocol',
    /not one of the values/,
  ],
  ['a misspelt field', { port: 80, podSelector: {}, accesPolicy: 'deny' }, 'spec.accesPolicy', /no field/],
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

test('a Server is for machines, or for pods', t => {
  const externalWorkloadSelector = { matchLabels: { a: 'x' } };
  const result = translateServer(kubeObject('Server', { externalWorkloadSelector, port: 80 }));
  t.match(result, { ok: true, value: { pods: undefined }, diagnostics: [] });
  const machines = result.ok ? result.value.machines : undefined;
  t.equal(machines && selectsLabels(machines, { a: 'x' }), true);
  t.equal(machines && selectsLabels(machines, { a: 'y' }), false);
  t.equal(selectedBy({ uid: 'c/workload.linkerd.io/ExternalWorkload/shop/vm' }), 'machines');
  t.equal(selectedBy({ uid: 'c//Pod/shop/vm' }), 'pods');
  t.equal(selectedBy({ uid: 'c/networking.istio.io/WorkloadEntry/shop/vm' }), 'pods');
  t.end();
});

const NEVER_GOOD: readonly [string, object, boolean][] = [
  ['a wrong access policy', { podSelector: {}, port: 80, accessPolicy: 'x' }, true],
  ['a field that is none', { podSelector: {}, port: 80, acess: 'deny' }, true],
  ['a selector that is none', { podSelector: { labels: {} }, port: 80 }, false],
  ['of machines', { externalWorkloadSelector: {}, port: 80, accessPolicy: 'x' }, true],
  ['a selector of machines that is none', { externalWorkloadSelector: { labels: {} }, port: 80 }, false],
  ['no selector', { podSelectr: {}, port: 80 }, false],
  ['a port that is none', { podSelector: {}, port: 0 }, false],
];

test('a Server that was never good closes its port, where that is certain', async t => {
  for (const [name, spec, closes] of NEVER_GOOD) {
    const closed = closedWhereNeverGood(kubeObject('Server', spec));
    t.equal(closed?.access, closes ? 'deny' : undefined, name);
  }
});

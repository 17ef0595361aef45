import { test } from 'tap';
import { goldenPairs, kubeObject } from '../../testing/golden-pairs.ts';
import { grantsService, translateReferenceGrant } from './reference-grant.ts';

const FROM = { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'shop' };
const TO = { group: '', kind: 'Service' };

test('translations by example', async t => {
  const pairs = goldenPairs(new URL('./testdata/', import.meta.url), objects =>
    objects.map(translateReferenceGrant),
  );
  for (const pair of pairs) t.equal(pair.actual, pair.expected, pair.name);
});

const CASES: readonly [string, object, object, boolean][] = [
  ['every Service of the namespace', FROM, TO, true],
  ['the Service that is named', FROM, { ...TO, name: 'ledger' }, true],
  ['an empty name is no name', FROM, { ...TO, name: '' }, true],
  ['another Service', FROM, { ...TO, name: 'audit' }, false],
  ['another kind of target', FROM, { ...TO, kind: 'Secret' }, false],
  ['another group of target', FROM, { ...TO, group: 'x' }, false],
  ['routes of another kind', { ...FROM, kind: 'GRPCRoute' }, TO, false],
  ['routes of another group', { ...FROM, group: '' }, TO, false],
  ['routes of another namespace', { ...FROM, namespace: 'bank' }, TO, false],
];

test('whom a grant lets refer to what', async t => {
  for (const [name, from, to, expected] of CASES) {
    const grant = translateReferenceGrant(kubeObject('ReferenceGrant', { from: [from], to: [to] }));
    const allowed =
      grant.ok && grantsService(grant.value, { kind: 'HTTPRoute', namespace: 'shop' }, 'ledger');
    t.equal(allowed, expected, name);
  }
});

const REJECTED: readonly [string, object, string, RegExp][] = [
  ['a misspelt field', { form: [] }, 'spec.form', /no field of this object/],
  [
    'no namespace',
    { from: [{ ...FROM, namespace: undefined }], to: [TO] },
    'spec.from[0].namespace',
    /is required/,
  ],
  ['no group', { from: [FROM], to: [{ kind: 'Service' }] }, 'spec.to[0].group', /is required/],
  ['no kind', { from: [FROM], to: [{ group: '' }] }, 'spec.to[0].kind', /is required/],
];

test('a wrong ReferenceGrant is rejected with the field that is wrong', async t => {
  for (const [name, spec, field, message] of REJECTED) {
    const result = translateReferenceGrant(kubeObject('ReferenceGrant', spec));
    t.equal(result.ok, false, name);
    t.match(result.diagnostics[0], { object: 'ReferenceGrant shop/it', field, message, fix: /./ }, name);
  }
});

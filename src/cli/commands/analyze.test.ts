import { test } from 'tap';
import { withFakeMesh } from '../testing/fake-mesh.ts';
import { expectGolden } from '../testing/golden.ts';
import { runLine } from '../testing/test-cli.ts';
import { findingsOf } from './analyze.ts';

const ANSWER = {
  objects: [
    {
      key: 'Service/shop/web',
      state: 'accepted',
      diagnostics: [
        {
          field: 'spec.ports[0].appProtocol',
          value: '"spdy"',
          message: 'is not known',
          fix: 'use http',
          severity: 'ignored',
        },
      ],
    },
    { key: 'HTTPRoute/shop/ok', state: 'accepted', diagnostics: [] },
    {
      key: 'HTTPRoute/other/split',
      state: 'rejected',
      diagnostics: [
        {
          field: 'spec.rules[0]',
          value: '[]',
          message: 'has no backend',
          fix: 'name one',
          severity: 'rejected',
        },
      ],
    },
  ],
  unreadable: [{ origin: 'shop.yaml#2', field: 'kind', value: '', message: 'is missing', fix: 'write it' }],
};

test('errors come before warnings, and each names object, field, value and fix', t => {
  t.match(findingsOf(ANSWER, undefined), [
    { level: 'Error', object: 'HTTPRoute other/split', field: 'spec.rules[0]: []', fix: 'name one' },
    { level: 'Error', object: 'shop.yaml#2', field: 'kind', message: 'is missing' },
    { level: 'Warning', object: 'Service shop/web', message: 'is not known' },
  ]);
  t.same(
    findingsOf(ANSWER, 'shop').map(f => f.object),
    ['shop.yaml#2', 'Service shop/web'],
  );
  t.same(findingsOf('something else', undefined), [], 'an answer of another version');
  t.end();
});

test('a rejected object is exit status 1; a namespace without one is 0', async t => {
  await withFakeMesh(async dir => {
    const wrong = await runLine(`analyze --state-dir ${dir}`);
    t.equal(wrong.status, 1);
    t.equal(wrong.err, '');
    expectGolden(t, 'analyze', `$ ambientctl analyze\n${wrong.out}`);
    const fine = await runLine(`analyze -n legacy --state-dir ${dir}`);
    t.equal(fine.status, 0);
    t.equal(fine.out, '√ nothing is wrong with any object\n');
  });
});

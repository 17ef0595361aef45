import { globSync, readFileSync } from 'node:fs';
import { test } from 'tap';
import { namedTests } from './named-tests.ts';

const text = readFileSync('docs/kubernetes.md', 'utf8');

test('every test on a cluster that the page names is there', async t => {
  const { rows, wrong } = namedTests(text);
  t.same(wrong, []);
  t.ok(rows > 20);
});

test('the page names every file of tests on a cluster', async t => {
  const files = globSync('e2e/kube/tests/*.test.ts');
  t.same(
    files.filter(file => !text.includes(file)),
    [],
  );
  t.ok(files.length > 10);
});

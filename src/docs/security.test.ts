import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { namedTests } from './named-tests.ts';

test('each statement of docs/security.md is named with the test that proves it', t => {
  const { rows, wrong } = namedTests(readFileSync('docs/security.md', 'utf8'));
  t.ok(rows > 30, `${rows} rows`);
  t.same(wrong, []);
  t.end();
});

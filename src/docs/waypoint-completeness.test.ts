import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { namedTests } from './named-tests.ts';

test('every test of the waypoint that the page names is there', async t => {
  const { rows, wrong } = namedTests(readFileSync('docs/waypoint-completeness.md', 'utf8'));
  t.same(wrong, []);
  t.ok(rows > 100);
});

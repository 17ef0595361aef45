import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { BENCH_COMMANDS } from '../../e2e/bench/commands.ts';

const text = readFileSync('docs/performance.md', 'utf8');

test('the page shows every benchmark there is, and no others', async t => {
  const shown = [...text.matchAll(/^ {4}npm run bench -- ([a-z0-9-]+)/gm)].map(match => match[1]);
  // Needs a cluster, and has a page of its own.
  const here = BENCH_COMMANDS.filter(name => name !== 'cluster');
  t.same(new Set(shown), new Set(here));
});

test('every benchmark is explained', async t => {
  for (const name of BENCH_COMMANDS.filter(command => command !== 'cluster'))
    t.match(text, new RegExp(`\\*\\*${name}\\*\\*:|\`npm run bench -- ${name}\`:`), name);
});

import { existsSync, globSync, readFileSync } from 'node:fs';
import { test } from 'tap';
import { codeOf, parseTables } from './docs/markdown.ts';

/** "Time" of ARCHITECTURE.md: what a wall clock that is set does to whoever reads it. */
const [, section = ''] = readFileSync('ARCHITECTURE.md', 'utf8').split('\n## Time\n');
const [table] = parseTables(section.split('\n## ')[0] ?? '');
const ROWS = table?.rows ?? [];

const WALL_CLOCK = /[cC]lock\.now\(\)|\bDate\.now\(\)|new Date\(\)/;
/** The clocks themselves, and what runs for a moment on somebody's own machine. */
const ELSEWHERE =
  /\.test\.ts$|\/testing\/|^src\/(?:dashboard|playground|cli)\/|\/lifecycle\/clock\.ts$|\/loop-clock\.ts$/;

test('whoever reads the wall clock stands in the table, with what a jump does to it, and nobody else', t => {
  const readers = globSync('src/**/*.ts')
    .filter(file => !ELSEWHERE.test(file) && WALL_CLOCK.test(readFileSync(file, 'utf8')))
    .map(file => file.replace(/^src\//, ''))
    .sort();
  t.same(ROWS.flatMap(row => codeOf(row[4] ?? '')).sort(), readers);
  t.end();
});

test('what a jump does to a decision is proven somewhere', t => {
  for (const [what = '', forward = '', back = '', proof = ''] of ROWS) {
    if (forward === '') continue;
    t.not(back, '', what);
    const files = codeOf(proof);
    t.ok(files.length > 0, what);
    for (const file of files) t.ok(existsSync(`src/${file}`), file);
  }
  t.end();
});

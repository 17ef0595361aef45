import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'tap';
import { parseTables } from './markdown.ts';
import { namedTests } from './named-tests.ts';

/** docs/bad-input.md and its tables: every row names a test that exists. */
const INDEX = 'docs/bad-input.md';
/** `bad-input.d` is where a table waits until it is listed in the index. */
const FILES = globSync(['docs/bad-input/*.md', 'docs/bad-input.d/*.md']).sort();

for (const file of FILES) {
  test(`${file}: each row names a test that exists`, t => {
    const text = readFileSync(file, 'utf8');
    const { rows, wrong } = namedTests(text);
    t.ok(rows > 0, 'it has rows');
    t.same(wrong, []);
    // Generated tables are made of the tests themselves.
    const tables = parseTables(text.replaceAll(/<!-- generated[\s\S]*?<!-- end -->/g, ''));
    t.same(
      tables.filter(table => table.header.at(-1) !== 'Test').map(table => table.header),
      [],
      'every table names tests',
    );
    t.end();
  });
}

test('the index lists every area', t => {
  const index = readFileSync(INDEX, 'utf8');
  const linked = Array.from(index.matchAll(/\]\(bad-input\/([a-z0-9-]+\.md)\)/g), match => match[1] ?? '');
  t.same(linked.sort(), FILES.map(f => basename(f)).sort());
  t.end();
});

test('what is wrong in a table is found', t => {
  const table = (cell: string): string =>
    `Tests: \`src/docs/markdown.ts\`.\n\n| A | Test |\n| --- | --- |\n| x | ${cell} |\n`;
  t.same(namedTests(table('"renderTable"')), { rows: 1, wrong: [] });
  t.same(namedTests(table('"cells … written"')), { rows: 1, wrong: [] });
  t.match(namedTests(table('"no such words"')).wrong, [/no "no such words" in src\/docs\/markdown.ts/]);
  t.match(namedTests(table('`src/none.test.ts`: "x"')).wrong, [/there is no src\/none.test.ts/, /no "x"/]);
  t.match(namedTests('| A | Test |\n| --- | --- |\n| x | "y" |\n').wrong, [/names no test file/]);
  t.end();
});

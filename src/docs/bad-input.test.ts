import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'tap';
import { codeOf, parseTables } from './markdown.ts';

/** docs/bad-input.md and its tables: every row names a test that exists. */
const INDEX = 'docs/bad-input.md';
/** `bad-input.d` is where a table waits until it is listed in the index. */
const FILES = globSync(['docs/bad-input/*.md', 'docs/bad-input.d/*.md']).sort();

interface Claim {
  /** One of these files has the sentences. */
  readonly files: readonly string[];
  readonly sentences: readonly string[];
}

interface Row {
  readonly text: string;
  readonly claims: readonly Claim[];
}

/** Short names are written out: "`mesh` is `src/…/mesh.test.ts`" above a table makes `mesh: "…"` a file and a sentence. */
function withWholePaths(markdown: string): string {
  const names = markdown.matchAll(/`(\w+)` is `([^`]+\.test\.ts)`/g);
  return Array.from(names).reduce(
    (text, [, name = '', path = '']) => text.replaceAll(new RegExp(`\\b${name}: "`, 'g'), `\`${path}\`: "`),
    markdown,
  );
}

/** Rows of the tables whose last column is `Test`, each with the files and sentences it names. */
function rowsOf(markdown: string): Row[] {
  const sections = withWholePaths(markdown).split(/^(?=## )/m);
  return sections.flatMap(section => {
    const above = /Tests: ((?:`[^`]+`(?:, | and )?)+)/.exec(section)?.[1] ?? '';
    return parseTables(section)
      .filter(table => table.header.at(-1) === 'Test')
      .flatMap(table => table.rows.map(row => rowOf(row, codeOf(above))));
  });
}

function rowOf(row: readonly string[], filesAbove: readonly string[]): Row {
  const [before = '', ...named] = (row.at(-1) ?? '').split(/`([^`]+\.(?:test\.)?ts)`/);
  const claims: Claim[] = [];
  if (named.length === 0 || before.includes('"')) {
    claims.push({ files: filesAbove, sentences: sentencesOf(before) });
  }
  for (let i = 0; i < named.length; i += 2) {
    const file = wholePath(named[i] ?? '', filesAbove);
    claims.push({ files: [file], sentences: sentencesOf(named[i + 1] ?? '') });
  }
  return { text: row[0] ?? '', claims };
}

/** A bare name is a neighbour of the file above the table. */
function wholePath(file: string, filesAbove: readonly string[]): string {
  return file.includes('/') ? file : join(dirname(filesAbove[0] ?? ''), file);
}

/** What is quoted; at `…` words are left out, so each part has to occur. */
function sentencesOf(text: string): string[] {
  const quoted = Array.from(text.matchAll(/"([^"]+)"/g), match => match[1] ?? '');
  return quoted.flatMap(q => q.split('…').map(part => part.trim())).filter(part => part !== '');
}

/** As it reads when it runs: a quote in a string literal may be escaped. */
const sources = new Map<string, string>();
function sourceOf(file: string): string {
  const known = sources.get(file);
  if (known !== undefined) return known;
  const text = existsSync(file) ? readFileSync(file, 'utf8').replaceAll('\\', '') : '';
  sources.set(file, text);
  return text;
}

for (const file of FILES) {
  test(`${file}: each row names a test that exists`, t => {
    const rows = rowsOf(readFileSync(file, 'utf8'));
    t.ok(rows.length > 0, 'it has rows');
    const wrong: string[] = [];
    for (const { text, claims } of rows) {
      for (const { files, sentences } of claims) {
        if (files.length === 0) wrong.push(`${text}: names no test file`);
        wrong.push(...files.filter(f => !existsSync(f)).map(f => `${text}: there is no ${f}`));
        const missing = sentences.filter(s => !files.some(f => sourceOf(f).includes(s.replaceAll('\\', ''))));
        wrong.push(...missing.map(s => `${text}: no "${s}" in ${files.join(', ')}`));
      }
    }
    t.same(wrong, []);
    t.end();
  });
}

test('the index lists every area', t => {
  const index = readFileSync(INDEX, 'utf8');
  const linked = Array.from(index.matchAll(/\]\(bad-input\/([a-z0-9-]+\.md)\)/g), match => match[1] ?? '');
  t.same(linked.sort(), FILES.map(f => basename(f)).sort());
  t.end();
});

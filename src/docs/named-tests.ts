import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codeOf, parseTables } from './markdown.ts';

/** Tables whose last column names tests: the file as code, then in quotes the test's name or the sentence of its row. */
interface Claim {
  /** One of these files has the sentences. */
  readonly files: readonly string[];
  readonly sentences: readonly string[];
}

interface Row {
  readonly text: string;
  readonly claims: readonly Claim[];
}

export interface NamedTests {
  readonly rows: number;
  /** What a row names and there is not. */
  readonly wrong: readonly string[];
}

export function namedTests(markdown: string): NamedTests {
  const rows = rowsOf(markdown);
  return { rows: rows.length, wrong: rows.flatMap(faultsOf) };
}

function faultsOf({ text, claims }: Row): string[] {
  return claims.flatMap(({ files, sentences }) => {
    if (files.length === 0) return [`${text}: names no test file`];
    const missing = sentences.filter(s => !files.some(f => sourceOf(f).includes(s.replaceAll('\\', ''))));
    return [
      ...files.filter(f => !existsSync(f)).map(f => `${text}: there is no ${f}`),
      ...missing.map(s => `${text}: no "${s}" in ${files.join(', ')}`),
    ];
  });
}

/** Short names are written out: "`mesh` is `src/…/mesh.test.ts`" above a table makes `mesh: "…"` a file and a sentence. */
function withWholePaths(markdown: string): string {
  const names = markdown.matchAll(/`(\w+)` is `([^`]+\.test\.ts)`/g);
  return Array.from(names).reduce(
    (text, [, name = '', path = '']) => text.replaceAll(new RegExp(`\\b${name}: "`, 'g'), `\`${path}\`: "`),
    markdown,
  );
}

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

/** Without backslashes: a quote in a string literal may be escaped. */
function sourceOf(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').replaceAll('\\', '') : '';
}
